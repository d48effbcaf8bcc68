//! Which destination a delivery means at the moment of an attempt, and what it is signed with.

use super::SigningKeys;
use crate::{
    db::{Db, DbError},
    instant::Timestamp,
    secrets::{Cipher, DecryptError},
    settings::{self, Setting},
};

/// Whom a delivery is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// The destination with this setting id.
    Saved(&'a str),
    /// An address that somebody wants to try.
    Address(&'a str),
}

/// Where a delivery goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The address.
    pub url: String,
    /// What signs it.
    pub keys: SigningKeys,
}

/// Why a delivery goes nowhere.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// It was deleted.
    #[error("the webhook destination does not exist any more")]
    Missing,
    /// It was switched off.
    #[error("the webhook destination is switched off")]
    Inactive,
    /// Its secret is damaged, or was written with another key.
    #[error(transparent)]
    Secret(#[from] DecryptError),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Where a delivery goes now. `installation_keys` (`WEBHOOK_SIGNATURE_KEY`) sign what has no secret of its own: imported
/// destinations, and tests of an address that is no active destination.
pub async fn find_destination(
    db: &Db,
    cipher: &Cipher,
    installation_keys: &SigningKeys,
    recipient: Recipient<'_>,
    now: Timestamp,
) -> Result<Destination, DestinationError> {
    let keys_of = |setting: &Setting| keys_of(setting, cipher, installation_keys, now);
    match recipient {
        Recipient::Saved(id) => {
            let found = settings::find(db, id).await?.ok_or(DestinationError::Missing)?;
            match &found.data {
                Setting::WebhookDestination { active: false, .. } => Err(DestinationError::Inactive),
                Setting::WebhookDestination { url, .. } => {
                    Ok(Destination { url: url.clone(), keys: keys_of(&found.data)? })
                }
                _ => Err(DestinationError::Missing),
            }
        }
        Recipient::Address(url) => {
            let keys = match settings::find_active_destination(db, url).await? {
                Some(saved) => keys_of(&saved.data)?,
                None => installation_keys.clone(),
            };
            Ok(Destination { url: url.to_owned(), keys })
        }
    }
}

fn keys_of(
    setting: &Setting,
    cipher: &Cipher,
    installation_keys: &SigningKeys,
    now: Timestamp,
) -> Result<SigningKeys, DecryptError> {
    let Setting::WebhookDestination { secret: Some(secret), previous_secret, previous_secret_expires_at, .. } = setting
    else {
        return Ok(installation_keys.clone());
    };
    let is_changing = previous_secret_expires_at.is_some_and(|expires_at| now < expires_at);
    let previous = is_changing.then(|| match previous_secret {
        Some(stored) => cipher.decrypt(stored),
        None => Ok(installation_keys.current.clone()),
    });
    Ok(SigningKeys { current: cipher.decrypt(secret)?, previous: previous.transpose()? })
}

#[cfg(test)]
mod tests;
