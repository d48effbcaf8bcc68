//! The signing secrets of webhook destinations: made by us, and replaced without a moment in which receivers fail.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::{Setting, SettingError, store};
use crate::{
    audit::{self, Action},
    db::Db,
    documents::Document,
    instant::Timestamp,
    secret::Secret,
    secrets::{Cipher, random_bytes},
    webhooks::SECRET_PREFIX,
};

/// How long the secret before a new one stays valid.
pub const PREVIOUS_SECRET_HOURS: i64 = 24;

/// A destination with a new secret, which is shown only now.
#[derive(Debug)]
pub struct RotatedSecret {
    /// The stored setting.
    pub setting: Document<Setting>,
    /// The secret in force from now on.
    pub secret: Secret,
}

/// A fresh secret in the form of the Standard Webhooks specification: `whsec_` and base64 of 32 random bytes.
pub(super) fn new_secret() -> Secret {
    Secret::new(format!("{SECRET_PREFIX}{}", BASE64.encode(random_bytes::<32>())))
}

/// Gives a webhook destination a new secret. The one in force becomes the previous one and stays valid for
/// [`PREVIOUS_SECRET_HOURS`]; a still older one ends at once, so that two are valid at most.
pub async fn rotate_secret(db: &Db, cipher: &Cipher, id: &str, now: Timestamp) -> Result<RotatedSecret, SettingError> {
    let found = store::find(db, id).await?.ok_or(SettingError::NotFound)?;
    let kind = found.data.kind();
    let mut data = found.data;
    let Setting::WebhookDestination { secret, previous_secret, previous_secret_expires_at, .. } = &mut data else {
        return Err(SettingError::NoSecret(kind));
    };
    let fresh = new_secret();
    *previous_secret = secret.replace(cipher.encrypt(&fresh));
    *previous_secret_expires_at = Some(now.plus_seconds(PREVIOUS_SECRET_HOURS * 3600));
    let write = store::replace(&found.id, &data, found.revision, now);
    let entry = audit::entry(Action::SettingSecretRotated).on(&found.id);
    db.write(vec![write, entry.record()]).await.map_err(|error| SettingError::from_write(error, &data))?;
    let setting = Document { data, revision: found.revision + 1, updated_at: now, ..found };
    Ok(RotatedSecret { setting, secret: fresh })
}
