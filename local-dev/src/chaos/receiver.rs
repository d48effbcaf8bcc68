//! Destinations of webhooks that fail now and then, check every signature and remember every delivery.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use serde_json::Value;
use shared_core::Timestamp;

use super::{
    dice::Dice,
    script::{Reception, reception},
    signature,
    wire::{Exchange, Server},
};

/// A running receiver. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Receiver {
    server: Server,
    desk: Arc<Desk>,
}

/// One attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    /// Id of the destination's setting; empty when nobody knows it.
    pub(super) destination: String,
    /// The delivery's id, which must be the same for every attempt.
    pub(super) id: String,
    /// What the body tells.
    pub(super) execution: String,
    pub(super) status: String,
    /// What is wrong with its headers or its body.
    pub(super) problems: Vec<String>,
    /// Whether the answer was a 2xx.
    pub(super) is_accepted: bool,
}

#[derive(Debug)]
struct Desk {
    dice: Dice,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// By number in the address.
    destinations: BTreeMap<usize, Destination>,
    deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone)]
struct Destination {
    id: String,
    secret: String,
    arrivals: u64,
}

impl Receiver {
    pub(super) async fn start(dice: Dice) -> Result<Self> {
        let desk = Arc::new(Desk { dice, ledger: Mutex::default() });
        let at = desk.clone();
        let server = Server::start(move |exchange| serve(at.clone(), exchange)).await?;
        Ok(Self { server, desk })
    }

    /// Where destination `number` takes deliveries.
    pub(super) fn url(&self, number: usize) -> String {
        format!("{}/hooks/{number}", self.server.url())
    }

    /// Tells which setting the destination belongs to, and how its deliveries are signed.
    pub(super) fn expect(&self, number: usize, id: &str, secret: &str) {
        let destination = Destination { id: id.to_owned(), secret: secret.to_owned(), arrivals: 0 };
        self.desk.lock().destinations.insert(number, destination);
    }

    /// Every attempt so far in order of arrival.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.desk.lock().deliveries.clone()
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on an attempt and notes it.
    fn receive(&self, exchange: &Exchange) -> Reception {
        let request = &exchange.request;
        let mut ledger = self.lock();
        let number = request.path.strip_prefix("/hooks/").and_then(|number| number.parse().ok());
        let known = number.and_then(|number| Some((number, ledger.destinations.get_mut(&number)?)));
        let (reception, destination, mut problems) = match known {
            Some((number, destination)) => {
                destination.arrivals += 1;
                let reception = reception(self.dice, number, destination.arrivals);
                let problems = signature::problems(request, &destination.secret, Timestamp::now());
                (reception, destination.id.clone(), problems)
            }
            None => (Reception::Accepted, String::new(), vec![format!("nobody expects {}", request.path)]),
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if request.method != "POST" || body["event"] != "webhook.deployment.execution" {
            problems.push(format!("{} with the event {}", request.method, body["event"]));
        }
        ledger.deliveries.push(Delivery {
            destination,
            id: request.header("webhook-id").unwrap_or_default().to_owned(),
            execution: text(&body["executionId"]),
            status: text(&body["status"]),
            problems,
            is_accepted: reception == Reception::Accepted,
        });
        reception
    }
}

async fn serve(desk: Arc<Desk>, exchange: Exchange) {
    match desk.receive(&exchange) {
        Reception::Accepted => exchange.answer(204, &[], "").await,
        Reception::ServerError => exchange.answer(500, &[], "").await,
        Reception::RateLimited => exchange.answer(429, &[("retry-after", "1")], "").await,
        Reception::HungUp => {}
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
    use hmac::{Hmac, KeyInit, Mac};
    use serde_json::json;
    use sha2::Sha256;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn sign(key: &[u8], text: &str) -> Vec<u8> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        hmac.update(text.as_bytes());
        hmac.finalize().into_bytes().to_vec()
    }

    /// Sends as our function should, with the given key.
    async fn send(url: &str, key: &str, id: &str) -> reqwest::Result<u16> {
        let now = Timestamp::now();
        let body =
            json!({"event": "webhook.deployment.execution", "executionId": "e", "status": "completed"}).to_string();
        let own = format!("sha256={}", hex::encode(sign(key.as_bytes(), &format!("{now}{body}{id}"))));
        let seconds = now.unix_seconds();
        let key = BASE64.decode(key.trim_start_matches("whsec_")).unwrap();
        let standard = format!("v1,{}", BASE64.encode(sign(&key, &format!("{id}.{seconds}.{body}"))));
        let http = shared_core::outbound::client(|builder| builder.no_proxy()).unwrap();
        let request = http.post(url).header("x-hypersigil-webhook-id", id).header("webhook-id", id);
        let request = request.header("x-hypersigil-timestamp", now.to_string()).header("webhook-timestamp", seconds);
        let request = request.header("x-hypersigil-signature", own).header("webhook-signature", standard);
        Ok(request.body(body).send().await?.status().as_u16())
    }

    #[tokio::test]
    async fn notes_every_attempt_with_what_is_wrong_about_it() {
        let dice = Dice::new(1);
        let receiver = Receiver::start(dice).await.unwrap();
        receiver.expect(3, "setting", SECRET);
        let url = receiver.url(3);
        let mut expected = vec![];
        for arrival in 1..=40 {
            let sent = send(&url, SECRET, &format!("job-{arrival}")).await;
            let scripted = match reception(dice, 3, arrival) {
                Reception::Accepted => Some(204),
                Reception::ServerError => Some(500),
                Reception::RateLimited => Some(429),
                Reception::HungUp => None,
            };
            assert_eq!(sent.ok(), scripted);
            expected.push(scripted == Some(204));
        }
        let deliveries = receiver.deliveries();
        assert!(expected.contains(&false), "the script does fail now and then");
        assert_eq!(deliveries.iter().map(|delivery| delivery.is_accepted).collect::<Vec<_>>(), expected);
        let first = Delivery {
            destination: "setting".to_owned(),
            id: "job-1".to_owned(),
            execution: "e".to_owned(),
            status: "completed".to_owned(),
            problems: vec![],
            is_accepted: expected[0],
        };
        assert_eq!(deliveries[0], first);
        assert!(deliveries.iter().all(|delivery| delivery.problems.is_empty()), "{deliveries:?}");
    }

    #[tokio::test]
    async fn a_wrong_key_and_an_unknown_destination_are_noticed() {
        let receiver = Receiver::start(Dice::new(1)).await.unwrap();
        receiver.expect(1, "setting", SECRET);
        let _ = send(&receiver.url(1), "whsec_AAAA", "job").await;
        let _ = send(&receiver.url(2), SECRET, "job").await;
        let deliveries = receiver.deliveries();
        assert_eq!(deliveries[0].problems.len(), 2, "{deliveries:?}");
        assert_eq!((deliveries[1].destination.as_str(), deliveries[1].problems.len()), ("", 1));
    }
}
