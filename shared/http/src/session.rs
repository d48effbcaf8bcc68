//! Session tokens: JWT, HS256, with `sub`, `iat`, `exp` and the account's session version `ver` (decision A-12).

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use shared_core::{Document, Secret, Timestamp, config::SessionConfig, users::User};

use crate::hs256::{self, ALGORITHM};

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
pub struct Sessions {
    /// Of the key that signs.
    encoding: EncodingKey,
    /// Of every key that is accepted, the one that signs first.
    decoding: Vec<DecodingKey>,
    validation: Validation,
    max_age_seconds: i64,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("max_age_seconds", &self.max_age_seconds).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Tokens signed with the first of the configured keys.
    pub fn new(config: &SessionConfig) -> Self {
        hs256::install();
        let mut validation = Validation::new(ALGORITHM);
        // `verify` checks it, against the moment that it is given.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(config.keys.first().reveal().as_bytes()),
            decoding: config.keys.iter().map(|key| DecodingKey::from_secret(key.reveal().as_bytes())).collect(),
            validation,
            max_age_seconds: i64::from(config.max_age_days) * SECONDS_PER_DAY,
        }
    }

    /// A token for this account.
    pub fn issue(&self, user: &Document<User>, now: Timestamp) -> Secret {
        let iat = now.unix_seconds();
        let claims =
            Claims { sub: user.id.clone(), iat, exp: iat + self.max_age_seconds, ver: user.data.session_version };
        let token = encode(&Header::new(ALGORITHM), &claims, &self.encoding);
        Secret::new(token.expect("plain claims can be signed"))
    }

    /// What a token says, if it is ours, not expired and not from the future. Tokens do not name their key: while one is
    /// being replaced, checking a second signature costs some microseconds.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let mut decoded = self.decoding.iter().map(|key| decode::<Claims>(token, key, &self.validation));
        let claims = decoded.find_map(Result::ok)?.claims;
        let now = now.unix_seconds();
        (claims.exp > now && claims.iat <= now + CLOCK_SKEW_SECONDS).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use shared_core::{
        secret::KeyRing,
        users::{Role, UserStatus},
    };

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const NEXT_KEY: &str = "another secret, just as long as ours";

    fn sessions(key: &str) -> Sessions {
        sessions_of(key, &[])
    }

    fn sessions_of(first: &str, others: &[&str]) -> Sessions {
        let others = others.iter().map(|key| Secret::from(*key)).collect();
        Sessions::new(&SessionConfig { keys: KeyRing::new(first.into(), others), max_age_days: 30 })
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
        let (sessions, now) = (sessions(KEY), Timestamp::now());
        let token = sessions.issue(&user(), now);
        let token = token.reveal();
        assert!(!token.contains([' ', ';', ',']), "cookie-safe");
        let claims = sessions.verify(token, now).unwrap();
        assert_eq!((claims.sub.as_str(), claims.ver), ("u1", 3));
        assert!(sessions.verify(token, now.plus_seconds(30 * SECONDS_PER_DAY - 1)).is_some());
        assert!(sessions.verify(token, now.plus_seconds(30 * SECONDS_PER_DAY)).is_none(), "expired");
        assert!(sessions.verify(token, now.plus_seconds(-120)).is_none(), "from the future");
    }

    #[test]
    fn a_key_is_replaced_without_ending_sessions() {
        let now = Timestamp::now();
        let (old, new) = (sessions(KEY), sessions(NEXT_KEY));
        let (learning, changing) = (sessions_of(KEY, &[NEXT_KEY]), sessions_of(NEXT_KEY, &[KEY]));
        let tokens = [&old, &learning, &changing, &new].map(|sessions| sessions.issue(&user(), now));
        let accepts =
            |sessions: &Sessions| tokens.each_ref().map(|token| sessions.verify(token.reveal(), now).is_some());
        assert_eq!(accepts(&old), [true, true, false, false]);
        assert_eq!(accepts(&learning), [true; 4]);
        assert_eq!(accepts(&changing), [true; 4]);
        assert_eq!(accepts(&new), [false, false, true, true]);
    }

    #[test]
    fn refuses_foreign_keys_and_algorithms() {
        let now = Timestamp::now();
        let ours = sessions(KEY);
        let foreign = sessions(NEXT_KEY);
        assert!(ours.verify(foreign.issue(&user(), now).reveal(), now).is_none());
        let claims = Claims { sub: "u1".into(), iat: 0, exp: i64::MAX / 2, ver: 3 };
        let key = EncodingKey::from_secret(KEY.as_bytes());
        let with_head = |head: &str| {
            let [head, claims] =
                [head.to_owned(), serde_json::to_string(&claims).unwrap()].map(|part| BASE64.encode(part));
            let signed = format!("{head}.{claims}");
            format!("{signed}.{}", jsonwebtoken::crypto::sign(signed.as_bytes(), &key, ALGORITHM).unwrap())
        };
        assert_eq!(
            ours.verify(&with_head(r#"{"alg":"HS256"}"#), now).as_ref(),
            Some(&claims),
            "ours, whoever wrote it"
        );
        for other in ["HS512", "none", "RS256", "hs256"] {
            assert!(ours.verify(&with_head(&format!(r#"{{"typ":"JWT","alg":"{other}"}}"#)), now).is_none(), "{other}");
        }
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImlhdCI6MCwiZXhwIjo5OTk5OTk5OTk5LCJ2ZXIiOjN9.";
        assert!(ours.verify(unsigned, now).is_none(), "no signature");
        for garbage in ["", "a.b.c", "....", "ü"] {
            assert!(ours.verify(garbage, now).is_none());
        }
    }
}
