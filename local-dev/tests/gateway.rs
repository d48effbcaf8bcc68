//! The gateway over real HTTP, with a function that is a closure.

#![expect(clippy::unwrap_used, reason = "clippy takes helpers of integration tests for production code")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::body::Bytes;
use local_dev::{
    build::workspace_root,
    gateway::Gateway,
    invoke::{InvokeError, Invoker},
    report::Reporter,
    template::Template,
    ui::Ui,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers with its event, or as the path says.
struct Mirror;

#[async_trait]
impl Invoker for Mirror {
    async fn invoke(&self, function: &str, payload: Bytes, _: Duration) -> Result<Bytes, InvokeError> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let answer = match event["rawPath"].as_str().unwrap() {
            "/api/v1/prompts/empty" => json!({ "statusCode": 204 }),
            "/api/v1/prompts/nonsense" => return Ok("nonsense".into()),
            "/api/v1/prompts/error" => return Err(InvokeError::FunctionError("no".to_owned())),
            "/api/v1/prompts/slow" => return Err(InvokeError::Timeout(Duration::from_secs(30))),
            _ => json!({
                "statusCode": 200,
                "headers": { "content-type": "application/json", "x-function": function },
                "cookies": ["a=1", "b=2"],
                "body": event.to_string(),
            }),
        };
        Ok(answer.to_string().into())
    }
}

async fn start(ui: Option<Ui>) -> Gateway {
    let template = Template::load(&workspace_root().unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Gateway::start(listener, Arc::new(template), Arc::new(Mirror), ui, Reporter::silent()).unwrap()
}

async fn send(gateway: &Gateway, method: Method, path: &str) -> Response {
    let client = shared_core::outbound::client(|builder| builder.no_proxy()).unwrap();
    client.request(method, format!("http://{}{path}", gateway.address())).send().await.unwrap()
}

/// What a raw request line is answered with: clients normalise paths, so some have to be written by hand.
async fn send_raw(gateway: &Gateway, target: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn routes_a_request_and_answers_with_headers_and_cookies() {
    let gateway = start(None).await;
    let answer = send(&gateway, Method::GET, "/API/v1/Prompts/7?x=1").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-function"], "api-prompts");
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    let event: Value = answer.json().await.unwrap();
    assert_eq!(event["rawPath"], "/API/v1/Prompts/7");
    assert_eq!(event["requestContext"]["http"]["method"], "GET");
    assert_eq!(event["headers"]["x-forwarded-port"], gateway.address().port().to_string());
}

#[tokio::test]
async fn head_has_headers_only() {
    let gateway = start(None).await;
    let answer = send(&gateway, Method::HEAD, "/api/v1/prompts").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn no_content_has_no_content_headers() {
    let gateway = start(None).await;
    let answer = send(&gateway, Method::DELETE, "/api/v1/prompts/empty").await;
    assert_eq!(answer.status(), 204);
    for name in ["content-length", "content-type", "transfer-encoding"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn says_itself_what_no_function_answers() {
    let gateway = start(None).await;
    for (path, status, message) in [
        ("/api/v1/prompts/nonsense", 500, "Internal Server Error"),
        ("/api/v1/prompts/error", 500, "Internal Server Error"),
        ("/api/v1/prompts/slow", 503, "Service Unavailable"),
    ] {
        let answer = send(&gateway, Method::GET, path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "message": message }));
    }
}

#[tokio::test]
async fn refuses_what_no_event_can_carry() {
    let gateway = start(None).await;
    let client = shared_core::outbound::client(|builder| builder.no_proxy()).unwrap();
    // As base64, 5 MB are more than an event of 6 MiB holds.
    let request = client.post(format!("http://{}/api/v1/prompts", gateway.address())).body(vec![0; 5_000_000]);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "message": "Request Entity Too Large" }));
}

#[tokio::test]
async fn a_malformed_path_is_a_bad_request() {
    let gateway = start(None).await;
    let answer = send_raw(&gateway, "/api/v1/prompts/%zz").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains(r#"{"error":"Bad Request","#), "{answer}");
}

#[tokio::test]
async fn takes_request_lines_of_64_kibibytes() {
    let gateway = start(None).await;
    let ids = "a".repeat(64 * 1024 - "GET /api/v1/executions?ids= HTTP/1.1".len());
    let answer = send_raw(&gateway, &format!("/api/v1/executions?ids={ids}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{}", &answer[..100]);
}

#[tokio::test]
async fn pages_stand_beside_the_api_and_never_inside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<html>page</html>").unwrap();
    let gateway = start(Some(Ui::open(dir.path()).unwrap())).await;
    for path in ["/", "/prompts", "/auth/invitation/1"] {
        let answer = send(&gateway, Method::GET, path).await;
        assert_eq!(answer.text().await.unwrap(), "<html>page</html>", "{path}");
    }
    for path in ["/api", "/api/", "/api/nowhere", "/API/v1/prompts", "/%61pi/x", "//api/x"] {
        let answer = send_raw(&gateway, path).await;
        assert!(answer.contains("x-function"), "{path}: {answer}");
    }
}
