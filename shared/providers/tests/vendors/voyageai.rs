//! Voyage AI: what is asked, what is taken for an answer, how calls fail (contract section 16, defects EM-03 and EM-04).

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{
    config::{Env, load_from},
    embeddings::{EmbeddingInputType, EmbeddingInputs, EmbeddingModel, EmbeddingWork, Embeddings},
};
use shared_providers::{ErrorClass, ProviderError, VoyageAi};
use shared_testing::vendor::{FakeVendor, Reply, voyageai};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::KEY;

const PATH: &str = "/v1/embeddings";
const AMPLE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(150);

fn work(texts: &[&str]) -> EmbeddingWork {
    EmbeddingWork {
        inputs: EmbeddingInputs::Many(texts.iter().map(|text| (*text).to_owned()).collect()),
        model: EmbeddingModel::Voyage35,
        input_type: None,
        webhook_destination_ids: vec!["destination".to_owned()],
    }
}

fn client_within(vendor: &FakeVendor, timeout: Duration) -> VoyageAi {
    VoyageAi::new(&vendor.url(), timeout).expect("a URL")
}

async fn answered_within(limit: Duration, reply: Reply, texts: &[&str]) -> Result<Embeddings, ProviderError> {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", PATH, reply);
    client_within(&vendor, limit).embed(&KEY.into(), &work(texts)).await
}

/// The answer to two texts.
async fn answered(reply: Reply) -> Result<Embeddings, ProviderError> {
    answered_within(AMPLE, reply, &["a", "b"]).await
}

/// The error for two texts.
async fn failed(reply: Reply) -> ProviderError {
    answered(reply).await.expect_err("an error")
}

fn two() -> Vec<Vec<f64>> {
    vec![vec![0.5, -0.25], vec![0.125, 1.0]]
}

