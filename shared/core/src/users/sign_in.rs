//! Sign-in with a password: lock-out per account, throttling per network address (contract 2.6, defects ).

use super::{User, normalize_email, store};
use crate::{
    audit::{self, Action, Actor},
    db::{Db, DbError, Row, Statement},
    documents::Document,
    instant::Timestamp,
    limits::Take,
    passwords::{self, Verdict},
    secret::Secret,
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
    password: Secret,
    guess: &Take,
    now: Timestamp,
) -> Result<Document<User>, SignInRefused> {
    let (email, locked_until) = (normalize_email(email), now.plus_seconds(LOCK_SECONDS));
    let reserve = store::reserve_sign_in(&email, ACCOUNT_LIMIT, locked_until, now);
    let (open, account_id) = match db.write(vec![guess.statement(now), reserve, store::id_of(&email)]).await {
        Ok(answers) => {
            let id = answers[2].first().map(|row: &Row| row.get::<String>("id")).transpose()?;
            (Document::<User>::first(&answers[1])?, id)
        }
        // Whoever floods us with wrong passwords fills the log no further than to the limit.
        Err(DbError::Guard) => return Err(SignInRefused::BadCredentials),
        Err(error) => return Err(error.into()),
    };
    let stored_hash = open.as_ref().and_then(|user| user.data.password_hash.clone());
    let verdict = passwords::verify(password.clone(), stored_hash).await;
    match (open, verdict) {
        (Some(user), Verdict::Right) => {
            db.write(signed_in(&user, guess, now)).await?;
            Ok(user)
        }
        (Some(user), Verdict::RightButOutdated) => upgrade_hash(db, user, password, guess, now).await,
        (None, _) | (_, Verdict::Wrong) => {
            db.write(vec![failed_sign_in(account_id.as_deref())]).await?;
            Err(SignInRefused::BadCredentials)
        }
    }
}

/// Records a successful sign-in, which was no guess.
fn signed_in(user: &Document<User>, guess: &Take, now: Timestamp) -> Vec<Statement> {
    let actor = Actor::User { id: user.id.clone(), role: user.data.role };
    let entry = audit::entry(Action::UserSignedIn).by(actor).on(&user.id);
    vec![store::record_sign_in(&user.id, now), entry.record(), guess.give_back()]
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

/// Signs in and replaces an imported hash or one with older parameters by one of ours.
async fn upgrade_hash(
    db: &Db,
    mut user: Document<User>,
    password: Secret,
    guess: &Take,
    now: Timestamp,
) -> Result<Document<User>, SignInRefused> {
    user.data.password_hash = Some(passwords::hash(password).await);
    let mut writes = vec![store::replace(&user.id, &user.data, user.revision, now)];
    writes.extend(signed_in(&user, guess, now));
    match db.write(writes).await {
        Ok(_) => Ok(user),
        // Somebody changed the account meanwhile; the upgrade can wait for the next sign-in.
        Err(DbError::Guard) => {
            db.write(signed_in(&user, guess, now)).await?;
            Ok(user)
        }
        Err(error) => Err(error.into()),
    }
}
