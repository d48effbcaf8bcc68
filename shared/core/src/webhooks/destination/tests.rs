use super::*;
use crate::{
    config::EncryptionKey,
    secret::Secret,
    settings::{NewSetting, SettingEdit, SettingType},
    testing::database,
};

const URL: &str = "https://example.com/hook";

/// A store, a cipher and a clock, with the installation's own key.
struct Installation {
    db: Db,
    cipher: Cipher,
    key: Secret,
    now: Timestamp,
    _folder: tempfile::TempDir,
}

impl Installation {
    async fn new() -> Self {
        let (db, folder) = database().await;
        let now = "2026-01-31T09:00:00.000Z".parse().unwrap();
        let (cipher, key) = (Cipher::new(&EncryptionKey::new([7; 32])), Secret::new("the installation's own key"));
        Self { db, cipher, key, now, _folder: folder }
    }

    /// A new destination: its id and its secret.
    async fn add(&self, name: &str) -> (String, Secret) {
        let new = NewSetting::WebhookDestination { name: name.to_owned(), url: URL.to_owned(), active: true };
        let created = settings::create(&self.db, &self.cipher, new, self.now).await.unwrap();
        (created.setting.id, created.secret.unwrap())
    }

    /// A destination as an existing installation has it: without a secret.
    async fn import(&self) -> String {
        let (id, _) = self.add("imported").await;
        let sql = "UPDATE settings SET data = json_remove(data, '$.secret') WHERE id = ?1";
        self.db.write(vec![crate::db::Statement::new(sql, crate::params![&id])]).await.unwrap();
        id
    }

    async fn switch_off(&self, id: &str) {
        let found = settings::find(&self.db, id).await.unwrap().unwrap();
        let edit = SettingEdit { active: Some(false), ..SettingEdit::default() };
        settings::update(&self.db, &self.cipher, found, SettingType::WebhookDestination, edit, self.now).await.unwrap();
    }

    async fn rotate(&self, id: &str, now: Timestamp) -> Secret {
        settings::rotate_secret(&self.db, &self.cipher, id, now).await.unwrap().secret
    }

    async fn find(&self, recipient: Recipient<'_>, now: Timestamp) -> Result<Destination, DestinationError> {
        let installation_keys = SigningKeys::single(self.key.clone());
        find_destination(&self.db, &self.cipher, &installation_keys, recipient, now).await
    }

    async fn keys(&self, id: &str, now: Timestamp) -> SigningKeys {
        let found = self.find(Recipient::Saved(id), now).await.unwrap();
        assert_eq!(found.url, URL);
        found.keys
    }
}

#[tokio::test]
async fn a_destination_signs_with_its_own_secret_and_an_imported_one_with_the_installations_key() {
    let installation = Installation::new().await;
    let (id, secret) = installation.add("own").await;
    assert_eq!(installation.keys(&id, installation.now).await, SigningKeys::single(secret));
    let imported = installation.import().await;
    assert_eq!(installation.keys(&imported, installation.now).await, SigningKeys::single(installation.key.clone()));
}

#[tokio::test]
async fn a_destination_that_is_gone_or_off_gets_nothing() {
    let installation = Installation::new().await;
    let now = installation.now;
    let (off, _) = installation.add("off").await;
    installation.switch_off(&off).await;
    let found = installation.find(Recipient::Saved(&off), now).await;
    assert!(matches!(found, Err(DestinationError::Inactive)), "{found:?}");
    settings::delete(&installation.db, &off).await.unwrap();
    for id in [off.as_str(), "never was"] {
        let found = installation.find(Recipient::Saved(id), now).await;
        assert!(matches!(found, Err(DestinationError::Missing)), "{found:?}");
    }
}

