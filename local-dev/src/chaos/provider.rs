//! A model server that follows a script, speaks the wire formats of Ollama and Voyage AI, and remembers every call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    dice::Dice,
    script::{Reply, answer_text, provider_step},
    wire::{Exchange, Probe, Server},
};
use crate::host::PROCESS_ID;

/// The model that it offers.
pub(super) const MODEL: &str = "chaos:latest";
/// What the marker in the input of an execution or an embedding starts with; a digit sequence follows.
pub(super) const MARKER: &str = "run-";

/// A running provider. Dropping it stops it.
#[derive(Debug)]
pub(super) struct ScriptedProvider {
    server: Server,
    desk: Arc<Desk>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The marker of the execution or embedding; empty when the input has none.
    pub(super) marker: String,
    /// 1 for the first call with this marker.
    pub(super) number: u32,
    pub(super) kind: Kind,
    /// Which process called.
    pub(super) process: Option<u64>,
    pub(super) arrived: Instant,
    /// What the script says.
    pub(super) reply: Reply,
    pub(super) ending: Ending,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, for an execution.
    Text,
    /// A vector, for an embedding.
    Vector,
}

impl Kind {
    /// The function that makes such calls.
    pub(super) const fn caller(self) -> &'static str {
        match self {
            Self::Text => "job-execution",
            Self::Vector => "job-embedding",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Not yet.
    Open,
    /// With the scripted answer, whose first byte went out now.
    Answered(Instant),
    /// The client had hung up or died.
    Left(Instant),
}

/// What the calls have in common.
#[derive(Debug)]
struct Desk {
    dice: Dice,
    calls: Mutex<Calls>,
}

/// A call is open from when its request has been read until its answer begins to go out or its client is found gone.
/// Whoever arrives makes us look after all the others first, so that a killed client counts no longer than it lived.
#[derive(Debug, Default)]
struct Calls {
    all: Vec<Call>,
    open: BTreeMap<usize, Probe>,
    most_open: usize,
    numbers: BTreeMap<String, u32>,
}

impl ScriptedProvider {
    pub(super) async fn start(dice: Dice) -> Result<Self> {
        let desk = Arc::new(Desk { dice, calls: Mutex::default() });
        let at = desk.clone();
        let server = Server::start(move |exchange| serve(at.clone(), exchange)).await?;
        Ok(Self { server, desk })
    }

    /// Base URL for `OLLAMA_BASE_URL` and `VOYAGEAI_BASE_URL`; under it, every process calls at an address of its own.
    pub(super) fn url(&self) -> String {
        format!("{}/{PROCESS_ID}", self.server.url())
    }

    /// Every call so far in order of arrival.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.desk.lock().all.clone()
    }

    /// Whether somebody waits for an answer to this execution right now.
    pub(super) fn is_asked(&self, marker: &str) -> bool {
        let calls = self.desk.lock();
        calls.open.keys().any(|index| calls.all[*index].marker == marker)
    }

