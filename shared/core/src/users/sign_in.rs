//! Sign-in with a password: lock-out per account, throttling per network address (contract 2.6, defects ).

use super::{User, normalize_email, store};
use crate::{
    db::{Db, DbError},
    documents::Document,
    instant::Timestamp,
    limits::Take,
    passwords::{self, Verdict},
};

/// Failures in a row that lock an account.
const ACCOUNT_LIMIT: u32 = 5;
/// How long a lock holds.
const LOCK_SECONDS: i64 = 30 * 60;

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

/// Checks address and password and records the sign-in. `guess` is the attempt as the limit of its network address counts
/// it.
///
/// An attempt counts as failed, for its address and its account, before the slow password check, so parallel guesses
/// cannot slip past a lock; a success takes that back. Whether the account exists, is locked or has another password
/// makes no difference to the work that is done. Only a throttled address gets its answer without any, and whatever the account.
pub async fn sign_in(
    db: &Db,
    email: &str,
    password: String,
    guess: &Take,
    now: Timestamp,
) -> Result<Document<User>, SignInRefused> {
    let locked_until = now.plus_seconds(LOCK_SECONDS);
    let reserve = store::reserve_sign_in(&normalize_email(email), ACCOUNT_LIMIT, locked_until, now);
    let open = match db.write(vec![guess.statement(now), reserve]).await {
        Ok(answers) => Document::<User>::first(&answers[1])?,
        Err(DbError::Guard) => return Err(SignInRefused::BadCredentials),
        Err(error) => return Err(error.into()),
    };
    let stored_hash = open.as_ref().and_then(|user| user.data.password_hash.clone());
    let verdict = passwords::verify(password.clone(), stored_hash).await;
    match (open, verdict) {
        (Some(user), Verdict::Right) => {
            db.write(vec![store::record_sign_in(&user.id, now), guess.give_back()]).await?;
            Ok(user)
        }
        (Some(user), Verdict::RightButOutdated) => upgrade_hash(db, user, password, guess, now).await,
        (None, _) | (_, Verdict::Wrong) => Err(SignInRefused::BadCredentials),
    }
}

/// Signs in and replaces an imported hash or one with older parameters by one of ours.
async fn upgrade_hash(
    db: &Db,
    mut user: Document<User>,
    password: String,
    guess: &Take,
    now: Timestamp,
) -> Result<Document<User>, SignInRefused> {
    user.data.password_hash = Some(passwords::hash(password).await);
    let replace = store::replace(&user.id, &user.data, user.revision, now);
    let record = || vec![store::record_sign_in(&user.id, now), guess.give_back()];
    match db.write([vec![replace], record()].concat()).await {
        Ok(_) => Ok(user),
        // Somebody changed the account meanwhile; the upgrade can wait for the next sign-in.
        Err(DbError::Guard) => {
            db.write(record()).await?;
            Ok(user)
        }
        Err(error) => Err(error.into()),
    }
}
