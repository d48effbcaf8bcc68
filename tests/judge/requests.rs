//! What the SDKs say about our requests.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Map, Value, json};
use shared_core::ProviderName;
use shared_testing::vendor::{FakeVendor, ReceivedRequest, Reply, anthropic, chat_completions, gemini, ollama, openai};
use tokio::sync::OnceCell;

use crate::{cases, client, generate_path, mistakes, sdks};

/// A request as the judge reads it.
pub(crate) fn told(case: &str, vendor: &str, request: &ReceivedRequest) -> Value {
    let headers: Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("a readable header").into()))
        .collect();
    let query: Map<String, Value> = request
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({
        "case": case, "vendor": vendor, "method": request.method, "path": request.path, "query": query,
        "headers": headers, "body": request.json()
    })
}

fn good(name: ProviderName) -> Reply {
    match name {
        ProviderName::Ollama => ollama::generated("A"),
        ProviderName::OpenAi => openai::response_text("A"),
        ProviderName::Anthropic => anthropic::message("A"),
        ProviderName::Gemini => gemini::generated("A"),
        ProviderName::DeepSeek | ProviderName::DeepInfra => chat_completions::completion("A"),
    }
}

/// Every request that our clients send, by vendor; made once for all tests.
async fn all_sent() -> &'static [(ProviderName, Vec<Value>)] {
    static ALL: OnceCell<Vec<(ProviderName, Vec<Value>)>> = OnceCell::const_new();
    let make = async || join_all(ProviderName::ALL.map(async |name| (name, sent(name).await))).await;
    ALL.get_or_init(make).await
}

/// What our client sends to a vendor: generations of every case, and what it asks besides.
async fn sent(name: ProviderName) -> Vec<Value> {
    let vendor = FakeVendor::start().await;
    for model in cases::models(name) {
        vendor.on("POST", &generate_path(name, model), good(name));
    }
    vendor.on("POST", "/api/show", ollama::shown(&["vision"]));
    let client = client(&vendor.url(), name);
    let mut told_all = Vec::new();
    for (case, request) in cases::requests(name) {
        vendor.forget_requests();
        client.generate(&request).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        told_all.extend(vendor.requests().iter().map(|request| told(&case, name.as_str(), request)));
    }
    vendor.forget_requests();
    vendor.on("GET", "/v1beta/models", gemini::models_page(["gemini-a"], Some("two")));
    vendor.on("GET", "/api/tags", ollama::tags(["a"]));
    vendor.on("GET", "/v1/openai/models", chat_completions::deepinfra_models(["a"], []));
    vendor.on("GET", "/v1/me", Reply::json(&json!({})));
    vendor.on("GET", "/v1/models", anthropic::models_page(["claude-chat"], true));
    client.check().await.expect("the vendor is there");
    client.models().await.expect("a list of models");
    let light: Vec<Value> = vendor
        .requests()
        .iter()
        .map(|request| told(&format!("{name} list or check"), name.as_str(), request))
        .collect();
    assert!(light.len() >= 2);
    told_all.extend(light);
    told_all
}

/// What the judge has against our requests and against deliberate mistakes, by the name of the case.
struct Verdict {
    requests: usize,
    mistakes: Vec<String>,
    problems: Vec<(String, String)>,
}

/// The verdict on everything, in one run of the SDKs for all tests.
async fn verdict() -> &'static Verdict {
    static VERDICT: OnceCell<Verdict> = OnceCell::const_new();
    VERDICT
        .get_or_init(async || {
            let all = all_sent().await;
            let mistakes: Vec<Value> = all.iter().flat_map(|(name, requests)| mistakes::of(*name, requests)).collect();
            let mut lines: Vec<Value> = all.iter().flat_map(|(_, requests)| requests.clone()).collect();
            let requests = lines.len();
            lines.extend(mistakes.iter().cloned());
            let mut said = sdks::run("requests", &lines);
            let last = said.pop().expect("a last line");
            let judged: u64 = last["judged"].as_object().expect("counts").values().filter_map(Value::as_u64).sum();
            assert_eq!(judged, lines.len() as u64, "{last}");
            let text = |line: &Value, name: &str| line[name].as_str().expect("a text").to_owned();
            Verdict {
                requests,
                mistakes: mistakes.iter().map(|mistake| text(mistake, "case")).collect(),
                problems: said.iter().map(|line| (text(line, "case"), text(line, "problem"))).collect(),
            }
        })
        .await
}

#[tokio::test]
async fn every_request_is_one_that_the_vendors_sdk_would_send() {
    let verdict = verdict().await;
    assert!(verdict.requests > 1000, "{}", verdict.requests);
    let problems: Vec<String> = verdict
        .problems
        .iter()
        .filter(|(case, _)| !verdict.mistakes.contains(case))
        .map(|(case, problem)| format!("{case}: {problem}"))
        .collect();
    let shown = problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(problems.is_empty(), "{} problems, among them:\n{shown}", problems.len());
}

/// A judge that finds nothing in broken requests proves nothing about good ones.
#[tokio::test]
async fn the_judge_sees_every_mistake() {
    let verdict = verdict().await;
    let made: BTreeSet<&String> = verdict.mistakes.iter().collect();
    assert_eq!(made.len(), verdict.mistakes.len(), "every mistake has a name of its own");
    let seen: BTreeSet<&String> =
        verdict.problems.iter().map(|(case, _)| case).filter(|case| made.contains(case)).collect();
    assert_eq!(seen, made);
}
