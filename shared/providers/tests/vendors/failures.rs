//! How calls fail, for every vendor alike (contract section 11.3).

use std::time::{Duration, Instant};

use shared_core::ProviderName;
use shared_providers::{ErrorClass, FailureKind, ProviderError, Providers};
use shared_testing::vendor::{FakeVendor, Reply, anthropic, chat_completions, gemini, ollama, openai};

use crate::support::{
    KEY, VENDORS, ask, client, client_within, endpoints, generate_path, model_of, models_path, question,
};

/// For what never answers.
const SHORT: Duration = Duration::from_millis(150);

/// For what begins to answer and stalls: a busy machine must have begun by then.
const LONGER: Duration = Duration::from_millis(1000);

/// For what ends by itself.
const AMPLE: Duration = Duration::from_secs(30);

/// An error answer in the vendor's format.
fn refusal(name: ProviderName, status: u16, message: &str) -> Reply {
    match name {
        ProviderName::Ollama => ollama::error(status, message),
        ProviderName::OpenAi => openai::error(status, "", message),
        ProviderName::Anthropic => anthropic::error(status, "some_error", message),
        ProviderName::Gemini => gemini::error(status, "SOME_STATUS", message),
        ProviderName::DeepSeek | ProviderName::DeepInfra => chat_completions::error(status, "", message),
    }
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

fn vendor_name(name: ProviderName) -> &'static str {
    match name {
        ProviderName::Ollama => "Ollama",
        ProviderName::OpenAi => "OpenAI",
        ProviderName::Anthropic => "Anthropic",
        ProviderName::Gemini => "Gemini",
        ProviderName::DeepSeek => "DeepSeek",
        ProviderName::DeepInfra => "DeepInfra",
    }
}

/// The error of a generation that meets this reply and may take so long.
async fn failed_within(limit: Duration, name: ProviderName, reply: Reply) -> ProviderError {
    let vendor = FakeVendor::start().await;
    vendor.on("POST", generate_path(name), reply);
    client_within(&vendor.url(), name, limit).generate(&question(model_of(name), "P", "I")).await.expect_err("an error")
}

/// The error of a generation that meets this reply.
async fn failed(name: ProviderName, reply: Reply) -> ProviderError {
    failed_within(AMPLE, name, reply).await
}

#[tokio::test]
async fn error_answers_name_vendor_status_and_message() {
    for (name, model) in VENDORS {
        let vendor = FakeVendor::start().await;
        let client = client(&vendor, name);
        for (status, phrase, is_transient) in [
            (400, "400 Bad Request", false),
            (401, "401 Unauthorized", false),
            (403, "403 Forbidden", false),
            (404, "404 Not Found", false),
            (408, "408 Request Timeout", true),
            (409, "409 Conflict", false),
            (413, "413 Payload Too Large", false),
            (422, "422 Unprocessable Entity", false),
            (425, "425 Too Early", true),
            (429, "429 Too Many Requests", true),
            (500, "500 Internal Server Error", true),
            (501, "501 Not Implemented", false),
            (502, "502 Bad Gateway", true),
            (503, "503 Service Unavailable", true),
            (504, "504 Gateway Timeout", true),
            (529, "529 Overloaded", true),
            (302, "302 Found", false),
        ] {
            vendor.on("POST", generate_path(name), refusal(name, status, "It went wrong."));
            let error = client.generate(&question(model, "P", "I")).await.unwrap_err();
            let text = format!("ProviderError: {} answered {phrase}: It went wrong.", vendor_name(name));
            assert_eq!(error.to_string(), text);
            assert_eq!(error.is_transient(), is_transient, "{error}");
            assert_eq!(error.kind() == FailureKind::Transient, is_transient);
            assert_eq!(error.status(), Some(status));
            assert_eq!(error.class(), ErrorClass::Provider);
            assert_eq!(error.retry_after(), None);
        }
    }
}

#[tokio::test]
async fn a_404_about_the_model_means_an_unknown_model() {
    for (name, model) in VENDORS {
        let vendor = FakeVendor::start().await;
        vendor.on("POST", generate_path(name), refusal(name, 404, "model 'x' not found"));
        let error = ask(&vendor, name).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::ModelNotSupported);
        let text = format!("{} has no model \"{model}\": model 'x' not found", vendor_name(name));
        assert_eq!(error.to_string(), format!("ModelNotSupportedError: {text}"));
    }
}

