use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use futures::future::BoxFuture;
use serde_json::json;
use shared_core::Secret;
use shared_testing::vendor::{FakeVendor, ReceivedRequest, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::*;

const STRICT: TargetPolicy = TargetPolicy { allows_http: false, allows_private: false };
const HTTP: TargetPolicy = TargetPolicy { allows_http: true, allows_private: false };
const OPEN: TargetPolicy = TargetPolicy { allows_http: true, allows_private: true };

const ID: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
const BODY: &str = r#"{"event":"webhook.test","time":"2026-01-31T09:15:00.000Z"}"#;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn keys() -> SigningKeys {
    SigningKeys::single(Secret::new(SECRET))
}

async fn send(sender: &Sender, url: &str) -> Outcome {
    sender.post(Delivery { id: ID, url, body: BODY.to_owned(), keys: &keys() }).await
}

/// One answer of a receiver, and what becomes of it.
async fn outcome_of(reply: Reply) -> Outcome {
    let receiver = FakeVendor::start().await;
    receiver.on("POST", "/hook", reply);
    let outcome = send(&hasty(OPEN), &format!("{}/hook", receiver.url())).await;
    assert_eq!(receiver.requests().len(), 1, "one attempt is one request");
    outcome
}

/// A sender that gives up sooner than the usual one.
fn hasty(policy: TargetPolicy) -> Sender {
    let rule: AddressRule = Arc::new(move |address| policy.allows_address(address));
    Sender::assembled(policy, Arc::new(SystemLookup), rule, Duration::from_millis(500))
}

