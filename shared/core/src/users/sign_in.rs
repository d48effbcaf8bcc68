//! Sign-in with a password: lock-out per account, throttling per network address (contract 2.6, defects ).

use super::{User, UserStatus, normalize_email, store};
use crate::{
    audit::{self, Action, Actor},
    db::{Db, DbError, Statement},
    documents::Document,
    instant::Timestamp,
    passwords::{self, Verdict},
};

/// Failures in a row that lock an account.
const ACCOUNT_LIMIT: u32 = 5;
/// How long a lock holds.
const LOCK_SECONDS: i64 = 30 * 60;
/// Failures from one network address within [`WINDOW_SECONDS`] to twice that after which it is refused.
const ADDRESS_LIMIT: i64 = 100;
/// Length of one counting window.
const WINDOW_SECONDS: i64 = 15 * 60;

/// Why nobody was signed in. Clients get one answer for all of the first kind.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// Unknown address, wrong password, account not active or locked, too many failures from this address.
    #[error("wrong e-mail or password")]
    BadCredentials,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Checks address and password and records the sign-in.
///
/// An attempt is counted before the slow password check, so parallel guesses cannot slip past the lock; unknown
/// accounts cost the same time as known ones.
pub async fn sign_in(
    db: &Db,
    email: &str,
    password: String,
    address: &str,
    now: Timestamp,
) -> Result<Document<User>, SignInRefused> {
    let (found, failures) = store::find_for_sign_in(db, &normalize_email(email), address, window_before(now)).await?;
    let is_throttled = failures >= ADDRESS_LIMIT;
    let account_id = found.as_ref().map(|user| user.id.clone());
    let candidate = match found {
        Some(user) if !is_throttled && is_open(db, &user, now).await? => Some(user),
        _ => None,
    };
    let stored_hash = candidate.as_ref().and_then(|user| user.data.password_hash.clone());
    let verdict = passwords::verify(password.clone(), stored_hash).await;
    match (candidate, verdict) {
        (Some(user), Verdict::Right) => {
            db.write(signed_in(&user, now)).await?;
            Ok(user)
        }
        (Some(user), Verdict::RightButOutdated) => upgrade_hash(db, user, password, now).await,
        _ => {
            let mut writes = store::record_failure(address, window_of(now), window_before(now));
            // Whoever floods us with wrong passwords fills the log no further than to the limit.
            if !is_throttled {
                writes.push(failed_sign_in(account_id.as_deref()));
            }
            db.write(writes).await?;
            Err(SignInRefused::BadCredentials)
        }
    }
}

/// Records a successful sign-in.
fn signed_in(user: &Document<User>, now: Timestamp) -> Vec<Statement> {
    let actor = Actor::User { id: user.id.clone(), role: user.data.role };
    let entry = audit::entry(Action::UserSignedIn).by(actor).on(&user.id);
    vec![store::record_sign_in(&user.id, now), entry.record()]
}

/// An entry about a refusal. The address that was given may be anybody's, or a password; only an account that has it is
/// named.
fn failed_sign_in(account_id: Option<&str>) -> Statement {
    let entry = audit::entry(Action::UserSignInFailed);
    match account_id {
        Some(id) => entry.on(id).record(),
        None => entry.record(),
    }
}

/// Whether the account may try a password now; counts the attempt if so.
async fn is_open(db: &Db, user: &Document<User>, now: Timestamp) -> Result<bool, DbError> {
    if user.data.status != UserStatus::Active || user.data.password_hash.is_none() {
        return Ok(false);
    }
    let reserve = store::reserve_sign_in(&user.id, ACCOUNT_LIMIT, now.plus_seconds(LOCK_SECONDS), now);
    Ok(db.write(vec![reserve]).await?.first().is_some_and(|answer| answer.first().is_some()))
}

/// Signs in and replaces an imported hash by one of ours.
async fn upgrade_hash(
    db: &Db,
    mut user: Document<User>,
    password: String,
    now: Timestamp,
) -> Result<Document<User>, SignInRefused> {
    user.data.password_hash = Some(passwords::hash(password).await);
    let mut writes = vec![store::replace(&user.id, &user.data, user.revision, now)];
    writes.extend(signed_in(&user, now));
    match db.write(writes).await {
        Ok(_) => Ok(user),
        // Somebody changed the account meanwhile; the upgrade can wait for the next sign-in.
        Err(DbError::Guard) => {
            db.write(signed_in(&user, now)).await?;
            Ok(user)
        }
        Err(error) => Err(error.into()),
    }
}

fn window_of(now: Timestamp) -> Timestamp {
    now.plus_seconds(-now.unix_seconds().rem_euclid(WINDOW_SECONDS)).whole_second()
}

fn window_before(now: Timestamp) -> Timestamp {
    window_of(now).plus_seconds(-WINDOW_SECONDS)
}