#[tokio::test]
async fn a_test_of_a_saved_address_signs_as_its_destination_would() {
    let installation = Installation::new().await;
    let now = installation.now;
    let find = async || installation.find(Recipient::Address(URL), now).await.unwrap().keys;
    assert_eq!(find().await, SigningKeys::single(installation.key.clone()));
    let (id, secret) = installation.add("saved").await;
    assert_eq!(find().await, SigningKeys::single(secret));
    let keys = installation.find(Recipient::Address("https://example.com/hook/"), now).await.unwrap().keys;
    assert_eq!(keys, SigningKeys::single(installation.key.clone()));
    installation.switch_off(&id).await;
    assert_eq!(find().await, SigningKeys::single(installation.key.clone()));
}

#[tokio::test]
async fn the_newest_two_secrets_are_valid_for_a_day() {
    let installation = Installation::new().await;
    let start = installation.now;
    let (id, first) = installation.add("changing").await;
    let second = installation.rotate(&id, start).await;
    let day = 24 * 3600 * 1000;
    let both = SigningKeys { current: second.clone(), previous: Some(first) };
    assert_eq!(installation.keys(&id, start).await, both);
    assert_eq!(installation.keys(&id, start.plus_millis(day - 1)).await, both);
    assert_eq!(installation.keys(&id, start.plus_millis(day)).await, SigningKeys::single(second.clone()));

    let later = start.plus_seconds(3600);
    let third = installation.rotate(&id, later).await;
    let newest = SigningKeys { current: third.clone(), previous: Some(second) };
    assert_eq!(installation.keys(&id, later).await, newest, "the first one ends at once");
    assert_eq!(installation.keys(&id, start.plus_millis(day)).await, newest, "a day counts from the last change");
    assert_eq!(installation.keys(&id, later.plus_millis(day)).await, SigningKeys::single(third));
}

#[tokio::test]
async fn the_secret_before_the_first_one_is_the_installations_key() {
    let installation = Installation::new().await;
    let id = installation.import().await;
    let first = installation.rotate(&id, installation.now).await;
    let both = SigningKeys { current: first.clone(), previous: Some(installation.key.clone()) };
    assert_eq!(installation.keys(&id, installation.now).await, both);
    let second = installation.rotate(&id, installation.now).await;
    let both = SigningKeys { current: second, previous: Some(first) };
    assert_eq!(installation.keys(&id, installation.now).await, both);
}

#[tokio::test]
async fn an_edit_keeps_both_secrets() {
    let installation = Installation::new().await;
    let (id, _) = installation.add("edited").await;
    installation.rotate(&id, installation.now).await;
    let before = installation.keys(&id, installation.now).await;
    let found = settings::find(&installation.db, &id).await.unwrap().unwrap();
    let edit = SettingEdit { name: Some("renamed".to_owned()), ..SettingEdit::default() };
    let kind = SettingType::WebhookDestination;
    settings::update(&installation.db, &installation.cipher, found, kind, edit, installation.now).await.unwrap();
    assert_eq!(installation.keys(&id, installation.now).await, before);
}

#[tokio::test]
async fn a_secret_written_with_another_key_is_an_error_and_no_other_signature() {
    let installation = Installation::new().await;
    let (id, _) = installation.add("lost").await;
    let other = Installation { cipher: Cipher::new(&EncryptionKey::new([8; 32])), ..installation };
    let found = other.find(Recipient::Saved(&id), other.now).await;
    assert!(matches!(found, Err(DestinationError::Secret(_))), "{found:?}");
}

#[tokio::test]
async fn while_the_installations_key_is_replaced_both_sign_what_has_no_secret_of_its_own() {
    let installation = Installation::new().await;
    let imported = installation.import().await;
    let keys = SigningKeys { current: Secret::new("the next key"), previous: Some(installation.key.clone()) };
    let find = async |recipient| {
        let found = find_destination(&installation.db, &installation.cipher, &keys, recipient, installation.now).await;
        found.unwrap().keys
    };
    assert_eq!(find(Recipient::Saved(&imported)).await, keys);
    assert_eq!(find(Recipient::Address("https://example.org")).await, keys);
    installation.rotate(&imported, installation.now).await;
    assert_eq!(find(Recipient::Saved(&imported)).await.previous, Some(keys.current.clone()));
}
