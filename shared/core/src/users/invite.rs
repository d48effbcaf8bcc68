//! Invitations as admins make and tidy them (contract 4, decision A-04).

use super::{Invitation, Profile, Role, User, UserError, UserStatus, normalize_email, store};
use crate::{
    audit::{self, Action},
    db::Db,
    documents::Document,
    ids,
    instant::Timestamp,
    limits::{self, LimitError, Take},
    secret::Secret,
    secrets::{Cipher, digest, random_bytes},
};

/// How long an invitation is good for.
const INVITATION_SECONDS: i64 = 7 * 86_400;

/// Somebody to be invited.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Address in any letter case.
    pub email: String,
    /// Name to show.
    pub name: String,
    /// What the person will be allowed to do.
    pub role: Role,
    /// What is known about the person already.
    pub profile: Option<Profile>,
}

/// A new pending account with its token, which opens the account to whoever has it.
#[derive(Debug)]
pub struct Invited {
    /// The account.
    pub user: Document<User>,
    /// 64 hex digits.
    pub token: Secret,
}

/// Makes a pending account. The token is kept as a digest, for looking it up, and encrypted, for showing it again. `take` is
/// what the inviting admin is allowed.
pub async fn invite(
    db: &Db,
    cipher: &Cipher,
    new: NewUser,
    invited_by: &str,
    take: &Take,
    now: Timestamp,
) -> Result<Invited, UserError> {
    let token = Secret::new(hex::encode(random_bytes::<32>()));
    let data = User {
        email: normalize_email(&new.email),
        name: new.name,
        role: new.role,
        status: UserStatus::Pending,
        password_hash: None,
        session_version: 0,
        invitation: Some(Invitation {
            token_digest: digest(token.reveal()),
            token_encrypted: cipher.encrypt(&token),
            expires_at: now.plus_seconds(INVITATION_SECONDS),
            invited_at: now,
        }),
        invited_by: Some(invited_by.to_owned()),
        profile: new.profile.and_then(Profile::unless_empty),
    };
    let id = ids::new_id();
    let entry = audit::entry(Action::UserInvited).on(&id).after(data.audited());
    let writes = vec![store::insert(&id, &data, now), entry.record()];
    match limits::write(db, std::slice::from_ref(take), writes, now).await {
        Ok(_) => Ok(Invited { user: Document { id, data, revision: 0, created_at: now, updated_at: now }, token }),
        Err(LimitError::Db(error)) if error.is_unique_violation("users.email") => {
            Err(UserError::EmailTaken(data.email))
        }
        Err(error) => Err(error.into()),
    }
}

/// Deletes pending accounts whose invitation has expired; tells how many there were.
pub async fn delete_expired_invitations(db: &Db, now: Timestamp) -> Result<u64, UserError> {
    let entry = audit::entry(Action::UserInvitationsExpired);
    let answers = db.write(store::delete_expired(entry, now)).await?;
    Ok(answers.last().map_or(0, |answer| answer.affected))
}
