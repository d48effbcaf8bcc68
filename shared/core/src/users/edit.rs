//! Changes to accounts by admins, who cannot lock themselves out (contract 4, defects ).

use super::{Profile, Role, User, UserError, UserStatus, store};
use crate::{
    api_keys,
    audit::{self, Action},
    db::{Db, DbError},
    documents::Document,
    instant::Timestamp,
};

/// How often a change is tried when others save the same account in between.
const TRIES: u32 = 5;

/// Members of an update; all optional.
#[derive(Debug, Clone, Default)]
pub struct UserEdit {
    /// New name.
    pub name: Option<String>,
    /// New role.
    pub role: Option<Role>,
    /// New status.
    pub status: Option<UserStatus>,
    /// New profile, as a whole.
    pub profile: Option<Profile>,
}

impl User {
    /// This account after an edit. A changed role or status ends every session (decision A-12), and an account that is
    /// no longer pending has no invitation.
    pub(super) fn edited(&self, edit: &UserEdit) -> Self {
        let mut next = self.clone();
        next.name = edit.name.clone().unwrap_or(next.name);
        next.role = edit.role.unwrap_or(next.role);
        next.status = edit.status.unwrap_or(next.status);
        if let Some(profile) = &edit.profile {
            next.profile = profile.clone().unless_empty();
        }
        if next.status != UserStatus::Pending {
            next.invitation = None;
        }
        if (next.role, next.status) != (self.role, self.status) {
            next.session_version += 1;
        }
        next
    }

    /// Whether this account can sign in and manage users and settings.
    pub(super) fn can_manage(&self) -> bool {
        self.role == Role::Admin && self.status == UserStatus::Active && self.password_hash.is_some()
    }
}

/// Saves an edit; refuses one that would leave nobody to manage the system.
pub async fn update(db: &Db, id: &str, edit: &UserEdit, now: Timestamp) -> Result<Document<User>, UserError> {
    change(db, Action::UserUpdated, id, now, |user| user.edited(edit)).await
}

/// Takes over the given members of a profile; a profile that brings nothing changes nothing.
pub async fn merge_profile(db: &Db, id: &str, profile: &Profile, now: Timestamp) -> Result<Document<User>, UserError> {
    if *profile == Profile::default() {
        return store::find(db, id).await?.ok_or(UserError::NotFound);
    }
    change(db, Action::UserProfileUpdated, id, now, |user| {
        let stored = user.profile.clone().unwrap_or_default();
        User { profile: Some(Profile { timezone: profile.timezone.clone().or(stored.timezone) }), ..user.clone() }
    })
    .await
}

/// Saves what `edited` makes of an account, again when somebody else saved it in between.
async fn change(
    db: &Db,
    action: Action,
    id: &str,
    now: Timestamp,
    edited: impl Fn(&User) -> User,
) -> Result<Document<User>, UserError> {
    for _ in 0..TRIES {
        let found = store::find(db, id).await?.ok_or(UserError::NotFound)?;
        let data = edited(&found.data);
        let resigns = found.data.can_manage() && !data.can_manage();
        let entry = audit::entry(action).on(id).before(found.data.audited()).after(data.audited());
        let mut writes = vec![store::replace(id, &data, found.revision, now), entry.record()];
        if resigns {
            // Counts the other admins in the same atomic write, so two of them cannot resign at once.
            writes.insert(0, store::expect_another_admin(id));
        }
        match db.write(writes).await {
            Ok(_) => return Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found }),
            Err(DbError::Guard) if resigns && !store::another_admin_exists(db, id).await? => {
                return Err(UserError::LastAdmin);
            }
            Err(DbError::Guard) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UserError::Stale)
}

/// Deletes an account with its API keys; refuses to delete the last one that can manage the system.
pub async fn delete(db: &Db, id: &str) -> Result<(), UserError> {
    let entry = audit::entry(Action::UserDeleted).on(id);
    match db.write(vec![store::delete_unless_last_admin(id), api_keys::delete_of_user(id), entry.record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) if store::find(db, id).await?.is_some() => Err(UserError::LastAdmin),
        Err(DbError::Guard) => Err(UserError::NotFound),
        Err(error) => Err(error.into()),
    }
}