#[tokio::test]
async fn sends_the_contracts_body_with_the_key_as_bearer() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", PATH, voyageai::embedded_each(2));
    let client = client_within(&vendor, AMPLE);
    client.embed(&KEY.into(), &work(&["a", "b"])).await.unwrap();
    let one = EmbeddingWork {
        inputs: EmbeddingInputs::One("alone".to_owned()),
        input_type: Some(EmbeddingInputType::Document),
        model: EmbeddingModel::VoyageLaw2,
        webhook_destination_ids: Vec::new(),
    };
    client.embed(&KEY.into(), &one).await.unwrap();
    let requests = vendor.requests_to("POST", PATH);
    assert_eq!(requests[0].json(), json!({"input": ["a", "b"], "model": "voyage-3.5"}));
    assert_eq!(
        requests[1].json(),
        json!({"input": "alone", "model": "voyage-law-2", "input_type": "document"}),
        "a single text stays one"
    );
    assert_eq!(requests[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn vectors_come_in_the_order_of_the_texts() {
    let embeddings = answered(voyageai::embedded(&two())).await.unwrap();
    assert_eq!(embeddings, Embeddings { model: "voyage-3.5".to_owned(), total_tokens: 14, vectors: two() });
    let mut body = voyageai::embedded_body(&two());
    body["data"].as_array_mut().unwrap().reverse();
    assert_eq!(answered(Reply::json(&body)).await.unwrap().vectors, two(), "by index, not by place");
    let whole = json!({"data": [{"index": 0, "embedding": [1, 0]}, {"index": 1, "embedding": [0, 2]}]});
    let embeddings = answered(Reply::json(&whole)).await.unwrap();
    assert_eq!(embeddings.vectors, [[1.0, 0.0], [0.0, 2.0]]);
    assert_eq!((embeddings.model.as_str(), embeddings.total_tokens), ("voyage-3.5", 0), "figures may be missing");
}

#[tokio::test]
async fn a_thousand_vectors_are_read() {
    let texts = vec!["text"; 1000];
    let embeddings = answered_within(AMPLE, voyageai::embedded_each(1024), &texts).await.unwrap();
    assert_eq!(embeddings.vectors.len(), 1000);
    assert!(embeddings.vectors.iter().zip(0..).all(|(vector, position)| vector[0] == f64::from(position)));
}

#[tokio::test]
async fn what_is_no_complete_answer_is_named() {
    let item = |index: Value, embedding: Value| json!({"object": "embedding", "index": index, "embedding": embedding});
    let data = |items: Vec<Value>| json!({"object": "list", "data": items, "model": "voyage-3.5"});
    let good = item(json!(0), json!([1.0]));
    for (body, what) in [
        (data(vec![]), "answered with 0 embeddings for 2 texts"),
        (data(vec![good.clone()]), "answered with 1 embeddings for 2 texts"),
        (data(vec![good.clone(); 3]), "answered with 3 embeddings for 2 texts"),
        (data(vec![good.clone(); 2]), "answered with embeddings that do not name each text once"),
        (data(vec![good.clone(), item(json!(2), json!([1.0]))]), "do not name each text once"),
        (data(vec![good.clone(), item(json!(1), json!([]))]), "answered with an empty embedding"),
        (data(vec![item(json!(0), json!([])), item(json!(1), json!([]))]), "answered with an empty embedding"),
        (data(vec![good.clone(), item(json!(1), json!([1.0, 2.0]))]), "embeddings of different lengths"),
        (data(vec![good.clone(), item(json!(1), json!("AAAA"))]), "JSON of an unknown shape"),
        (data(vec![good.clone(), item(json!(1), json!([null]))]), "JSON of an unknown shape"),
        (data(vec![good.clone(), item(json!(1), json!(["1"]))]), "JSON of an unknown shape"),
        (data(vec![good.clone(), item(json!(-1), json!([1.0]))]), "JSON of an unknown shape"),
        (data(vec![good.clone(), json!({"embedding": [1.0]})]), "JSON of an unknown shape"),
        (data(vec![good.clone(), json!(null)]), "JSON of an unknown shape"),
        (json!({"data": {}}), "JSON of an unknown shape"),
        (json!({"detail": "odd"}), "JSON of an unknown shape"),
        (json!([]), "JSON that is not an object"),
    ] {
        let error = failed(Reply::json(&body)).await;
        assert!(error.to_string().starts_with("ProviderError: Voyage AI answered "), "{error}");
        assert!(error.to_string().contains(what), "{body}: {error}");
        assert!(!error.is_transient() && error.class() == ErrorClass::Provider, "{error}");
    }
    for (reply, what) in [
        (Reply::text(""), "answered 200 OK with an empty body"),
        (Reply::text("<html>login</html>"), "with something that is not JSON: <html>login</html>"),
        (Reply::text(r#"{"data": [{"index": 0, "embedding": [1e999]}]}"#), "something that is not JSON"),
    ] {
        let error = failed(reply).await;
        assert!(error.to_string().contains(what) && !error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn error_answers_say_whether_another_try_is_worth_it() {
    for (status, phrase, is_transient) in [
        (400, "400 Bad Request", false),
        (401, "401 Unauthorized", false),
        (403, "403 Forbidden", false),
        (408, "408 Request Timeout", true),
        (422, "422 Unprocessable Entity", false),
        (425, "425 Too Early", true),
        (429, "429 Too Many Requests", true),
        (500, "500 Internal Server Error", true),
        (502, "502 Bad Gateway", true),
        (503, "503 Service Unavailable", true),
        (504, "504 Gateway Timeout", true),
        (302, "302 Found", false),
    ] {
        let error = failed(voyageai::error(status, "It went wrong.")).await;
        assert_eq!(error.to_string(), format!("ProviderError: Voyage AI answered {phrase}: It went wrong."));
        assert_eq!((error.status(), error.is_transient()), (Some(status), is_transient));
    }
    let limited = failed(voyageai::error(429, "slow").with_header("retry-after", "17")).await;
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(17)));
    let unknown = failed(voyageai::error(404, "Model voyage-3.5 is not supported.")).await;
    assert_eq!(unknown.class(), ErrorClass::ModelNotSupported);
}

#[tokio::test]
async fn silence_ends_at_the_time_limit() {
    let error = answered_within(SHORT, Reply::hang(), &["a"]).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderTimeoutError: Voyage AI did not answer within 150 ms");
    assert!(error.is_transient());
    let stalled = voyageai::embedded(&two()).stalled_after(20);
    let error = answered_within(Duration::from_secs(1), stalled, &["a", "b"]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ProviderTimeout);
}

#[tokio::test]
async fn a_broken_connection_is_transient() {
    for reply in [Reply::close(), voyageai::embedded(&two()).broken_after(20)] {
        let error = failed(reply).await;
        assert_eq!(error.class(), ErrorClass::ProviderUnavailable);
        assert!(error.is_transient());
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = VoyageAi::new(&format!("http://{closed}"), AMPLE).unwrap();
    let error = client.embed(&KEY.into(), &work(&["a"])).await.unwrap_err();
    assert!(error.to_string().starts_with("ProviderUnavailableError: could not connect to Voyage AI at http://127"));
    assert!(error.is_transient());
}

#[tokio::test]
async fn calls_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Serves the first connection only: a second one would wait for ever.
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let body = voyageai::embedded_body(&[vec![1.0]]).to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        for _ in 0..3 {
            let mut received = Vec::new();
            while !received.ends_with(br#""model":"voyage-3.5"}"#) {
                let mut buffer = [0; 1024];
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "the connection stays open");
                received.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    let client = VoyageAi::new(&format!("http://{address}"), Duration::from_secs(5)).unwrap();
    for _ in 0..3 {
        client.clone().embed(&KEY.into(), &work(&["a"])).await.unwrap();
    }
    server.await.unwrap();
}

#[tokio::test]
async fn the_key_never_shows() {
    let echo = format!("Provided API key is invalid: {KEY}");
    let in_data = json!({"data": [{"index": 0, "embedding": echo}]});
    for reply in [
        voyageai::error(401, &echo),
        voyageai::error(404, &format!("model {KEY}")),
        Reply::text(&echo).with_status(500),
        Reply::text(&echo),
        Reply::json(&in_data),
        Reply::close(),
    ] {
        let error = failed(reply).await;
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(&KEY[..8]), "{text}");
        }
    }
}

#[tokio::test]
async fn what_cannot_work_fails_before_anything_is_sent() {
    let client = VoyageAi::new("http://127.0.0.1:9", SHORT).unwrap();
    let text = async |key: &str| client.embed(&key.into(), &work(&["a"])).await.unwrap_err().to_string();
    assert_eq!(text(" ").await, "ProviderUnavailableError: there is no API key for Voyage AI");
    assert_eq!(
        text("two\nlines").await,
        "ProviderUnavailableError: the API key for Voyage AI contains characters that cannot be sent"
    );
}

#[tokio::test]
async fn the_address_is_configured() {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", PATH, voyageai::embedded_each(1));
    let read = |value: &str| {
        let env = Env::new([("VOYAGEAI_BASE_URL".to_owned(), value.to_owned())]);
        load_from(env, |env| VoyageAi::read(env, AMPLE))
    };
    for value in [vendor.url(), format!("{}/", vendor.url()), format!("{}/v1/", vendor.url())] {
        read(&value).unwrap().embed(&KEY.into(), &work(&["a"])).await.unwrap();
    }
    assert_eq!(vendor.requests_to("POST", PATH).len(), 3);
    assert!(read("").is_ok(), "the vendor's own address");
    let problem = read("https://user:hunter2@host").err().unwrap().to_string();
    assert!(problem.contains("VOYAGEAI_BASE_URL must not contain a user name") && !problem.contains("hunter2"));
}
