//! What proves to a receiver that a webhook is ours and unchanged: the `X-Hypersigil-*` headers of the contract
//! (section 19) and, beside them, those of the Standard Webhooks specification.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD as BASE64},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{instant::Timestamp, secret::Secret};

/// What the secret of a destination begins with; base64 of the key follows.
pub(crate) const SECRET_PREFIX: &str = "whsec_";

/// Base64 with or without padding: both are in use for such secrets.
const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secrets that a webhook is signed with: one, or two while receivers change over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys {
    /// The secret in force.
    pub current: Secret,
    /// The one before it, while it is still valid.
    pub previous: Option<Secret>,
}

impl SigningKeys {
    /// One secret, which is not being changed.
    pub fn single(current: Secret) -> Self {
        Self { current, previous: None }
    }
}

/// The headers that sign a delivery: `id` is the same on all attempts, `now` the instant of this one.
pub fn signature_headers(keys: &SigningKeys, id: &str, body: &str, now: Timestamp) -> Vec<(&'static str, String)> {
    let both: Vec<&Secret> = std::iter::once(&keys.current).chain(&keys.previous).collect();
    let standard: Vec<String> = both.iter().map(|secret| standard_signature(secret, id, body, now)).collect();
    let mut headers = vec![
        ("x-hypersigil-webhook-id", id.to_owned()),
        ("x-hypersigil-timestamp", now.to_string()),
        ("x-hypersigil-signature", legacy_signature(&keys.current, id, body, now)),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", now.unix_seconds().to_string()),
        ("webhook-signature", standard.join(" ")),
    ];
    let previous = keys.previous.as_ref().map(|secret| legacy_signature(secret, id, body, now));
    headers.extend(previous.map(|signature| ("x-hypersigil-signature-previous", signature)));
    headers
}

/// `sha256=` and hex over timestamp, body and id, keyed with the text of the secret.
fn legacy_signature(secret: &Secret, id: &str, body: &str, now: Timestamp) -> String {
    let digest = hmac(secret.reveal().as_bytes(), &[&now.to_string(), body, id]);
    format!("sha256={}", hex::encode(digest))
}

/// `v1,` and base64 over id, timestamp in seconds and body, keyed with the bytes behind the secret.
fn standard_signature(secret: &Secret, id: &str, body: &str, now: Timestamp) -> String {
    let digest = hmac(&standard_key(secret), &[id, ".", &now.unix_seconds().to_string(), ".", body]);
    format!("v1,{}", BASE64.encode(digest))
}

/// The bytes that `whsec_...` stands for. A secret of another form, as an installation may have, is its own text.
fn standard_key(secret: &Secret) -> Vec<u8> {
    let decoded = secret.reveal().strip_prefix(SECRET_PREFIX).map(|encoded| LENIENT_BASE64.decode(encoded));
    match decoded {
        Some(Ok(bytes)) => bytes,
        _ => secret.reveal().as_bytes().to_vec(),
    }
}

fn hmac(key: &[u8], parts: &[&str]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(headers: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
        headers.iter().find(|(present, _)| *present == name).map(|(_, value)| value.as_str())
    }

    /// The check value of the contract, section 19.
    #[test]
    fn the_legacy_signature_is_the_one_of_the_contract() {
        let keys = SigningKeys::single(Secret::new("example-signing-key"));
        let now = "2026-01-31T09:15:00.042Z".parse().unwrap();
        let body = r#"{"event":"webhook.test","time":"2026-01-31T09:15:00.000Z"}"#;
        let headers = signature_headers(&keys, "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10", body, now);
        let expected = "sha256=276ab1b35658f32bf875f2275ad9dee782eb78d94b20ce167db0e01a3b8d8d73";
        assert_eq!(header(&headers, "x-hypersigil-signature"), Some(expected));
        assert_eq!(header(&headers, "x-hypersigil-timestamp"), Some("2026-01-31T09:15:00.042Z"));
        assert_eq!(header(&headers, "x-hypersigil-webhook-id"), Some("0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10"));
        assert_eq!(header(&headers, "x-hypersigil-signature-previous"), None);
    }

    /// The test vector that the Standard Webhooks specification publishes.
    #[test]
    fn the_standard_signature_is_the_one_of_the_specification() {
        let keys = SigningKeys::single(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let now: Timestamp = "2021-02-25T15:02:10.000Z".parse().unwrap();
        assert_eq!(now.unix_seconds(), 1_614_265_330);
        let headers = signature_headers(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#, now);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(header(&headers, "webhook-signature"), Some(expected));
        assert_eq!(header(&headers, "webhook-id"), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        assert_eq!(header(&headers, "webhook-timestamp"), Some("1614265330"));
    }

    #[test]
    fn both_secrets_sign_while_receivers_change_over() {
        let (new, old) = (Secret::new("whsec_AAAA"), Secret::new("whsec_BBBB"));
        let now = "2026-01-31T09:15:00.042Z".parse().unwrap();
        let signed = |keys: &SigningKeys| signature_headers(keys, "id", "{}", now);
        let with_new = signed(&SigningKeys::single(new.clone()));
        let with_old = signed(&SigningKeys::single(old.clone()));
        let with_both = signed(&SigningKeys { current: new, previous: Some(old) });

        let legacy = "x-hypersigil-signature";
        assert_eq!(header(&with_both, legacy), header(&with_new, legacy));
        assert_eq!(header(&with_both, "x-hypersigil-signature-previous"), header(&with_old, legacy));
        assert_ne!(header(&with_new, legacy), header(&with_old, legacy));
        let standard = |headers| header(headers, "webhook-signature").unwrap();
        assert_eq!(standard(&with_both), format!("{} {}", standard(&with_new), standard(&with_old)));
    }

    #[test]
    fn a_secret_that_is_not_base64_is_its_own_key() {
        let key = |secret: &str| standard_key(&Secret::new(secret));
        assert_eq!(key("whsec_AAEC"), [0, 1, 2]);
        assert_eq!((key("whsec_AAE="), key("whsec_AAE")), (vec![0, 1], vec![0, 1]));
        assert_eq!(key("AAEC"), b"AAEC");
        assert_eq!(key("whsec_not base64"), b"whsec_not base64");
    }
}
