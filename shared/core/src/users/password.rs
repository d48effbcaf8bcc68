//! New passwords: people change their own, and admins hand out links to those who forgot theirs (defect A-22).

use super::{User, UserError, guessed, store};
use crate::{
    audit::{self, Action, View},
    db::{Db, DbError},
    documents::Document,
    instant::Timestamp,
    limits::{self, Limit, Take},
    passwords::{self, Verdict},
    secret::Secret,
    secrets::{digest, random_bytes},
};

/// How long a link is good for.
const RESET_SECONDS: i64 = 24 * 3600;
/// Wrong present passwords after which an account cannot change it for a while. A session that somebody else got hold of must
/// not help to guess the password, and sign-in is not locked by it.
const WRONG_PASSWORDS: Limit = Limit::new(10, std::time::Duration::from_secs(15 * 60));

/// A link with which a person sets a new password, once.
#[derive(Debug)]
pub struct PasswordReset {
    /// 64 hex digits, kept as a digest only.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Gives a person who knows the present password another one. It ends every session; the account that is given back is
/// the one to issue a new session for.
pub async fn change_password(
    db: &Db,
    user: Document<User>,
    present: Secret,
    new: Secret,
    now: Timestamp,
) -> Result<Document<User>, UserError> {
    let guess = Take::new("password", &user.id, 1, WRONG_PASSWORDS);
    limits::take(db, &guess, now).await?;
    let is_same = present == new;
    if passwords::verify(present, user.data.password_hash.clone()).await == Verdict::Wrong {
        return Err(UserError::WrongPassword);
    }
    if is_same {
        db.write(vec![guess.give_back()]).await?;
        return Err(UserError::SamePassword);
    }
    let data = with_password(user.data, new).await;
    let replace = store::replace(&user.id, &data, user.revision, now);
    let entry = audit::entry(Action::UserPasswordChanged).on(&user.id);
    match db.write(vec![replace, entry.record(), guess.give_back()]).await {
        Ok(_) => Ok(Document { data, revision: user.revision + 1, updated_at: now, ..user }),
        Err(DbError::Guard) => Err(UserError::Stale),
        Err(error) => Err(error.into()),
    }
}

/// Makes a link for an active account, in place of an earlier one. Nothing else changes before it is used. `take` is what the
/// admin who asks for it is allowed.
pub async fn open_reset(db: &Db, id: &str, take: &Take, now: Timestamp) -> Result<PasswordReset, UserError> {
    let token = Secret::new(hex::encode(random_bytes::<32>()));
    let expires_at = now.plus_seconds(RESET_SECONDS);
    limits::take(db, take, now).await?;
    let open = store::open_reset(id, &digest(token.reveal()), expires_at);
    let entry = audit::entry(Action::UserResetLinkCreated).on(id).after(View::new().keep("expiresAt", expires_at));
    match db.write(vec![open, entry.record()]).await {
        Ok(_) => Ok(PasswordReset { token, expires_at }),
        Err(DbError::Guard) if store::find(db, id).await?.is_some() => Err(UserError::NotActive),
        Err(DbError::Guard) => Err(UserError::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// Sets a password with the token of a link, which is used up. It ends every session, and a lock. `guess` is the attempt as the
/// limit of its network address counts it.
pub async fn reset_password(
    db: &Db,
    token: &Secret,
    password: Secret,
    guess: &Take,
    now: Timestamp,
) -> Result<User, UserError> {
    let find = store::by_reset(&digest(token.reveal()), now);
    let found = guessed(db, guess, find, now).await?.ok_or(UserError::InvalidReset)?;
    let data = with_password(found.data, password).await;
    let replace = store::replace(&found.id, &data, found.revision, now);
    let entry = audit::entry(Action::UserPasswordReset).on(&found.id);
    match db.write(vec![replace, store::unlock(&found.id), entry.record(), guess.give_back()]).await {
        Ok(_) => Ok(data),
        // Another call with the same token was faster, or an admin changed the account.
        Err(DbError::Guard) => Err(UserError::Stale),
        Err(error) => Err(error.into()),
    }
}

/// The account with another password, its sessions ended.
async fn with_password(user: User, password: Secret) -> User {
    let password_hash = Some(passwords::hash(password).await);
    User { password_hash, session_version: user.session_version + 1, ..user }
}
