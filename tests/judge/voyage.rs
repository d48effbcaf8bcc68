//! Voyage AI: its SDK sends the same call, reads the same answer, and must see what our client sees.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use shared_core::embeddings::{EmbeddingInputType, EmbeddingInputs, EmbeddingModel, EmbeddingWork};
use shared_providers::VoyageAi;
use shared_testing::vendor::{FakeVendor, Reply, voyageai};

use crate::{KEY, requests::told, sdks};

const PATH: &str = "/v1/embeddings";

/// Every kind of call: one text and several, every model, every input type. The vendor answers out of order.
fn calls() -> Vec<(String, EmbeddingWork)> {
    let several = ["first", "second", "zweiter – «dritter»"].map(str::to_owned).to_vec();
    let inputs = [("one", EmbeddingInputs::One("text".to_owned())), ("several", EmbeddingInputs::Many(several))];
    let types = [None, Some(EmbeddingInputType::Query), Some(EmbeddingInputType::Document)];
    let mut calls = Vec::new();
    for model in
        ["voyage-3-large", "voyage-3.5", "voyage-3.5-lite", "voyage-code-3", "voyage-finance-2", "voyage-law-2"]
    {
        for (name, inputs) in &inputs {
            for input_type in types {
                let case = format!("voyageai {model} {name} {input_type:?}");
                let model: EmbeddingModel = serde_json::from_value(json!(model)).expect("a model");
                let inputs = inputs.clone();
                calls.push((case, EmbeddingWork { inputs, model, input_type, webhook_destination_ids: vec![] }));
            }
        }
    }
    calls
}

/// What our client sends, the answer that it gets, and what it makes of that.
async fn sent() -> Vec<Value> {
    let mut all = Vec::new();
    for (case, work) in calls() {
        let vendor = FakeVendor::start().await;
        let count = work.inputs.count();
        let vectors: Vec<Vec<f64>> =
            (0..count).map(|text| vec![0.1 * text as f64, -1.0e-9, 0.031_265_258_789_062_5]).collect();
        let mut answer = voyageai::embedded_body(&vectors);
        answer["data"].as_array_mut().expect("a list").reverse();
        vendor.on("POST", PATH, Reply::json(&answer));
        let client = VoyageAi::new(&vendor.url(), Duration::from_secs(60)).expect("a URL");
        let made = client.embed(&KEY.into(), &work).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let requests = vendor.requests();
        assert_eq!(requests.len(), 1, "{case}");
        let mut line = told(&case, "voyageai", &requests[0]);
        line["answer"] = answer;
        line["vectors"] = json!(made.vectors);
        line["totalTokens"] = json!(made.total_tokens);
        all.push(line);
    }
    all
}

/// A good call, broken in ways that the judge must see.
fn mistakes(good: &Value) -> Vec<Value> {
    let broken = |what: &str, breaks: &dyn Fn(&mut Value)| {
        let mut line = good.clone();
        breaks(&mut line);
        line["case"] = format!("mistake: {what}").into();
        line
    };
    vec![
        broken("unknown member", &|line| line["body"]["dimensions"] = 3.into()),
        broken("no model", &|line| drop(line["body"].as_object_mut().and_then(|body| body.remove("model")))),
        broken("a number for a text", &|line| line["body"]["input"] = json!([1, 2, 3])),
        broken("an odd input type", &|line| line["body"]["input_type"] = "passage".into()),
        broken("wrong path", &|line| line["path"] = "/embeddings".into()),
        broken("no key", &|line| line["headers"] = json!({"content-type": "application/json"})),
        broken("other vectors", &|line| line["vectors"][0][0] = 0.5.into()),
        broken("other tokens", &|line| line["totalTokens"] = 0.into()),
    ]
}

#[tokio::test]
async fn the_sdk_sends_and_reads_the_same_and_sees_every_mistake() {
    let good = sent().await;
    let mistakes = mistakes(&good[3]);
    let lines: Vec<Value> = good.iter().chain(&mistakes).cloned().collect();
    let mut said = sdks::run("requests", &lines);
    assert_eq!(said.pop().expect("a last line")["judged"], json!({"voyageai": lines.len()}));
    let text = |line: &Value, name: &str| line[name].as_str().expect("a text").to_owned();
    let (of_mistakes, of_good): (Vec<_>, Vec<_>) = said
        .iter()
        .map(|line| (text(line, "case"), text(line, "problem")))
        .partition(|(case, _)| case.starts_with("mistake"));
    assert_eq!(of_good, [], "our requests and readings");
    let seen: BTreeSet<String> = of_mistakes.into_iter().map(|(case, _)| case).collect();
    assert_eq!(seen, mistakes.iter().map(|line| text(line, "case")).collect());
}