#[tokio::test]
async fn honours_retry_after_in_seconds_and_as_a_date() {
    for (name, _) in VENDORS {
        let vendor = FakeVendor::start().await;
        let path = generate_path(name);
        vendor.enqueue("POST", path, refusal(name, 429, "slow").with_header("retry-after", "17"));
        assert_eq!(ask(&vendor, name).await.unwrap_err().retry_after(), Some(Duration::from_secs(17)));
        let in_a_minute = (chrono::Utc::now() + chrono::TimeDelta::seconds(60)).format("%a, %d %b %Y %H:%M:%S GMT");
        vendor.enqueue("POST", path, refusal(name, 503, "slow").with_header("retry-after", &in_a_minute.to_string()));
        let wait = ask(&vendor, name).await.unwrap_err().retry_after().unwrap();
        assert!(wait > Duration::from_secs(40) && wait <= Duration::from_secs(60), "{wait:?}");
        let milliseconds = refusal(name, 429, "slow").with_header("retry-after-ms", "1500");
        vendor.enqueue("POST", path, milliseconds);
        assert_eq!(ask(&vendor, name).await.unwrap_err().retry_after(), Some(Duration::from_millis(1500)));
        vendor.enqueue("POST", path, refusal(name, 529, "slow").with_header("retry-after", "999999"));
        assert_eq!(ask(&vendor, name).await.unwrap_err().retry_after(), Some(Duration::from_secs(3600)));
    }
}

#[tokio::test]
async fn a_raw_error_body_is_shown_and_cut() {
    let html = format!("<html>{}</html>", "x".repeat(5000));
    let reply = Reply::bytes("text/html", html).with_status(502);
    let error = failed(ProviderName::OpenAi, reply).await.to_string();
    assert!(error.starts_with("ProviderError: OpenAI answered 502 Bad Gateway: <html>xxx"), "{error}");
    assert!(error.ends_with("x…"), "{error}");
    assert!(error.chars().count() < 2100, "{}", error.len());
    let empty = failed(ProviderName::OpenAi, Reply::status(500)).await;
    assert_eq!(empty.to_string(), "ProviderError: OpenAI answered 500 Internal Server Error");
}

