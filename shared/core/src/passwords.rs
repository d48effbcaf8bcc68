//! Passwords: argon2id for ours, bcrypt accepted once for imported accounts.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::secret::Secret;

/// 19 MiB, two passes, one lane: the first recommendation of the OWASP password storage guide.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What checking a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not this password.
    Wrong,
    /// The right password, stored as we store it.
    Right,
    /// The right password under an imported bcrypt hash; store a new hash.
    RightButOutdated,
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within the limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password with a fresh salt; some ten milliseconds of work, so it runs where blocking is allowed.
pub async fn hash(password: Secret) -> String {
    blocking(move || {
        hasher().hash_password(password.reveal().as_bytes()).expect("hashing has no failing input").to_string()
    })
    .await
}

/// Checks a password. `None` as stored hash costs the same time and is always wrong, so that accounts cannot be told
/// apart by timing (defect A-10).
pub async fn verify(password: Secret, stored: Option<String>) -> Verdict {
    blocking(move || match stored {
        Some(hash) if hash.starts_with("$2") => {
            if bcrypt::verify(password.reveal(), &hash).unwrap_or(false) {
                Verdict::RightButOutdated
            } else {
                Verdict::Wrong
            }
        }
        Some(hash) => match PasswordHash::new(&hash) {
            Ok(parsed) if hasher().verify_password(password.reveal().as_bytes(), &parsed).is_ok() => Verdict::Right,
            _ => Verdict::Wrong,
        },
        None => {
            let _spent = hasher().hash_password(password.reveal().as_bytes());
            Verdict::Wrong
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("password hashing does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn knows_its_own_hashes_and_imported_ones() {
        let stored = hash("correct horse".into()).await;
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify("correct horse".into(), Some(stored.clone())).await, Verdict::Right);
        assert_eq!(verify("wrong".into(), Some(stored)).await, Verdict::Wrong);

        let imported = bcrypt::hash("battery staple", 4).unwrap();
        assert_eq!(verify("battery staple".into(), Some(imported.clone())).await, Verdict::RightButOutdated);
        assert_eq!(verify("wrong".into(), Some(imported)).await, Verdict::Wrong);

        assert_eq!(verify("anything".into(), None).await, Verdict::Wrong);
        assert_eq!(verify("anything".into(), Some("garbage".into())).await, Verdict::Wrong);
    }
}
