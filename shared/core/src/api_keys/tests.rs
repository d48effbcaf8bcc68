use std::time::Duration;

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
        previous_key: None,
    };
    db.write(vec![insert("k1", &row, now)]).await.unwrap();
    owner
}

#[tokio::test]
async fn recognises_a_key_and_nothing_else() {
    let (db, _folder) = database().await;
    let key = new_key();
    let key = key.reveal();
    let owner = with_key(&db, key, false).await;
    let found = authenticate(&db, key).await.unwrap().unwrap();
    assert_eq!((found.key.id.as_str(), found.owner.id), ("k1", owner.id));
    for wrong in [
        new_key().reveal().to_owned(),
        key.to_uppercase(),
        format!("{key}0"),
        String::new(),
        key[..PREFIX_LENGTH].to_owned(),
    ] {
        assert!(authenticate(&db, &wrong).await.unwrap().is_none(), "{wrong}");
    }
}

#[tokio::test]
async fn an_imported_key_is_upgraded_at_its_first_use() {
    let (db, _folder) = database().await;
    let key = new_key();
    let key = key.reveal();
    with_key(&db, key, true).await;
    assert!(authenticate(&db, key).await.unwrap().is_some());
    let stored = store::find_by_digest(&db, &digest(key)).await.unwrap().unwrap().key;
    assert!(stored.data.key_hash.is_none());
    assert!(authenticate(&db, key).await.unwrap().is_some());
}

#[tokio::test]
async fn an_inactive_owner_has_no_working_key() {
    let (db, _folder) = database().await;
    let key = new_key();
    let key = key.reveal();
    let mut owner = with_key(&db, key, false).await;
    owner.data.status = UserStatus::Inactive;
    db.write(vec![users::replace(&owner.id, &owner.data, owner.revision, Timestamp::now())]).await.unwrap();
    assert!(authenticate(&db, key).await.unwrap().is_none());
}

async fn works(db: &Db, key: &Secret) -> bool {
    authenticate(db, key.reveal()).await.unwrap().is_some()
}

#[tokio::test]
async fn the_key_before_a_rotation_works_until_its_grace_is_over() {
    let (db, _folder) = database().await;
    let first = new_key();
    let owner = with_key(&db, first.reveal(), false).await;
    let (day, now) = (Duration::from_secs(86_400), Timestamp::now());
    let (rotated, second) = rotate(&db, &owner.id, "k1", day, now).await.unwrap();
    assert_eq!(rotated.key.data.key_prefix, second.reveal()[..PREFIX_LENGTH]);
    assert!(works(&db, &first).await && works(&db, &second).await);

    let stored = store::find_owned(&db, &owner.id, "k1").await.unwrap().unwrap().key;
    assert_eq!(stored, rotated.key);
    let opens = |key: &Secret, at| stored.data.opens_with(&digest(key.reveal()), at);
    assert!(opens(&first, now.plus(day).plus_millis(-1)) && !opens(&first, now.plus(day)));
    assert!(opens(&second, now.plus(day)));

    let (_, third) = rotate(&db, &owner.id, "k1", day, now).await.unwrap();
    assert_eq!([works(&db, &first).await, works(&db, &second).await, works(&db, &third).await], [false, true, true]);
    let (_, fourth) = rotate(&db, &owner.id, "k1", Duration::ZERO, now).await.unwrap();
    assert!(!works(&db, &third).await && works(&db, &fourth).await, "without grace");
}

#[tokio::test]
async fn what_has_ended_is_not_rotated_and_takes_both_secrets_with_it() {
    let (db, _folder) = database().await;
    let first = new_key();
    let owner = with_key(&db, first.reveal(), false).await;
    let (hour, now) = (Duration::from_secs(3600), Timestamp::now());
    let (_, second) = rotate(&db, &owner.id, "k1", hour, now).await.unwrap();
    let change = ApiKeyEdit { name: "ci".into(), expires_at: Some(now.plus_seconds(60)), requests_per_minute: None };
    update(&db, &owner.id, "k1", &change, now).await.unwrap();
    let too_late = rotate(&db, &owner.id, "k1", hour, now.plus_seconds(60)).await;
    assert!(matches!(too_late, Err(ApiKeyError::Ended)));
    revoke(&db, &owner.id, "k1", now).await.unwrap();
    assert!(!works(&db, &first).await && !works(&db, &second).await);
    assert!(matches!(rotate(&db, &owner.id, "k1", hour, now).await, Err(ApiKeyError::Ended)));
    assert!(matches!(rotate(&db, "somebody else", "k1", hour, now).await, Err(ApiKeyError::NotFound)));
}

#[tokio::test]
async fn an_imported_key_that_was_never_used_ends_with_its_rotation() {
    let (db, _folder) = database().await;
    let first = new_key();
    let owner = with_key(&db, first.reveal(), true).await;
    let (rotated, second) = rotate(&db, &owner.id, "k1", Duration::from_secs(60), Timestamp::now()).await.unwrap();
    assert!(rotated.key.data.previous_key.is_none());
    assert!(!works(&db, &first).await && works(&db, &second).await);
}

#[tokio::test]
async fn both_secrets_are_found_by_index() {
    let (db, _folder) = database().await;
    let sql = "EXPLAIN QUERY PLAN SELECT id FROM api_keys k WHERE k.key_digest = ?1 OR k.previous_key_digest = ?1";
    let plan = db.read(sql, crate::params!["x"]).await.unwrap();
    let steps: Vec<String> = plan.rows.iter().map(|row| row.get("detail").unwrap()).collect();
    assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:?}");
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
    let key = key.reveal();
    with_key(&db, key, false).await;
    let three = Some(Limit::per_minute(3));
    for left in [2, 1, 0] {
        assert_eq!(use_key(&db, key, three, now).await, Ok(Some(left)));
    }
    assert_eq!(use_key(&db, key, three, now).await, Err(20));
    assert_eq!(uses(&db).await, 3, "refused requests are no uses");
    assert_eq!(use_key(&db, key, three, now.plus_seconds(19)).await, Err(1));
    assert_eq!(use_key(&db, key, three, now.plus_seconds(20)).await, Ok(Some(0)));
    assert_eq!(use_key(&db, key, three, now.plus_seconds(3600)).await, Ok(Some(2)), "a full minute's worth, no more");

    let edit = |most| ApiKeyEdit { name: "ci".into(), expires_at: None, requests_per_minute: most };
    let owner = authenticate(&db, key).await.unwrap().unwrap().owner.id;
    update(&db, &owner, "k1", &edit(Some(1)), now).await.unwrap();
    assert_eq!(use_key(&db, key, three, now.plus_seconds(3600)).await, Err(20), "a lower limit holds at once");
    update(&db, &owner, "k1", &edit(Some(6)), now).await.unwrap();
    update(&db, &owner, "k1", &edit(None), now).await.unwrap();
    assert_eq!(use_key(&db, key, three, now.plus_seconds(3600)).await, Ok(Some(3)), "so does a higher one");
    assert_eq!(use_key(&db, key, None, now.plus_seconds(3600)).await, Ok(Some(2)), "whatever others may");
}

#[tokio::test]
async fn a_key_without_a_limit_has_none() {
    let (db, _folder) = database().await;
    let (key, now) = (new_key(), Timestamp::now());
    let key = key.reveal();
    with_key(&db, key, false).await;
    for _ in 0..20 {
        assert_eq!(use_key(&db, key, None, now).await, Ok(None));
    }
    assert_eq!(uses(&db).await, 20);
}
