use super::*;
use crate::{Timestamp, testing::database, users};

async fn with_key(db: &Db, key: &str, imported: bool) -> Document<User> {
    let now = Timestamp::now();
    let owner = users::register_first_admin(db, "ada@example.com", "Ada", "correct horse".into(), now).await.unwrap();
    let row = ApiKey {
        user_id: owner.id.clone(),
        name: "ci".into(),
        key_prefix: key[..PREFIX_LENGTH].into(),
        key_digest: (!imported).then(|| digest(key)),
        key_hash: imported.then(|| bcrypt::hash(key, 4).unwrap()),
        scopes: vec![Scope::PromptsRead],
        status: ApiKeyStatus::Active,
        expires_at: None,
    };
    db.write(vec![insert("k1", &row, now)]).await.unwrap();
    owner
}

#[tokio::test]
async fn recognises_a_key_and_nothing_else() {
    let (db, _folder) = database().await;
    let key = new_key();
    let owner = with_key(&db, &key, false).await;
    let (found, found_owner) = authenticate(&db, &key).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found_owner.id), ("k1", owner.id));
    for wrong in [new_key(), key.to_uppercase(), format!("{key}0"), String::new(), key[..PREFIX_LENGTH].to_owned()] {
        assert!(authenticate(&db, &wrong).await.unwrap().is_none(), "{wrong}");
    }
}

#[tokio::test]
async fn an_imported_key_is_upgraded_at_its_first_use() {
    let (db, _folder) = database().await;
    let key = new_key();
    with_key(&db, &key, true).await;
    assert!(authenticate(&db, &key).await.unwrap().is_some());
    let (stored, _) = store::find_by_digest(&db, &digest(&key)).await.unwrap().unwrap();
    assert!(stored.data.key_hash.is_none());
    assert!(authenticate(&db, &key).await.unwrap().is_some());
}

#[tokio::test]
async fn an_inactive_owner_has_no_working_key() {
    let (db, _folder) = database().await;
    let key = new_key();
    let mut owner = with_key(&db, &key, false).await;
    owner.data.status = UserStatus::Inactive;
    db.write(vec![users::replace(&owner.id, &owner.data, owner.revision, Timestamp::now())]).await.unwrap();
    assert!(authenticate(&db, &key).await.unwrap().is_none());
}
