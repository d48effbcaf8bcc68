//! Checks what a receiver of webhooks would check, written from the two specifications and not from our sender.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared_core::Timestamp;

use super::wire::Request;

/// How far the sender's clock may be from ours: the tolerance of most Standard Webhooks libraries.
const TOLERANCE_SECONDS: u64 = 300;

/// What is wrong with the headers of a delivery, one sentence each.
pub(super) fn problems(request: &Request, secret: &str, now: Timestamp) -> Vec<String> {
    let mut problems = vec![];
    problems.extend(own_headers(request, secret, now).err());
    problems.extend(standard_headers(request, secret, now).err());
    let ids: BTreeSet<_> = [request.header("x-hypersigil-webhook-id"), request.header("webhook-id")].into();
    if ids.len() > 1 {
        problems.push("the two ids differ".to_owned());
    }
    problems
}

/// `X-Hypersigil-*`: the secret's text signs timestamp, body and id without separators.
fn own_headers(request: &Request, secret: &str, now: Timestamp) -> Result<(), String> {
    let id = header(request, "x-hypersigil-webhook-id")?;
    let time = header(request, "x-hypersigil-timestamp")?;
    let signature = header(request, "x-hypersigil-signature")?;
    let sent: Timestamp = time.parse().map_err(|_| format!("X-Hypersigil-Timestamp is no instant: {time}"))?;
    check_age(sent.unix_seconds(), now)?;
    let expected = hex::encode(sign(secret.as_bytes(), &[time.as_bytes(), &request.body, id.as_bytes()]));
    match signature.strip_prefix("sha256=") {
        Some(given) if given == expected => Ok(()),
        _ => Err(format!("X-Hypersigil-Signature is {signature} instead of sha256={expected}")),
    }
}

/// [Standard Webhooks](https://www.standardwebhooks.com): the secret's bytes sign id, timestamp and body with dots between.
fn standard_headers(request: &Request, secret: &str, now: Timestamp) -> Result<(), String> {
    let id = header(request, "webhook-id")?;
    let time = header(request, "webhook-timestamp")?;
    let signatures = header(request, "webhook-signature")?;
    check_age(time.parse().map_err(|_| format!("webhook-timestamp is no number: {time}"))?, now)?;
    let key = secret.strip_prefix("whsec_").and_then(|key| BASE64.decode(key).ok());
    let key = key.ok_or("the destination's secret is not of the specified form")?;
    let expected = BASE64.encode(sign(&key, &[id.as_bytes(), b".", time.as_bytes(), b".", &request.body]));
    let mut given = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
    if given.any(|signature| signature == expected) {
        return Ok(());
    }
    Err(format!("webhook-signature {signatures} does not hold v1,{expected}"))
}

fn header<'a>(request: &'a Request, name: &str) -> Result<&'a str, String> {
    request.header(name).ok_or_else(|| format!("{name} is missing"))
}

fn check_age(sent: i64, now: Timestamp) -> Result<(), String> {
    let age = now.unix_seconds() - sent;
    if age.unsigned_abs() <= TOLERANCE_SECONDS { Ok(()) } else { Err(format!("the timestamp is {age} s old")) }
}

fn sign(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"event":"webhook.test","time":"2026-01-31T09:15:00.000Z"}"#;
    const ID: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
    const TIME: &str = "2026-01-31T09:15:00.042Z";

    fn request(headers: &[(&str, &str)], body: &str) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { headers, body: body.as_bytes().to_vec(), ..Request::default() }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// The check value of the contract's section on webhooks.
    #[test]
    fn accepts_the_known_signature_of_our_own_headers() {
        let signature = "sha256=276ab1b35658f32bf875f2275ad9dee782eb78d94b20ce167db0e01a3b8d8d73";
        let headers =
            [("x-hypersigil-webhook-id", ID), ("x-hypersigil-timestamp", TIME), ("x-hypersigil-signature", signature)];
        let now = at("2026-01-31T09:16:00.000Z");
        assert_eq!(own_headers(&request(&headers, BODY), "example-signing-key", now), Ok(()));
        assert!(own_headers(&request(&headers, "{}"), "example-signing-key", now).is_err());
        assert!(own_headers(&request(&headers, BODY), "another key", now).is_err());
        assert!(own_headers(&request(&headers[1..], BODY), "example-signing-key", now).is_err());
        let late = at("2026-01-31T10:15:00.000Z");
        assert!(own_headers(&request(&headers, BODY), "example-signing-key", late).is_err());
    }

    /// The test vector of the Standard Webhooks libraries.
    #[test]
    fn accepts_the_known_signature_of_standard_webhooks() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let now = at("2021-02-25T16:41:10.000Z");
        let body = r#"{"test": 2432232314}"#;
        let with = |signature: &'static str| {
            let id = ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
            request(&[id, ("webhook-timestamp", "1614265330"), ("webhook-signature", signature)], body)
        };
        let good = with("v1,b2xk v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(standard_headers(&good, secret, at("2021-02-25T15:02:10.000Z")), Ok(()));
        assert!(standard_headers(&good, secret, now).is_err(), "too old");
        let bad = with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=");
        assert!(standard_headers(&bad, secret, at("2021-02-25T15:02:10.000Z")).is_err());
        assert!(standard_headers(&good, "whsec_AAAA", at("2021-02-25T15:02:10.000Z")).is_err());
        assert!(standard_headers(&good, "plain", at("2021-02-25T15:02:10.000Z")).is_err());
    }

    #[test]
    fn both_kinds_of_headers_must_be_there_and_agree() {
        let found = problems(&request(&[("x-hypersigil-webhook-id", "a"), ("webhook-id", "b")], BODY), "x", at(TIME));
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
