//! People: sign-in with lock-out, the first admin, invitations, management by admins (contract 2 and 4).

mod edit;
mod invite;
mod password;
mod sign_in;
mod store;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use edit::{UserEdit, delete, merge_profile, update};
pub use invite::{Invited, NewUser, delete_expired_invitations, invite};
pub use password::{PasswordReset, change_password, open_reset, reset_password};
pub use sign_in::{SignInRefused, sign_in};
pub use store::{UserFilter, UserListed, any_exists, find, insert, list, replace};

use crate::{
    audit::{self, Action},
    db::{Db, DbError, Statement},
    documents::Document,
    ids,
    instant::Timestamp,
    limits::{self, LimitError, Take, TooMany},
    passwords,
    secret::Secret,
    secrets::digest,
};

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UserRole)]
pub enum Role {
    /// Examines results and gives feedback.
    Viewer,
    /// Creates and tests prompts.
    User,
    /// Manages users and settings.
    Admin,
}

impl Role {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    /// May sign in.
    Active,
    /// Invited, without a password yet.
    Pending,
    /// Switched off by an admin.
    Inactive,
}

impl UserStatus {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Inactive => "inactive",
        }
    }
}

/// An account.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Address in lower case; unique (defect A-11).
    pub email: String,
    /// Name to show.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where the account stands.
    pub status: UserStatus,
    /// PHC string of argon2id, or an imported bcrypt hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// Grows when every session of this account shall end (decision A-12).
    #[serde(default)]
    pub session_version: u64,
    /// Present until the invitation is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Invitation>,
    /// Id of the admin who invited this person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
    /// What the person tells about themselves; never stored empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

impl User {
    fn audited(&self) -> audit::View {
        audit::View::new()
            .keep("role", self.role.as_str())
            .keep("status", self.status.as_str())
            .withhold("email", &self.email)
            .withhold("name", &self.name)
            .withhold("profile", &self.profile)
    }
}

/// Neither who it is nor what opens it.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("role", &self.role).field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a person tells about themselves. Unknown members are dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UserProfile)]
pub struct Profile {
    /// Name of a time zone, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

impl Profile {
    /// The profile, unless it says nothing.
    pub fn unless_empty(self) -> Option<Self> {
        Some(self).filter(|profile| *profile != Self::default())
    }
}

/// An open invitation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of the token, for looking it up.
    pub token_digest: String,
    /// The token encrypted, so that admins can show the link again (decision A-04).
    pub token_encrypted: String,
    /// When the invitation ends.
    pub expires_at: Timestamp,
    /// When it was made.
    pub invited_at: Timestamp,
}

/// The address as it is stored, compared and looked up.
pub fn normalize_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Why an account operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Somebody registered already; the first admin can be made only once.
    #[error("an account exists already, so the first admin cannot be registered any more")]
    AlreadyRegistered,
    /// The invitation token is unknown, used or expired, or the account was switched off.
    #[error("the invitation is unknown, was used already, or has expired")]
    InvalidInvitation,
    /// No account with this id.
    #[error("there is no such user")]
    NotFound,
    /// An account with this address exists, whatever its status.
    #[error("a user with the address {0} exists already")]
    EmailTaken(String),
    /// Nobody would be left to manage users and settings (defect A-14).
    #[error("this is the last active admin, who must stay: make somebody else an admin first")]
    LastAdmin,
    /// The present password is another one.
    #[error("is not the present password")]
    WrongPassword,
    /// The new password is the present one.
    #[error("is the present password: choose another one")]
    SamePassword,
    /// The reset token is unknown, used or expired, or the account was switched off.
    #[error("the link is unknown, was used already, or has expired")]
    InvalidReset,
    /// Only active accounts have a password that could be reset.
    #[error("only the password of an active account can be reset: invite the person anew, or activate the account")]
    NotActive,
    /// Others kept changing the account at the same time.
    #[error("the user was changed by somebody else at the same time; try again")]
    Stale,
    /// A limit is reached.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<LimitError> for UserError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::TooMany(reason) => reason.into(),
            LimitError::Db(source) => source.into(),
        }
    }
}

/// Creates the first account, an active admin. Of several simultaneous calls exactly one succeeds (defect A-05).
pub async fn register_first_admin(
    db: &Db,
    email: &str,
    name: &str,
    password: Secret,
    now: Timestamp,
) -> Result<Document<User>, UserError> {
    if any_exists(db).await? {
        return Err(UserError::AlreadyRegistered);
    }
    let user = User {
        email: normalize_email(email),
        name: name.to_owned(),
        role: Role::Admin,
        status: UserStatus::Active,
        password_hash: Some(passwords::hash(password).await),
        session_version: 0,
        invitation: None,
        invited_by: None,
        profile: None,
    };
    let id = ids::new_id();
    let entry = audit::entry(Action::UserRegistered).on(&id).after(user.audited());
    match db.write(vec![store::insert_first(&id, &user, now), entry.record()]).await {
        Ok(_) => Ok(Document { id, data: user, revision: 0, created_at: now, updated_at: now }),
        Err(DbError::Guard | DbError::Unique(_)) => Err(UserError::AlreadyRegistered),
        Err(error) => Err(error.into()),
    }
}

/// Accepts an invitation: the account becomes active with this password, and the token is used up. `guess` is the attempt
/// as the limit of its network address counts it.
pub async fn activate(
    db: &Db,
    token: &Secret,
    password: Secret,
    guess: &Take,
    now: Timestamp,
) -> Result<User, UserError> {
    let find = store::by_invitation(&digest(token.reveal()));
    let found = guessed(db, guess, find, now).await?.ok_or(UserError::InvalidInvitation)?;
    let is_open = found.data.invitation.as_ref().is_some_and(|invitation| invitation.expires_at > now);
    if !is_open || found.data.status == UserStatus::Inactive {
        return Err(UserError::InvalidInvitation);
    }
    let before = found.data.audited();
    let user = User {
        status: UserStatus::Active,
        password_hash: Some(passwords::hash(password).await),
        session_version: found.data.session_version + 1,
        invitation: None,
        ..found.data
    };
    let entry = audit::entry(Action::UserActivated).on(&found.id).before(before).after(user.audited());
    let replace = replace(&found.id, &user, found.revision, now);
    match db.write(vec![replace, entry.record(), guess.give_back()]).await {
        Ok(_) => Ok(user),
        // Another call with the same token was faster.
        Err(DbError::Guard) => Err(UserError::InvalidInvitation),
        Err(error) => Err(error.into()),
    }
}

/// The account that a token leads to, the attempt being counted.
async fn guessed(db: &Db, guess: &Take, find: Statement, now: Timestamp) -> Result<Option<Document<User>>, UserError> {
    let found = limits::write(db, std::slice::from_ref(guess), vec![find], now).await?;
    Ok(Document::first(&found[0])?)
}

/// Ends every session of this account: tokens issued so far are refused from now on.
pub async fn end_sessions(db: &Db, id: &str, now: Timestamp) -> Result<(), UserError> {
    let entry = audit::entry(Action::UserSessionsEnded).on(id);
    match db.write(vec![store::bump_session_version(id, now), entry.record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => Err(UserError::NotFound),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