    /// The largest number of calls of executions that were open at once.
    pub(super) fn most_open(&self) -> usize {
        self.desk.lock().most_open
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    fn arrive(&mut self, dice: Dice, marker: String, kind: Kind, process: Option<u64>, probe: Probe) -> usize {
        let arrived = Instant::now();
        let gone: Vec<usize> =
            self.open.iter().filter(|(_, probe)| !probe.is_open()).map(|(index, _)| *index).collect();
        for index in gone {
            self.end(index, Ending::Left(arrived));
        }
        let number = self.numbers.entry(marker.clone()).or_default();
        *number += 1;
        let (number, index) = (*number, self.all.len());
        let reply = provider_step(dice, &marker, number).reply;
        self.all.push(Call { marker, number, kind, process, arrived, reply, ending: Ending::Open });
        self.open.insert(index, probe);
        let texts = self.open.keys().filter(|index| self.all[**index].kind == Kind::Text).count();
        self.most_open = self.most_open.max(texts);
        index
    }

    /// Closes a call, unless it is closed already; an answer for nobody is none. Tells whether the answer may go out.
    fn end(&mut self, index: usize, ending: Ending) -> bool {
        let Some(probe) = self.open.remove(&index) else { return false };
        let is_answered = matches!(ending, Ending::Answered(_)) && probe.is_open();
        self.all[index].ending = match ending {
            Ending::Answered(at) if !is_answered => Ending::Left(at),
            other => other,
        };
        is_answered
    }
}

async fn serve(desk: Arc<Desk>, exchange: Exchange) {
    let path = exchange.request.path.clone();
    let (process, path) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    match (exchange.request.method.as_str(), path) {
        ("GET", "api/tags") => exchange.answer(200, &[], &json!({"models": [{"name": MODEL}]}).to_string()).await,
        ("POST", "api/generate") => answer(&desk, Kind::Text, process.parse().ok(), exchange).await,
        ("POST", "v1/embeddings") => answer(&desk, Kind::Vector, process.parse().ok(), exchange).await,
        _ => exchange.answer(404, &[], r#"{"error": "not found"}"#).await,
    }
}

async fn answer(desk: &Desk, kind: Kind, process: Option<u64>, exchange: Exchange) {
    let Ok(probe) = exchange.probe() else { return };
    let marker = marker_in(&exchange.request.body);
    let (index, number) = {
        let mut calls = desk.lock();
        let index = calls.arrive(desk.dice, marker.clone(), kind, process, probe);
        (index, calls.all[index].number)
    };
    let step = provider_step(desk.dice, &marker, number);
    tokio::select! {
        () = exchange.until_left() => {
            desk.lock().end(index, Ending::Left(Instant::now()));
            return;
        }
        () = tokio::time::sleep(step.delay), if step.reply != Reply::Hang => {}
    }
    // Closed before the first byte: nobody can have read the answer and call again while this one still counts.
    if !desk.lock().end(index, Ending::Answered(Instant::now())) {
        return;
    }
    let good = match kind {
        Kind::Text => good_text(desk.dice, &marker, number).to_string(),
        Kind::Vector => good_vector(number).to_string(),
    };
    match step.reply {
        Reply::Good => exchange.answer(200, &[], &good).await,
        Reply::RateLimited { names_a_time } => {
            let headers: &[_] = if names_a_time { &[("retry-after", "1")] } else { &[] };
            exchange.answer(429, headers, r#"{"error": "too many requests"}"#).await;
        }
        Reply::ServerError => exchange.answer(500, &[], r#"{"error": "model runner has stopped"}"#).await,
        Reply::Truncated => exchange.break_off(&good).await,
        Reply::NotJson => exchange.answer(200, &[], "<html>Bad gateway</html>").await,
        Reply::Hang => {}
    }
}

/// A vector that tells to which call it was the answer.
fn good_vector(number: u32) -> Value {
    let data = json!([{"object": "embedding", "embedding": [number, 0.5], "index": 0}]);
    json!({"object": "list", "data": data, "model": "voyage-3.5", "usage": {"total_tokens": 7}})
}

fn good_text(dice: Dice, marker: &str, number: u32) -> Value {
    json!({
        "model": MODEL,
        "created_at": "2026-01-01T00:00:00Z",
        "response": answer_text(marker, number),
        "done": true,
        "done_reason": "stop",
        "prompt_eval_count": dice.throw(format_args!("input tokens of {marker} {number}"), 1..=900),
        "eval_count": dice.throw(format_args!("output tokens of {marker} {number}"), 1..=300),
    })
}

/// The marker in the prompt or the input of a request.
fn marker_in(body: &[u8]) -> String {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let prompt = request["prompt"].as_str().or(request["input"].as_str()).unwrap_or_default();
    let Some(start) = prompt.find(MARKER) else { return String::new() };
    let digits = prompt[start + MARKER.len()..].chars().take_while(char::is_ascii_digit);
    format!("{MARKER}{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Markers whose first call the script answers in this way.
    fn markers(dice: Dice, reply: Reply) -> impl Iterator<Item = String> {
        let markers = (0..).map(|number| format!("{MARKER}{number}"));
        markers.filter(move |marker| provider_step(dice, marker, 1).reply == reply)
    }

    async fn call(provider: &ScriptedProvider, process: u64, marker: &str) -> reqwest::Result<(u16, String)> {
        let http = shared_core::outbound::client(|builder| builder.no_proxy()).unwrap();
        let url = format!("{}/api/generate", provider.url().replace(PROCESS_ID, &process.to_string()));
        let body = json!({"model": MODEL, "prompt": format!("<task>\n{marker}; please\n</task>"), "stream": false});
        let answer = http.post(url).json(&body).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn follows_the_script_and_remembers_who_called() {
        let dice = Dice::new(1);
        let provider = ScriptedProvider::start(dice).await.unwrap();
        let first = |reply| markers(dice, reply).next().unwrap();
        let good = first(Reply::Good);
        let (status, text) = call(&provider, 7, &good).await.unwrap();
        assert_eq!(status, 200);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["response"], answer_text(&good, 1));
        assert_eq!(call(&provider, 8, &first(Reply::ServerError)).await.unwrap().0, 500);
        assert_eq!(call(&provider, 8, &first(Reply::RateLimited { names_a_time: true })).await.unwrap().0, 429);
        assert!(call(&provider, 8, &first(Reply::Truncated)).await.is_err());
        let (status, text) = call(&provider, 8, &first(Reply::NotJson)).await.unwrap();
        assert!(status == 200 && serde_json::from_str::<Value>(&text).is_err());
        let _ = call(&provider, 9, &good).await;

        let calls = provider.calls();
        let seen: Vec<_> = calls.iter().map(|call| (call.number, call.process)).collect();
        assert_eq!(seen, [(1, Some(7)), (1, Some(8)), (1, Some(8)), (1, Some(8)), (1, Some(8)), (2, Some(9))]);
        assert!(calls.iter().all(|call| matches!(call.ending, Ending::Answered(_))), "{calls:?}");
        assert_eq!(provider.most_open(), 1);
    }

    #[tokio::test]
    async fn counts_open_calls_and_forgets_clients_that_died() {
        let dice = Dice::new(2);
        let provider = Arc::new(ScriptedProvider::start(dice).await.unwrap());
        let mut waiting = vec![];
        for marker in markers(dice, Reply::Hang).take(3) {
            let provider = provider.clone();
            waiting.push(tokio::spawn(async move { call(&provider, 1, &marker).await }));
        }
        until(|| provider.calls().len() == 3).await;
        assert!(provider.is_asked(&provider.calls()[0].marker) && !provider.is_asked("run-x"));
        assert_eq!(provider.most_open(), 3);
        for client in &waiting {
            client.abort();
        }
        until(|| provider.calls().iter().all(|call| matches!(call.ending, Ending::Left(_)))).await;
        call(&provider, 2, &markers(dice, Reply::Good).next().unwrap()).await.unwrap();
        assert_eq!(provider.most_open(), 3, "the dead do not count");
    }

    #[test]
    fn a_prompt_names_its_execution() {
        let body = |prompt: &str| json!({ "prompt": prompt }).to_string();
        assert_eq!(marker_in(br#"{"input": "run-7"}"#), "run-7");
        assert_eq!(marker_in(body("<task>\nrun-00012; go\n</task>").as_bytes()), "run-00012");
        assert_eq!(marker_in(body("nothing").as_bytes()), "");
        assert_eq!(marker_in(b"garbage"), "");
    }
}
