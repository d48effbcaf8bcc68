//! Session tokens: JWT, HS256, with `sub`, `iat`, `exp` and the account's session version `ver` (decision A-12).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use shared_core::{Document, Timestamp, config::SessionConfig, users::User};

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

/// Issues and checks session tokens.
#[derive(Clone)]
pub struct Sessions {
    encoding: EncodingKey,
    decoding: DecodingKey,
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
        let secret = config.secret.reveal().as_bytes();
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            max_age_seconds: i64::from(config.max_age_days) * SECONDS_PER_DAY,
        }
    }

    /// A token for this account.
    pub fn issue(&self, user: &Document<User>, now: Timestamp) -> String {
        let iat = now.unix_seconds();
        let claims =
            Claims { sub: user.id.clone(), iat, exp: iat + self.max_age_seconds, ver: user.data.session_version };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).expect("plain claims can be signed")
    }

    /// What a token says, if it is ours, not expired and not from the future.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked below against the given moment.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        let claims = decode::<Claims>(token, &self.decoding, &validation).ok()?.claims;
        let now = now.unix_seconds();
        (claims.exp > now && claims.iat <= now + CLOCK_SKEW_SECONDS).then_some(claims)
    }
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
        let key = EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
        let stronger = encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap();
        assert!(ours.verify(&stronger, now).is_none(), "another algorithm");
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImlhdCI6MCwiZXhwIjo5OTk5OTk5OTk5LCJ2ZXIiOjN9.";
        assert!(ours.verify(unsigned, now).is_none(), "no signature");
        for garbage in ["", "a.b.c", "....", "ü"] {
            assert!(ours.verify(garbage, now).is_none());
        }
    }
}