/// Answers each lookup with the next entry of the script, and the last one for ever; counts the lookups.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect());
        Arc::new(Self { answers: Mutex::new(parsed.collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Lookup for Script {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

fn scripted(policy: TargetPolicy, script: &Arc<Script>) -> Sender {
    let rule: AddressRule = Arc::new(move |address| policy.allows_address(address));
    Sender::assembled(policy, Arc::clone(script) as Arc<dyn Lookup>, rule, Duration::from_secs(5))
}

/// A receiver without manners: hands every connection to `serve`, whose address is given.
async fn raw_receiver<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads until the end of the request's head; enough for a request this small.
async fn read_request(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    let mut read = Vec::new();
    while !read.ends_with(BODY.as_bytes()) {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { reason, .. } | Outcome::Postponed { reason, .. } => reason,
        other => panic!("{other:?} has no reason"),
    }
}

#[tokio::test]
async fn a_webhook_has_the_headers_of_the_contract_and_of_the_specification() {
    let receiver = FakeVendor::start().await;
    receiver.on("POST", "/hook", Reply::status(200));
    let before = Timestamp::now();
    let outcome = send(&Sender::new(OPEN), &format!("{}/hook?x=1", receiver.url())).await;
    assert_eq!(outcome, Outcome::Delivered { status: 200 });
    let request: ReceivedRequest = receiver.requests().remove(0);
    assert_eq!((request.method.as_str(), request.query.as_str()), ("POST", "x=1"));
    assert_eq!(request.body, BODY.as_bytes(), "the very text that was signed");
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "Hypersigil-Webhook/1.0"),
        ("x-hypersigil-webhook-id", ID),
        ("webhook-id", ID),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    let now: Timestamp = request.header("x-hypersigil-timestamp").unwrap().parse().unwrap();
    assert!(now >= before, "the instant of the attempt");
    for (name, value) in signature_headers(&keys(), ID, BODY, now) {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!(request.header("x-hypersigil-signature-previous"), None);
}

#[tokio::test]
async fn during_a_rotation_both_secrets_sign() {
    let receiver = FakeVendor::start().await;
    receiver.on("POST", "/hook", Reply::status(200));
    let both = SigningKeys { current: Secret::new("whsec_AAAA"), previous: Some(Secret::new(SECRET)) };
    let url = format!("{}/hook", receiver.url());
    Sender::new(OPEN).post(Delivery { id: ID, url: &url, body: BODY.to_owned(), keys: &both }).await;
    let request = receiver.requests().remove(0);
    let now: Timestamp = request.header("x-hypersigil-timestamp").unwrap().parse().unwrap();
    for (name, value) in signature_headers(&both, ID, BODY, now) {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert!(request.header("x-hypersigil-signature-previous").is_some());
    assert_eq!(request.header("webhook-signature").unwrap().split(' ').count(), 2);
}

#[tokio::test]
async fn any_2xx_is_a_delivery_whatever_its_body() {
    for status in [200, 201, 202, 204, 226, 299] {
        assert_eq!(outcome_of(Reply::status(status)).await, Outcome::Delivered { status });
    }
    for reply in [Reply::text("x").stalled_after(1), Reply::text("xyz").broken_after(1), Reply::text("not JSON")] {
        assert_eq!(outcome_of(reply).await, Outcome::Delivered { status: 200 });
    }
}

#[tokio::test]
async fn permanent_refusals_fail_and_passing_ones_are_tried_again() {
    for status in [400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451, 499] {
        let outcome = outcome_of(Reply::status(status)).await;
        assert!(
            matches!(outcome, Outcome::Failed { status: Some(code), .. } if code == status),
            "{status}: {outcome:?}"
        );
    }
    for status in [408, 425, 429, 500, 501, 502, 503, 504, 529, 599] {
        let outcome = outcome_of(Reply::status(status)).await;
        let Outcome::Postponed { status: Some(code), retry_after: None, .. } = outcome else {
            panic!("{status}: {outcome:?}");
        };
        assert_eq!(code, status);
    }
}

#[tokio::test]
async fn redirections_are_failures_and_are_not_followed() {
    let elsewhere = FakeVendor::start().await;
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let reply = Reply::status(status).with_header("location", &format!("{}/secret", elsewhere.url()));
        let outcome = outcome_of(reply).await;
        assert!(matches!(outcome, Outcome::Failed { status: Some(code), .. } if code == status), "{outcome:?}");
        assert!(reason(&outcome).contains("not followed"), "{outcome:?}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_receiver_may_ask_to_be_left_alone_for_a_while() {
    let asking = async |status: u16, value: &str| match outcome_of(
        Reply::status(status).with_header("retry-after", value),
    )
    .await
    {
        Outcome::Postponed { retry_after, .. } => retry_after,
        other => panic!("{other:?}"),
    };
    assert_eq!(asking(429, "7").await, Some(Duration::from_secs(7)));
    assert_eq!(asking(503, "120").await, Some(Duration::from_secs(120)));
    assert_eq!(asking(503, "Fri, 31 Dec 1999 23:59:59 GMT").await, Some(Duration::ZERO));
    assert_eq!(asking(503, "999999999").await, Some(Duration::from_secs(3600)), "an hour at most");
    assert_eq!(asking(503, "soon").await, None);
}

#[tokio::test]
async fn only_a_short_safe_line_of_a_refusal_is_kept() {
    let outcome = outcome_of(Reply::text("no\r\n\u{1b}[31m such\u{0}   hook ").with_status(400)).await;
    assert_eq!(reason(&outcome), "the receiver answered 400 Bad Request: no [31m such hook");
    let outcome = outcome_of(Reply::text(&"ü".repeat(10_000)).with_status(500)).await;
    assert!(reason(&outcome).ends_with(&"ü".repeat(200)), "{outcome:?}");
    assert!(reason(&outcome).chars().count() < 260, "{outcome:?}");
    let outcome = outcome_of(Reply::bytes("image/png", vec![0xff_u8; 300]).with_status(500)).await;
    assert!(reason(&outcome).chars().count() < 260, "{outcome:?}");
    for reply in [Reply::text("abc").stalled_after(2), Reply::text("abc").broken_after(2)] {
        let outcome = outcome_of(reply.with_status(500)).await;
        assert!(reason(&outcome).starts_with("the receiver answered 500"), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    let (written, mut total) = mpsc::unbounded_channel();
    let address = raw_receiver(move |mut stream| {
        let written = written.clone();
        async move {
            read_request(&mut stream).await;
            let head = "HTTP/1.1 500 Oops\r\ncontent-length: 1099511627776\r\n\r\n";
            let mut sent = 0;
            if stream.write_all(head.as_bytes()).await.is_ok() {
                while let Ok(count) = stream.write(&[b'x'; 65536]).await {
                    sent += count;
                }
            }
            written.send(sent).unwrap();
        }
    })
    .await;
    let outcome = send(&Sender::new(OPEN), &format!("http://{address}/")).await;
    assert_eq!(reason(&outcome), format!("the receiver answered 500 Internal Server Error: {}", "x".repeat(200)));
    let sent = total.recv().await.unwrap();
    assert!(sent < 64 << 20, "the receiver could send {sent} bytes, which only buffers explain");
}

#[tokio::test]
async fn an_endless_head_is_not_read_either() {
    let address = raw_receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let mut line = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while line.is_ok() {
            line = stream.write_all(format!("x-more: {}\r\n", "y".repeat(8000)).as_bytes()).await;
        }
    })
    .await;
    let outcome = send(&Sender::new(OPEN), &format!("http://{address}/")).await;
    assert!(matches!(outcome, Outcome::Postponed { status: None, .. }), "{outcome:?}");
}

#[tokio::test]
async fn silence_and_broken_connections_are_tried_again() {
    let outcome = outcome_of(Reply::hang()).await;
    assert_eq!(outcome, Outcome::no_answer("the receiver did not answer within 500 ms"));
    let outcome = outcome_of(Reply::close()).await;
    assert!(reason(&outcome).starts_with("the receiver closed the connection without an answer"), "{outcome:?}");

    let garbage = raw_receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    })
    .await;
    let outcome = send(&hasty(OPEN), &format!("http://{garbage}/")).await;
    assert!(matches!(outcome, Outcome::Postponed { status: None, .. }), "{outcome:?}");

    let nobody = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let outcome = send(&hasty(OPEN), &format!("http://{nobody}/")).await;
    assert!(reason(&outcome).starts_with("no connection to the receiver"), "{outcome:?}");
}

#[tokio::test]
async fn a_receiver_that_drips_its_answer_is_given_up_in_time() {
    let address = raw_receiver(|mut stream| async move {
        read_request(&mut stream).await;
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: a-header-that-takes-its-time\r\n\r\n" {
            let _ = stream.write_all(&[*byte]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let outcome = send(&hasty(OPEN), &format!("http://{address}/")).await;
    assert_eq!(outcome, Outcome::no_answer("the receiver did not answer within 500 ms"));
}

#[tokio::test]
async fn a_name_without_an_address_is_tried_again() {
    let script = Script::new(&[&[]]);
    let outcome = send(&scripted(STRICT, &script), "https://nowhere.example.com/").await;
    assert_eq!(reason(&outcome), "no connection to the receiver: the name has no address");
    assert_eq!(script.asked(), ["nowhere.example.com"]);
}

#[tokio::test]
async fn every_delivery_has_a_connection_of_its_own() {
    let (connected, mut connections) = mpsc::unbounded_channel();
    let address = raw_receiver(move |mut stream| {
        connected.send(()).unwrap();
        async move {
            // Keeps the connection open, and would answer on it again and again.
            loop {
                read_request(&mut stream).await;
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let sender = Sender::new(OPEN);
    for _ in 0..3 {
        assert_eq!(send(&sender, &format!("http://{address}/")).await, Outcome::Delivered { status: 200 });
    }
    for _ in 0..3 {
        connections.try_recv().expect("a connection for each delivery");
    }
}

#[tokio::test]
async fn addresses_in_the_url_are_refused_before_anything_is_sent() {
    let receiver = FakeVendor::start().await;
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "0"] {
        let outcome = send(&Sender::new(HTTP), &format!("http://{host}:{port}/hook")).await;
        assert_eq!(outcome, Outcome::Refused(TargetError::Private), "{host}");
    }
    let outcome = send(&Sender::new(STRICT), &format!("http://example.com:{port}/hook")).await;
    assert_eq!(outcome, Outcome::Refused(TargetError::NotHttps));
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn names_that_lead_to_addresses_of_our_own_are_refused() {
    let receiver = FakeVendor::start().await;
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["169.254.169.254"],
        &["10.0.0.1", "fd00::1", "127.0.0.1"],
    ] {
        let script = Script::new(&[addresses]);
        let outcome = send(&scripted(HTTP, &script), &format!("http://innocent.example.com:{port}/hook")).await;
        assert_eq!(outcome, Outcome::Refused(TargetError::Private), "{addresses:?}");
        assert_eq!(script.asked().len(), 1);
    }
    assert!(receiver.requests().is_empty());
}

/// Loopback addresses stand in for public ones here: 127.0.0.2 may be reached, 127.0.0.1 may not.
#[tokio::test]
async fn the_connection_goes_to_the_very_address_that_was_checked() {
    let inside = FakeVendor::start().await;
    let port: u16 = inside.url().rsplit(':').next().unwrap().parse().unwrap();
    let outside = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await.unwrap();
    let (reached, mut visits) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = outside.accept().await {
            reached.send(()).unwrap();
            read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    let rule: AddressRule = Arc::new(|address| address == IpAddr::from([127, 0, 0, 2]));
    let assembled = |script: &Arc<Script>| {
        let lookup = Arc::clone(script) as Arc<dyn Lookup>;
        Sender::assembled(HTTP, lookup, Arc::clone(&rule), Duration::from_secs(5))
    };
    let url = format!("http://rebinding.example.com:{port}/hook");

    // The name leads outside once and inside from then on: asking twice for one delivery would be the mistake.
    let script = Script::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let sender = assembled(&script);
    assert_eq!(send(&sender, &url).await, Outcome::Delivered { status: 204 });
    assert_eq!(script.asked().len(), 1, "asked once for one delivery");
    assert_eq!(send(&sender, &url).await, Outcome::Refused(TargetError::Private), "and again for the next one");
    assert_eq!(script.asked().len(), 2);

    // Both at once: only the allowed one is used.
    let script = Script::new(&[&["127.0.0.1", "127.0.0.2", "::1"]]);
    assert_eq!(send(&assembled(&script), &url).await, Outcome::Delivered { status: 204 });
    assert!(visits.try_recv().is_ok() && visits.try_recv().is_ok() && visits.try_recv().is_err());
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn https_to_a_receiver_without_tls_is_tried_again() {
    let receiver = FakeVendor::start().await;
    let url = receiver.url().replace("http://", "https://");
    let outcome = send(&Sender::new(OPEN), &url).await;
    assert!(reason(&outcome).starts_with("no connection to the receiver"), "{outcome:?}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_failure() {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let address = raw_receiver(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let accepted = acceptor.accept(stream).await;
            assert!(accepted.is_err(), "nothing is sent to a stranger");
        }
    })
    .await;
    let outcome = send(&Sender::new(OPEN), &format!("https://{address}/")).await;
    assert!(matches!(outcome, Outcome::Failed { status: None, .. }), "{outcome:?}");
    assert!(reason(&outcome).starts_with("the certificate of the receiver was not accepted"), "{outcome:?}");
}

#[tokio::test]
async fn a_payload_of_many_megabytes_arrives_whole() {
    let receiver = FakeVendor::start().await;
    receiver.on("POST", "/hook", Reply::status(200));
    let body = json!({"embeddings": vec![vec![0.123_456_789; 1024]; 1000]}).to_string();
    let url = format!("{}/hook", receiver.url());
    let outcome = Sender::new(OPEN).post(Delivery { id: ID, url: &url, body: body.clone(), keys: &keys() }).await;
    assert_eq!(outcome, Outcome::Delivered { status: 200 });
    assert_eq!(receiver.requests()[0].body, body.as_bytes());
}
