use super::*;
use crate::testing::database;

const FIVE: Limit = Limit::per_minute(5);

fn start() -> Timestamp {
    "2026-03-02T12:00:00.000Z".parse().unwrap()
}

async fn take(db: &Db, take: &Take, now: Timestamp) -> Result<(), u64> {
    match super::take(db, take, now).await {
        Ok(()) => Ok(()),
        Err(LimitError::TooMany(reason)) => Err(reason.retry_after_seconds),
        Err(LimitError::Db(error)) => panic!("{error}"),
    }
}

async fn rows(db: &Db) -> i64 {
    db.read("SELECT count(*) AS n FROM limits", vec![]).await.unwrap().first().unwrap().get("n").unwrap()
}

#[tokio::test]
async fn a_bucket_gives_so_much_at_once_and_then_what_flows_in() {
    let (db, _folder) = database().await;
    let one = Take::new("test", "ada", 1, FIVE);
    for _ in 0..5 {
        take(&db, &one, start()).await.unwrap();
    }
    assert_eq!(take(&db, &one, start()).await, Err(12));
    assert_eq!(take(&db, &one, start().plus_millis(11_999)).await, Err(1));
    take(&db, &one, start().plus_seconds(12)).await.unwrap();
    assert_eq!(take(&db, &one, start().plus_seconds(12)).await, Err(12));
    assert!(take(&db, &Take::new("test", "bob", 1, FIVE), start()).await.is_ok(), "another bucket");
    for _ in 0..5 {
        take(&db, &one, start().plus_seconds(72)).await.unwrap();
    }
    assert!(take(&db, &one, start().plus_seconds(72)).await.is_err(), "full is full, however long it was left alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_exactly_so_many_pass() {
    let (db, _folder) = database().await;
    let one = Take::new("test", "ada", 1, Limit::per_hour(7));
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (db, one) = (db.clone(), one.clone());
            tokio::spawn(async move { take(&db, &one, start()).await.is_ok() })
        })
        .collect();
    let mut passed = 0;
    for attempt in tries {
        passed += u32::from(attempt.await.unwrap());
    }
    assert_eq!(passed, 7);
}

#[tokio::test]
async fn counts_of_all_sizes_are_exact() {
    let (db, _folder) = database().await;
    for most in [1, 3, 7, 59, 997] {
        let limit = Limit::per_minute(most);
        let (all, one) =
            (Take::new("test", &most.to_string(), most, limit), Take::new("test", &most.to_string(), 1, limit));
        take(&db, &all, start()).await.unwrap();
        assert!(take(&db, &one, start()).await.is_err(), "{most}");
    }
    for most in [100_000, 244_000] {
        let limit = Limit::per_minute(most);
        let spent = i64::try_from(most).unwrap() * limit.cost_of(1) + nanos(start());
        assert!(limit.refusal(1, spent - limit.cost_of(1), start()).is_none(), "{most}");
        assert!(limit.refusal(1, spent, start()).is_some(), "{most}");
        assert_eq!((limit.left(spent, start()), limit.left(0, start())), (0, most));
    }
}

#[tokio::test]
async fn a_changed_limit_holds_at_once() {
    let (db, _folder) = database().await;
    let with = |most| Take::new("test", "ada", 1, Limit::per_minute(most));
    for _ in 0..4 {
        take(&db, &with(4), start()).await.unwrap();
    }
    assert!(take(&db, &with(4), start()).await.is_err());
    assert!(take(&db, &with(100), start()).await.is_err(), "an empty bucket is empty, whatever its size");
    take(&db, &with(100), start().plus_seconds(1)).await.unwrap();
    assert!(take(&db, &with(2), start().plus_seconds(1)).await.is_err());
    take(&db, &with(2), start().plus_seconds(31)).await.unwrap();
}

#[tokio::test]
async fn what_is_more_than_a_bucket_holds_is_always_refused() {
    let (db, _folder) = database().await;
    assert!(take(&db, &Take::new("test", "ada", 6, FIVE), start()).await.is_err());
    assert_eq!(rows(&db).await, 0);
}

#[tokio::test]
async fn a_refused_write_takes_nothing() {
    let (db, _folder) = database().await;
    let (many, few) = (Take::new("many", "ada", 1, FIVE), Take::new("few", "ada", 1, Limit::per_hour(1)));
    let both = [many.clone(), few.clone()];
    write(&db, &both, vec![], start()).await.unwrap();
    let refused = write(&db, &both, vec![], start()).await;
    assert!(matches!(refused, Err(LimitError::TooMany(TooMany { retry_after_seconds: 3600 }))), "{refused:?}");
    let broken = Statement::new("INSERT INTO nowhere VALUES (1)", vec![]);
    let failed = write(&db, std::slice::from_ref(&many), vec![broken], start()).await;
    assert!(matches!(failed, Err(LimitError::Db(_))), "{failed:?}");
    for _ in 0..4 {
        take(&db, &many, start()).await.unwrap();
    }
    assert!(take(&db, &many, start()).await.is_err());
    db.write(vec![many.give_back()]).await.unwrap();
    take(&db, &many, start()).await.unwrap();
}

#[tokio::test]
async fn only_buckets_in_use_have_rows() {
    let (db, _folder) = database().await;
    for caller in 0..30 {
        take(&db, &Take::new("test", &caller.to_string(), 1, FIVE), start().plus_seconds(caller)).await.unwrap();
    }
    assert_eq!(forget_full(&db, 4, start().plus_seconds(21)).await.unwrap(), 4, "a bounded step");
    assert_eq!(forget_full(&db, 500, start().plus_seconds(21)).await.unwrap(), 6);
    assert_eq!(forget_full(&db, 500, start().plus_seconds(21)).await.unwrap(), 0);
    assert_eq!(rows(&db).await, 20);
    forget_full(&db, 500, start().plus_seconds(60)).await.unwrap();
    assert_eq!(rows(&db).await, 0);
}
