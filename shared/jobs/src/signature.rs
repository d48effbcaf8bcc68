//! AWS Signature Version 4 of a POST to `/`, as the JSON protocols of AWS make it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use sha2::{Digest, Sha256};
use shared_core::{Timestamp, config::AwsConfig};

/// Signs requests to one server.
pub(crate) struct Signer<'a> {
    pub(crate) aws: &'a AwsConfig,
    /// How AWS calls the service.
    pub(crate) service: &'a str,
    /// The header `host`, see [`host`].
    pub(crate) host: &'a str,
}

/// The header `host` as HTTP clients send it: with the port, unless that is the scheme's own.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl Signer<'_> {
    /// The headers to send besides the given ones, whose names are in lower case.
    pub(crate) fn sign(&self, given: &[(&str, &str)], body: &[u8], now: Timestamp) -> Vec<(&'static str, String)> {
        let AwsConfig { region, access_key_id, secret_access_key, session_token, .. } = self.aws;
        let instant = compact(now);
        let day = &instant[..8];
        let mut added = vec![("x-amz-date", instant.clone())];
        added.extend(session_token.as_ref().map(|token| ("x-amz-security-token", token.reveal().to_owned())));

        let mut headers: Vec<(&str, &str)> = given.to_vec();
        headers.push(("host", self.host));
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        headers.sort_unstable();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let request = format!("POST\n/\n\n{lines}\n{names}\n{}", hex::encode(Sha256::digest(body)));

        let scope = format!("{day}/{region}/{}/aws4_request", self.service);
        let digest = hex::encode(Sha256::digest(request));
        let secret = format!("AWS4{}", secret_access_key.reveal());
        let steps =
            [day, region, self.service, "aws4_request", &format!("AWS4-HMAC-SHA256\n{instant}\n{scope}\n{digest}")];
        let signature = steps.iter().fold(secret.into_bytes(), |key, text| hmac(&key, text));
        let signature = hex::encode(signature);
        let credential = format!("{access_key_id}/{scope}");
        added.push((
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"),
        ));
        added
    }
}

/// As in `20150830T123600Z`.
fn compact(now: Timestamp) -> String {
    let digits: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).take(15).collect();
    format!("{digits}Z")
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use shared_core::Secret;

    use super::*;

    fn aws(session_token: Option<&str>) -> AwsConfig {
        AwsConfig {
            sqs_endpoint: None,
            region: "us-east-1".into(),
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: session_token.map(Secret::new),
        }
    }

    fn authorization(session_token: Option<&str>, given: &[(&str, &str)], body: &[u8]) -> String {
        let now = "2015-08-30T12:36:00.000Z".parse().unwrap();
        let aws = aws(session_token);
        let signer = Signer { aws: &aws, service: "service", host: "example.amazonaws.com" };
        let headers = signer.sign(given, body, now);
        headers.into_iter().find(|(name, _)| *name == "authorization").unwrap().1
    }

    /// `post-vanilla`, `post-header-key-sort` and `post-x-www-form-urlencoded` of AWS's test suite for the signature.
    #[test]
    fn signs_as_the_test_suite_of_aws_shows() {
        let vanilla = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                       SignedHeaders=host;x-amz-date, \
                       Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        assert_eq!(authorization(None, &[], b""), vanilla);
        for (given, body, signature) in [
            (("my-header1", "value1"), &b""[..], "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
            (
                ("content-type", "application/x-www-form-urlencoded"),
                b"Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let signed = authorization(None, &[given], body);
            assert!(signed.ends_with(signature), "{signed}");
        }
    }

    #[test]
    fn a_session_token_is_signed_and_sent() {
        let signed = authorization(Some("token"), &[], b"");
        assert!(signed.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"), "{signed}");
    }

    #[test]
    fn hosts_are_named_as_http_names_them() {
        for (url, expected) in [
            ("https://sqs.eu-central-1.amazonaws.com/1/a", "sqs.eu-central-1.amazonaws.com"),
            ("https://localhost:443/", "localhost"),
            ("http://127.0.0.1:4566/", "127.0.0.1:4566"),
        ] {
            assert_eq!(host(&Url::parse(url).unwrap()), expected);
        }
    }
}
