//! Passwords: argon2id with today's parameters; hashes with older ones and imported bcrypt hashes are accepted once.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::secret::Secret;

/// 19 MiB, two passes, one lane: the first recommendation of the OWASP password storage guide.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash with our parameters of a password that nobody has. It stands in for the hash of accounts that do not exist or have
/// none, so that checking their passwords is the same work.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$bm9ib2R5IGhhcyBhIHBhc3N3b3JkIGxpa2UgdGhpcyE";

/// Passwords of at least eight characters that everybody tries first, in lower case and sorted.
const COMMON: &str = include_str!("common.txt");

/// What checking a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not this password.
    Wrong,
    /// The right password, stored as we store it.
    Right,
    /// The right password under an imported bcrypt hash or older parameters; store a new hash.
    RightButOutdated,
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within the limits")
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params())
}

/// Whether everybody tries this password first, in whatever letter case.
pub fn is_common(password: &str) -> bool {
    let password = password.to_lowercase();
    COMMON.lines().any(|common| common == password)
}

/// Hashes a password with a fresh salt; some ten milliseconds of work, so it runs where blocking is allowed.
pub async fn hash(password: Secret) -> String {
    blocking(move || {
        hasher().hash_password(password.reveal().as_bytes()).expect("hashing has no failing input").to_string()
    })
    .await
}

/// Checks a password. Without a stored hash it costs the same work and is always wrong, so that accounts cannot be told
/// apart by timing (defect A-10). Hashes are compared in constant time.
pub async fn verify(password: Secret, stored: Option<String>) -> Verdict {
    blocking(move || check(password.reveal(), stored.as_deref())).await
}

/// Runs exactly one password hash function, whatever is stored.
fn check(password: &str, stored: Option<&str>) -> Verdict {
    if let Some(imported) = stored.filter(|hash| hash.starts_with("$2")) {
        #[cfg(test)]
        tests::count_hash();
        let is_right = bcrypt::verify(password, imported).unwrap_or(false);
        return if is_right { Verdict::RightButOutdated } else { Verdict::Wrong };
    }
    let known = stored.and_then(|hash| PasswordHash::new(hash).ok());
    let decoy = || PasswordHash::new(DECOY).expect("the decoy is a hash");
    let (hash, is_known) = known.map_or_else(|| (decoy(), false), |hash| (hash, true));
    #[cfg(test)]
    tests::count_hash();
    let is_right = hasher().verify_password(password.as_bytes(), &hash).is_ok() && is_known;
    match is_right {
        false => Verdict::Wrong,
        true if is_current(&hash) => Verdict::Right,
        true => Verdict::RightButOutdated,
    }
}

/// Whether a hash was made as we make them now.
fn is_current(hash: &PasswordHash) -> bool {
    let is_ours = hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(Version::V0x13.into());
    let used = Params::try_from(hash).ok();
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    is_ours && used.is_some_and(|used| costs(&used) == costs(&params()))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("password hashing does not panic")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static HASHES: Cell<u32> = const { Cell::new(0) };
    }

    /// Counts the hash functions that run on this thread.
    pub(super) fn count_hash() {
        HASHES.set(HASHES.get() + 1);
    }

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

    #[test]
    fn whatever_is_stored_one_hash_function_runs() {
        let work_of = |stored: Option<&str>| {
            let before = HASHES.get();
            assert_eq!(check("nobody has a password like this!", stored), Verdict::Wrong);
            HASHES.get() - before
        };
        let imported = bcrypt::hash("battery staple", 4).unwrap();
        for stored in [None, Some(DECOY), Some("garbage"), Some(""), Some(&*imported), Some("$2b$garbage")] {
            if stored != Some(DECOY) {
                assert_eq!(work_of(stored), 1, "{stored:?}");
            }
        }
        assert!(is_current(&PasswordHash::new(DECOY).unwrap()), "the decoy is the work of a real hash");
    }

    #[test]
    fn hashes_with_older_parameters_are_to_be_replaced() {
        let made = |algorithm, memory, passes| {
            let older = Argon2::new(algorithm, Version::V0x13, Params::new(memory, passes, 1, None).unwrap());
            older.hash_password(b"correct horse").unwrap().to_string()
        };
        for (algorithm, memory, passes, verdict) in [
            (Algorithm::Argon2id, 1024, 2, Verdict::RightButOutdated),
            (Algorithm::Argon2id, MEMORY_KIB, 1, Verdict::RightButOutdated),
            (Algorithm::Argon2i, MEMORY_KIB, PASSES, Verdict::RightButOutdated),
            (Algorithm::Argon2id, MEMORY_KIB, PASSES, Verdict::Right),
        ] {
            let stored = made(algorithm, memory, passes);
            assert_eq!(check("correct horse", Some(&stored)), verdict, "{stored}");
            assert_eq!(check("wrong", Some(&stored)), Verdict::Wrong, "{stored}");
        }
    }

    /// The OWASP password storage guide: argon2id with at least 19 MiB, two passes and one lane.
    #[test]
    fn the_work_is_at_least_what_owasp_asks_for() {
        const { assert!(MEMORY_KIB >= 19 * 1024 && PASSES >= 2 && LANES >= 1) };
    }

    #[test]
    fn the_most_used_passwords_are_known() {
        for common in ["password", "PassWord123", "12345678", "qwertyuiop"] {
            assert!(is_common(common), "{common}");
        }
        assert!(!is_common("correct horse") && !is_common(""));
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() >= 8 && *line == line.to_lowercase()));
    }
}