#[tokio::test]
async fn an_error_answer_that_breaks_off_still_counts_by_its_status() {
    for reply in [
        Reply::text(&"x".repeat(1000)).with_status(503).broken_after(10),
        Reply::text(&"x".repeat(1000)).with_status(503).stalled_after(10),
    ] {
        let error = failed_within(LONGER, ProviderName::Anthropic, reply).await;
        assert_eq!(error.status(), Some(503));
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_hang_ends_at_the_time_limit_and_is_transient() {
    for (name, _) in VENDORS {
        let started = Instant::now();
        let error = failed_within(SHORT, name, Reply::hang()).await;
        let text = format!("ProviderTimeoutError: {} did not answer within 150 ms", vendor_name(name));
        assert_eq!(error.to_string(), text);
        assert!(error.is_transient());
        assert!(started.elapsed() >= SHORT);
    }
}

#[tokio::test]
async fn an_answer_that_stalls_ends_at_the_time_limit_and_is_permanent() {
    let stalled = VENDORS.map(|(name, _)| failed_within(LONGER, name, good(name).stalled_after(20)));
    for error in futures::future::join_all(stalled).await {
        assert_eq!(error.class(), ErrorClass::ProviderTimeout);
        assert!(!error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn availability_and_lists_end_at_the_time_limit_too() {
    for (name, _) in VENDORS {
        let vendor = FakeVendor::start().await;
        vendor.on("GET", models_path(name), Reply::hang());
        let client = client_within(&vendor.url(), name, SHORT);
        assert_eq!(client.check().await.unwrap_err().class(), ErrorClass::ProviderTimeout);
        assert_eq!(client.models().await.unwrap_err().class(), ErrorClass::ProviderTimeout);
    }
}

#[tokio::test]
async fn a_slow_answer_within_the_limit_is_fine() {
    for (name, _) in VENDORS {
        let vendor = FakeVendor::start().await;
        vendor.on("POST", generate_path(name), good(name).after(Duration::from_millis(50)));
        assert_eq!(ask(&vendor, name).await.unwrap().text, "A");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_and_transient() {
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (name, model) in VENDORS {
        let client = client_within(&format!("http://{closed}"), name, Duration::from_secs(10));
        for error in [
            client.generate(&question(model, "P", "I")).await.unwrap_err(),
            client.check().await.unwrap_err(),
            client.models().await.unwrap_err(),
        ] {
            let text = error.to_string();
            let start = format!("ProviderUnavailableError: could not connect to {} at http://127", vendor_name(name));
            assert!(text.starts_with(&start), "{text}");
            assert!(text.to_lowercase().contains("refused"), "{text}");
            assert!(error.is_transient());
            assert_eq!(error.status(), None);
        }
    }
}

#[tokio::test]
async fn a_dropped_connection_is_unavailable_and_transient() {
    for (name, _) in VENDORS {
        for (reply, how) in [
            (Reply::close(), "closed the connection without an answer"),
            (good(name).broken_after(20), "broke during its answer"),
        ] {
            let error = failed(name, reply).await;
            assert_eq!(error.class(), ErrorClass::ProviderUnavailable);
            assert!(error.to_string().contains(how), "{error}");
            assert!(error.is_transient());
        }
    }
}

#[tokio::test]
async fn a_failed_handshake_is_unavailable_and_transient() {
    let vendor = FakeVendor::start().await;
    let plain = vendor.url().replace("http://", "https://");
    let error = client_within(&plain, ProviderName::OpenAi, AMPLE).check().await.unwrap_err();
    assert!(error.to_string().starts_with("ProviderUnavailableError: could not connect to OpenAI at "), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_oversized_answer_is_not_read_to_its_end() {
    let reply = Reply::bytes("application/json", vec![b' '; 33 << 20]);
    let vendor = FakeVendor::start().await;
    // Once with its size announced, once in chunks (breaking off far behind the limit).
    for reply in [reply.clone(), reply.broken_after(usize::MAX)] {
        vendor.enqueue("POST", "/v1/responses", reply);
        let error = ask(&vendor, ProviderName::OpenAi).await.unwrap_err();
        assert_eq!(error.to_string(), "ProviderError: OpenAI answered with more than 32 MiB");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let vendor = FakeVendor::start().await;
    let elsewhere = Reply::status(307).with_header("location", "/elsewhere");
    vendor.on("POST", "/v1/responses", elsewhere).on("POST", "/elsewhere", openai::response_text("A"));
    let error = ask(&vendor, ProviderName::OpenAi).await.unwrap_err();
    assert_eq!(error.to_string(), "ProviderError: OpenAI answered 307 Temporary Redirect");
    assert!(vendor.requests_to("POST", "/elsewhere").is_empty());
}

#[tokio::test]
async fn check_asks_the_vendor_and_passes_on_its_refusal() {
    for (name, _) in VENDORS {
        let vendor = FakeVendor::start().await;
        let path = models_path(name);
        vendor.on("GET", path, Reply::text("whatever"));
        client(&vendor, name).check().await.unwrap();
        vendor.on("GET", path, refusal(name, 401, "bad key"));
        let error = client(&vendor, name).check().await.unwrap_err();
        assert_eq!(error.status(), Some(401));
        let text = format!("ProviderError: {} answered 401 Unauthorized: bad key", vendor_name(name));
        assert_eq!(error.to_string(), text);
        assert_eq!(vendor.requests_to("GET", path).len(), 2);
    }
}

#[tokio::test]
async fn an_unreadable_model_list_makes_the_vendor_unavailable() {
    for (name, _) in VENDORS {
        let vendor = FakeVendor::start().await;
        for (reply, is_transient) in [
            (refusal(name, 500, "broken").with_header("retry-after", "5"), true),
            (refusal(name, 401, "bad key"), false),
            (Reply::text("garbage"), false),
            (Reply::text("{}"), false),
            (Reply::text(r#"{"models": 7, "data": 7}"#), false),
        ] {
            vendor.on("GET", models_path(name), reply);
            let error = client(&vendor, name).models().await.unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("ProviderUnavailableError: the model list could not be read: "), "{text}");
            assert_eq!(error.is_transient(), is_transient, "{text}");
        }
    }
}

#[tokio::test]
async fn the_key_never_shows() {
    for (name, _) in VENDORS.into_iter().filter(|(name, _)| *name != ProviderName::Ollama) {
        let echo = format!("Incorrect API key provided: {KEY}. ");
        let cut_inside = format!("{}{KEY}", "x".repeat(1995));
        for reply in [
            refusal(name, 401, &echo),
            refusal(name, 404, &format!("model {KEY}")),
            refusal(name, 400, &cut_inside),
            Reply::text(&echo).with_status(500),
            Reply::text(&echo),
            Reply::bytes("application/json", format!(r#"{{"status": "failed", "error": {{"message": "{echo}"}}}}"#)),
            Reply::bytes(
                "application/json",
                format!(
                    r#"{{"output": [{{"type": "message", "content": [{{"type": "refusal", "refusal": "{echo}"}}]}}]}}"#
                ),
            ),
            Reply::close(),
        ] {
            let error = failed(name, reply).await;
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains(&KEY[..8]), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_work_fails_before_anything_is_sent() {
    let providers = Providers::new(endpoints("http://127.0.0.1:9"), SHORT);
    let text = |name, key: &str| providers.connect(name, &key.into()).err().unwrap().to_string();
    assert_eq!(text(ProviderName::OpenAi, " "), "ProviderUnavailableError: there is no API key for OpenAI");
    assert_eq!(
        text(ProviderName::Anthropic, "two\nlines"),
        "ProviderUnavailableError: the API key for Anthropic contains characters that cannot be sent"
    );
    assert!(providers.connect(ProviderName::Ollama, &"".into()).is_ok());
}

#[tokio::test]
async fn names_are_as_asked_for() {
    let providers = Providers::new(endpoints("http://127.0.0.1:9"), SHORT);
    for (name, _) in VENDORS {
        assert_eq!(providers.connect(name, &KEY.into()).unwrap().name(), name);
    }
}
