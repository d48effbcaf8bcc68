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
        requests_per_minute: None,
    };
    db.write(vec![insert("k1", &row, now)]).await.unwrap();
    owner
}

#[tokio::test]
async fn recognises_a_key_and_nothing_else() {
    let (db, _folder) = database().await;
    let key = new_key();
    let owner = with_key(&db, &key, false).await;
    let found = authenticate(&db, &key).await.unwrap().unwrap();
    assert_eq!((found.key.id.as_str(), found.owner.id), ("k1", owner.id));
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
    let stored = store::find_by_digest(&db, &digest(&key)).await.unwrap().unwrap().key;
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

/// Uses the key at this moment; gives what is left, or after how many seconds there will be more.
async fn use_key(db: &Db, key: &str, standard: Option<Limit>, now: Timestamp) -> Result<Option<u64>, u64> {
    let found = authenticate(db, key).await.unwrap().unwrap();
    match record_use(db, &found, standard, "10.0.0.1", now).await {
        Ok(allowance) => Ok(allowance.map(|allowance| allowance.left)),
        Err(LimitError::TooMany(reason)) => Err(reason.retry_after_seconds),
        Err(LimitError::Db(error)) => panic!("{error}"),
    }
}

async fn uses(db: &Db) -> i64 {
    let rows = db.read("SELECT total_requests FROM api_keys", vec![]).await.unwrap();
    rows.first().unwrap().get("total_requests").unwrap()
}

#[tokio::test]
async fn a_key_makes_so_many_requests_a_minute() {
    let (db, _folder) = database().await;
    let (key, now) = (new_key(), Timestamp::now());
    with_key(&db, &key, false).await;
    let three = Some(Limit::per_minute(3));
    for left in [2, 1, 0] {
        assert_eq!(use_key(&db, &key, three, now).await, Ok(Some(left)));
    }
    assert_eq!(use_key(&db, &key, three, now).await, Err(20));
    assert_eq!(uses(&db).await, 3, "refused requests are no uses");
    assert_eq!(use_key(&db, &key, three, now.plus_seconds(19)).await, Err(1));
    assert_eq!(use_key(&db, &key, three, now.plus_seconds(20)).await, Ok(Some(0)));
    assert_eq!(use_key(&db, &key, three, now.plus_seconds(3600)).await, Ok(Some(2)), "a full minute's worth, no more");

    let edit = |most| ApiKeyEdit { name: "ci".into(), requests_per_minute: most };
    let owner = authenticate(&db, &key).await.unwrap().unwrap().owner.id;
    update(&db, &owner, "k1", &edit(Some(1)), now).await.unwrap();
    assert_eq!(use_key(&db, &key, three, now.plus_seconds(3600)).await, Err(20), "a lower limit holds at once");
    update(&db, &owner, "k1", &edit(Some(6)), now).await.unwrap();
    update(&db, &owner, "k1", &edit(None), now).await.unwrap();
    assert_eq!(use_key(&db, &key, three, now.plus_seconds(3600)).await, Ok(Some(3)), "so does a higher one");
    assert_eq!(use_key(&db, &key, None, now.plus_seconds(3600)).await, Ok(Some(2)), "whatever others may");
}

#[tokio::test]
async fn a_key_without_a_limit_has_none() {
    let (db, _folder) = database().await;
    let (key, now) = (new_key(), Timestamp::now());
    with_key(&db, &key, false).await;
    for _ in 0..20 {
        assert_eq!(use_key(&db, &key, None, now).await, Ok(None));
    }
    assert_eq!(uses(&db).await, 20);
}
