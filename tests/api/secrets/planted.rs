//! An installation in which secrets are planted, and a record of everything that comes out of it.

use serde_json::Value;
use shared_core::secrets::digest;
use shared_testing::vendor::FakeVendor;
use tests::{Answer, Call, CaughtLog, TestApp};

/// Where something that was planted may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nowhere but in the one answer that is there to show it: passwords, tokens, keys.
    Secret,
    /// In answers and in the database, but never in the log: what people write, what models answer, addresses of webhooks.
    Text,
}

/// Something that was planted.
#[derive(Debug, Clone)]
struct Marker {
    name: String,
    kind: Kind,
    /// Both halves, so that one that was cut is recognised, too, and the whole in the codes that are no protection.
    needles: Vec<String>,
}

impl Marker {
    fn new(name: &str, kind: Kind, text: &str) -> Self {
        use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
        let (first, second) = text.split_at(text.len() / 2);
        let encoded = [STANDARD_NO_PAD.encode(text), hex::encode(text)];
        Self {
            name: name.to_owned(),
            kind,
            needles: [first.to_owned(), second.to_owned()].into_iter().chain(encoded).collect(),
        }
    }

    fn is_in(&self, text: &str) -> bool {
        self.needles.iter().any(|needle| text.contains(needle))
    }
}

/// A text of 68 characters that stands nowhere else.
pub(crate) fn marker(name: &str) -> String {
    format!("mark{}", digest(name))
}

/// The installation, and what came out of it.
pub(crate) struct Planted {
    pub(crate) app: TestApp,
    log: CaughtLog,
    markers: Vec<Marker>,
    /// What was asked, and the whole answer.
    answers: Vec<(String, String)>,
    /// Servers that have to live as long.
    servers: Vec<FakeVendor>,
}

impl Planted {
    pub(crate) fn new(app: TestApp) -> Self {
        let log = CaughtLog::of_everything();
        Self { app, log, markers: Vec::new(), answers: Vec::new(), servers: Vec::new() }
    }

    pub(crate) fn keep(&mut self, server: FakeVendor) {
        self.servers.push(server);
    }

    /// Gives a secret that is planted from now on.
    pub(crate) fn secret(&mut self, name: &str) -> String {
        self.plant(name, Kind::Secret, marker(name))
    }

    /// Gives a text that is planted from now on.
    pub(crate) fn text(&mut self, name: &str) -> String {
        self.plant(name, Kind::Text, marker(name))
    }

    pub(crate) fn plant(&mut self, name: &str, kind: Kind, text: String) -> String {
        self.markers.push(Marker::new(name, kind, &text));
        text
    }

    /// Sends a request and records the answer.
    pub(crate) async fn send(&mut self, what: &str, call: Call) -> Answer {
        let answer = Box::pin(call.send()).await;
        self.answers.push((format!("{what} ({})", answer.status), whole(&answer)));
        answer
    }

    /// Sends a request whose answer shows fresh secrets, at these places of its data, and nothing else that is secret.
    pub(crate) async fn send_for(&mut self, what: &str, call: Call, places: &[&str]) -> (Value, Vec<String>) {
        let answer = Box::pin(call.send()).await;
        assert!(answer.status.is_success(), "{what}: {}", answer.text);
        let (data, mut text) = (answer.json()["data"].clone(), whole(&answer));
        let mut secrets = Vec::new();
        for place in places {
            let secret = data.pointer(place).and_then(Value::as_str).expect("a secret").to_owned();
            text = text.replacen(&format!("\"{secret}\""), "\"\"", 1);
            secrets.push(self.plant(&format!("{what} {place}"), Kind::Secret, secret));
        }
        self.answers.push((what.to_owned(), text));
        (data, secrets)
    }

    /// Looks for what was planted in everything that came out.
    pub(crate) fn outcome(self) -> Outcome {
        let (lines, stored, received) = (self.log.take(), self.app.stored_bytes(), self.app.receiver.requests());
        let mut outcome = Outcome { lines: lines.len(), stored: stored.len(), leaks: Vec::new() };
        for line in lines {
            outcome.search(&self.markers, true, &format!("log line {line}"), &line.to_string());
        }
        for (what, answer) in &self.answers {
            outcome.search(&self.markers, false, &format!("answer to {what}"), answer);
        }
        for request in received {
            let sent = format!("{} {:?} {:?}", request.query, request.headers, request.body);
            outcome.search(&self.markers, false, &format!("webhook to {}", request.path), &sent);
        }
        outcome.search(&self.markers, false, "database", &String::from_utf8_lossy(&stored));
        outcome
    }
}

/// What came out of an installation.
pub(crate) struct Outcome {
    /// How many lines were logged.
    pub(crate) lines: usize,
    /// How many bytes are stored.
    pub(crate) stored: usize,
    /// What was seen where it must not be.
    pub(crate) leaks: Vec<String>,
}

impl Outcome {
    fn search(&mut self, markers: &[Marker], is_log: bool, place: &str, text: &str) {
        for marker in markers.iter().filter(|marker| is_log || marker.kind == Kind::Secret) {
            if marker.is_in(text) {
                let shown: String = place.chars().take(400).collect();
                self.leaks.push(format!("{} in {shown}", marker.name));
            }
        }
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert!(self.leaks.is_empty(), "{} leaks:\n{}", self.leaks.len(), self.leaks.join("\n"));
    }
}

fn whole(answer: &Answer) -> String {
    format!("{:?} {}", answer.headers, answer.text)
}
