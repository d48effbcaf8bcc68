//! Session tokens: JWT, HS256, with `sub`, `iat`, `exp` and the account's session version `ver` (decision A-12).
//!
//! One algorithm and four claims are an HMAC and some base64, for which no library is needed: those that know all of JWT
//! bring RSA and elliptic curves along.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use shared_core::{Document, Timestamp, config::SessionConfig, users::User};

/// The only algorithm that is issued and accepted.
const ALGORITHM: &str = "HS256";
const SECONDS_PER_DAY: i64 = 86_400;
/// How far the clocks of two machines may differ.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Id of the account.
    pub sub: String,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Expires at, seconds since 1970.
    pub exp: i64,
    /// Session version of the account when the token was issued.
    pub ver: u64,
}

/// The first part of a token.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(default)]
    typ: String,
    alg: String,
}

/// Issues and checks session tokens.
#[derive(Clone)]
pub struct Sessions {
    /// Has the key already.
    hmac: Hmac<Sha256>,
    max_age_seconds: i64,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("max_age_seconds", &self.max_age_seconds).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Tokens signed with the configured secret.
    pub fn new(config: &SessionConfig) -> Self {
        Self {
            hmac: keyed(config.secret.reveal().as_bytes()),
            max_age_seconds: i64::from(config.max_age_days) * SECONDS_PER_DAY,
        }
    }

    /// A token for this account.
    pub fn issue(&self, user: &Document<User>, now: Timestamp) -> String {
        let iat = now.unix_seconds();
        let claims =
            Claims { sub: user.id.clone(), iat, exp: iat + self.max_age_seconds, ver: user.data.session_version };
        let head = Head { typ: "JWT".to_owned(), alg: ALGORITHM.to_owned() };
        let signed = format!("{}.{}", encode(&head), encode(&claims));
        let signature = BASE64.encode(self.hmac_of(&signed).finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    /// What a token says, if it is ours, not expired and not from the future.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        self.hmac_of(signed).verify_slice(&BASE64.decode(signature).ok()?).ok()?;
        let (head, claims) = signed.split_once('.')?;
        decode::<Head>(head).filter(|head| head.alg == ALGORITHM)?;
        let claims: Claims = decode(claims)?;
        let now = now.unix_seconds();
        (claims.exp > now && claims.iat <= now + CLOCK_SKEW_SECONDS).then_some(claims)
    }

    fn hmac_of(&self, signed: &str) -> Hmac<Sha256> {
        self.hmac.clone().chain_update(signed)
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn encode(part: &impl Serialize) -> String {
    BASE64.encode(serde_json::to_vec(part).expect("plain members can be written as JSON"))
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use shared_core::{
        config::Secret,
        users::{Role, UserStatus},
    };

    use super::*;

    fn sessions(secret: &str) -> Sessions {
        Sessions::new(&SessionConfig { secret: Secret::new(secret), max_age_days: 30 })
    }

    fn user() -> Document<User> {
        let data = User {
            email: "ada@example.com".into(),
            name: "Ada".into(),
            role: Role::Admin,
            status: UserStatus::Active,
            password_hash: None,
            session_version: 3,
            invitation: None,
            invited_by: None,
            profile: None,
        };
        let now = Timestamp::now();
        Document { id: "u1".into(), data, revision: 0, created_at: now, updated_at: now }
    }

    #[test]
    fn accepts_its_own_tokens_for_their_lifetime_only() {
        let (sessions, now) = (sessions("0123456789abcdef0123456789abcdef"), Timestamp::now());
        let token = sessions.issue(&user(), now);
        assert!(!token.contains([' ', ';', ',']), "cookie-safe");
        let claims = sessions.verify(&token, now).unwrap();
        assert_eq!((claims.sub.as_str(), claims.ver), ("u1", 3));
        assert!(sessions.verify(&token, now.plus_seconds(30 * SECONDS_PER_DAY - 1)).is_some());
        assert!(sessions.verify(&token, now.plus_seconds(30 * SECONDS_PER_DAY)).is_none(), "expired");
        assert!(sessions.verify(&token, now.plus_seconds(-120)).is_none(), "from the future");
    }

    #[test]
    fn refuses_foreign_keys_and_algorithms() {
        let now = Timestamp::now();
        let ours = sessions("0123456789abcdef0123456789abcdef");
        let foreign = sessions("another secret, just as long as ours");
        assert!(ours.verify(&foreign.issue(&user(), now), now).is_none());
        let claims = Claims { sub: "u1".into(), iat: 0, exp: i64::MAX / 2, ver: 3 };
        let with_head = |typ: &str, alg: &str| {
            let signed = format!("{}.{}", encode(&Head { typ: typ.into(), alg: alg.into() }), encode(&claims));
            format!("{signed}.{}", BASE64.encode(ours.hmac_of(&signed).finalize().into_bytes()))
        };
        assert_eq!(ours.verify(&with_head("", "HS256"), now).as_ref(), Some(&claims), "ours, whoever wrote it");
        for other in ["HS512", "none", "RS256", "hs256"] {
            assert!(ours.verify(&with_head("JWT", other), now).is_none(), "{other}");
        }
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImlhdCI6MCwiZXhwIjo5OTk5OTk5OTk5LCJ2ZXIiOjN9.";
        assert!(ours.verify(unsigned, now).is_none(), "no signature");
        for garbage in ["", "a.b.c", "....", "ü"] {
            assert!(ours.verify(garbage, now).is_none());
        }
    }

    /// RFC 7515, appendix A.1.
    #[test]
    fn signs_as_the_standard_shows() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                      Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let sessions = Sessions { hmac: keyed(&BASE64.decode(key).unwrap()), max_age_seconds: 0 };
        let signature = BASE64.encode(sessions.hmac_of(signed).finalize().into_bytes());
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
