use super::*;
use crate::{
    Document, ProviderName, Secret, Timestamp,
    config::EncryptionKey,
    limits::{Limit, Take},
    secret::KeyRing,
    settings::{self, NewSetting, ServiceName, Setting},
    testing::database,
    users::{self, NewUser, Role},
};

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::new([byte; 32])
}

/// Writes with `first`, and reads what `others` wrote.
fn cipher(first: u8, others: &[u8]) -> Cipher {
    Cipher::with_keys(&KeyRing::new(key(first), others.iter().map(|byte| key(*byte)).collect()))
}

async fn run_all(db: &Db, cipher: &Cipher, mode: Mode) -> Report {
    run(db, cipher, mode, None, |_| {}).await.unwrap()
}

fn values(report: &Report) -> Vec<u64> {
    report.keys.iter().map(|key| key.values).collect()
}

async fn add_destinations(db: &Db, cipher: &Cipher, count: usize) -> Vec<(String, Secret)> {
    let mut added = Vec::new();
    for number in 0..count {
        let (name, url) = (number.to_string(), "https://example.com/hook".to_owned());
        let new = NewSetting::WebhookDestination { name, url, active: true };
        let created = settings::create(db, cipher, new, Timestamp::now()).await.unwrap();
        added.push((created.setting.id, created.secret.unwrap()));
    }
    added
}

/// One value in every place that holds ciphertext.
async fn fill(db: &Db, cipher: &Cipher) {
    let (now, api_key) = (Timestamp::now(), Secret::new("sk-of-a-vendor"));
    let provider = NewSetting::LlmApiKey { provider: ProviderName::OpenAi, api_key: api_key.clone(), active: true };
    let service = NewSetting::ServiceApiKey { provider: ServiceName::VoyageAi, api_key, active: true };
    let limits = NewSetting::ProviderLimits { provider: ProviderName::OpenAi, max_running: 3 };
    for new in [provider, service, limits] {
        settings::create(db, cipher, new, now).await.unwrap();
    }
    let (destination, _) = add_destinations(db, cipher, 1).await.remove(0);
    settings::rotate_secret(db, cipher, &destination, now).await.unwrap();
    users::register_first_admin(db, "ada@example.com", "Ada", "correct horse".into(), now).await.unwrap();
    let new = NewUser { email: "grace@example.com".into(), name: "Grace".into(), role: Role::User, profile: None };
    let take = Take::new("links", "u1", 1, Limit::per_hour(1));
    users::invite(db, cipher, new, "u1", &take, now).await.unwrap();
}

/// Every stored secret, by what holds it.
async fn secrets(db: &Db, cipher: &Cipher) -> Vec<Option<Secret>> {
    let mut found = Vec::new();
    for setting in settings::list(db, None).await.unwrap() {
        let stored = match setting.data {
            Setting::LlmApiKey { api_key, .. } | Setting::ServiceApiKey { api_key, .. } => vec![api_key],
            Setting::WebhookDestination { secret, previous_secret, .. } => {
                [secret, previous_secret].into_iter().flatten().collect()
            }
            Setting::ProviderLimits { .. } => Vec::new(),
        };
        found.extend(stored.iter().map(|stored| cipher.decrypt(stored).ok()));
    }
    let rows =
        db.read("SELECT data ->> '$.invitation.token_encrypted' AS t FROM users WHERE status = 'pending'", vec![]);
    for row in rows.await.unwrap().rows {
        found.push(cipher.decrypt(&row.get::<String>("t").unwrap()).ok());
    }
    found
}

#[tokio::test]
async fn everything_moves_to_the_first_key_and_the_other_one_can_go() {
    let (db, _folder) = database().await;
    fill(&db, &cipher(1, &[])).await;
    let before = secrets(&db, &cipher(1, &[])).await;
    assert!(before.len() == 5 && before.iter().all(Option::is_some));

    let both = cipher(2, &[1]);
    assert_eq!(values(&run_all(&db, &both, Mode::Count).await), [0, 5]);
    let report = run_all(&db, &both, Mode::Reencrypt).await;
    assert_eq!((report.complete, report.reencrypted, values(&report), report.unreadable), (true, 5, vec![5, 0], 0));
    assert_eq!(secrets(&db, &cipher(2, &[])).await, before, "without the old key");
    assert!(secrets(&db, &cipher(1, &[])).await.iter().all(Option::is_none));

    let again = run_all(&db, &both, Mode::Reencrypt).await;
    assert_eq!((again.reencrypted, values(&again)), (0, vec![5, 0]), "nothing left to do");
}

#[tokio::test]
async fn what_else_stands_in_the_rows_stays() {
    let (db, _folder) = database().await;
    fill(&db, &cipher(1, &[])).await;
    let rows = async || {
        let sql =
            "SELECT id, json_remove(data, '$.api_key', '$.secret', '$.previous_secret') AS data, created_at, updated_at
            FROM settings ORDER BY id";
        db.read(sql, vec![]).await.unwrap().rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>()
    };
    let before = rows().await;
    run_all(&db, &cipher(2, &[1]), Mode::Reencrypt).await;
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn it_goes_on_where_it_was_stopped() {
    let (db, _folder) = database().await;
    add_destinations(&db, &cipher(1, &[]), 250).await;
    let both = cipher(2, &[1]);
    let mut portions = 0;
    let stopped = run(&db, &both, Mode::Reencrypt, Some(Instant::now()), |_| portions += 1).await.unwrap();
    assert_eq!((stopped.complete, stopped.reencrypted, portions), (false, 0, 0));

    let mut steps = Vec::new();
    let report = run(&db, &both, Mode::Reencrypt, None, |report| steps.push(report.reencrypted)).await.unwrap();
    assert_eq!(steps, [100, 200, 250]);
    assert_eq!((report.reencrypted, values(&report)), (250, vec![250, 0]));
}

#[tokio::test]
async fn what_no_key_reads_is_named_and_left_alone() {
    let (db, _folder) = database().await;
    let lost = add_destinations(&db, &cipher(9, &[]), 1).await.remove(0).0;
    let before = settings::find(&db, &lost).await.unwrap().unwrap();
    let report = run_all(&db, &cipher(2, &[1]), Mode::Reencrypt).await;
    assert_eq!((report.unreadable, report.reencrypted), (1, 0));
    assert_eq!(report.unreadable_rows, [format!("settings/{lost}")]);
    assert_eq!(settings::find(&db, &lost).await.unwrap().unwrap(), before);
}

/// A writer that works all the time, with a configuration that does not know the new key yet or does already.
async fn busy_writer(db: Db, cipher: Cipher, found: Document<Setting>) -> Secret {
    let mut newest = None;
    for _ in 0..30 {
        match settings::rotate_secret(&db, &cipher, &found.id, Timestamp::now()).await {
            Ok(rotated) => newest = Some(rotated.secret),
            Err(settings::SettingError::Stale) => {}
            Err(error) => panic!("{error}"),
        }
    }
    newest.expect("some writes succeed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_the_same_time_lose_nothing() {
    let (db, _folder) = database().await;
    let (old, both) = (cipher(1, &[2]), cipher(2, &[1]));
    add_destinations(&db, &old, 40).await;
    let settings = settings::list(&db, None).await.unwrap();
    let writers: Vec<_> = settings
        .iter()
        .take(4)
        .zip([&old, &both, &old, &both])
        .map(|(found, cipher)| (found.id.clone(), tokio::spawn(busy_writer(db.clone(), cipher.clone(), found.clone()))))
        .collect();
    let runs = [run_all(&db, &both, Mode::Reencrypt), run_all(&db, &both, Mode::Reencrypt)];
    futures::future::join_all(runs).await;
    let mut newest = Vec::new();
    for (id, writer) in writers {
        newest.push((id, writer.await.unwrap()));
    }
    let last = run_all(&db, &both, Mode::Reencrypt).await;
    assert_eq!(last.keys[1].values, 0);
    for (id, secret) in newest {
        let Setting::WebhookDestination { secret: Some(stored), .. } =
            settings::find(&db, &id).await.unwrap().unwrap().data
        else {
            panic!("it has a secret")
        };
        assert_eq!(cipher(2, &[]).decrypt(&stored), Ok(secret), "what was written last");
    }
}

/// Whoever stores ciphertext in another place has to add it to [`PLACES`].
#[tokio::test]
async fn every_place_that_holds_ciphertext_is_known() {
    let (db, _folder) = database().await;
    fill(&db, &cipher(1, &[])).await;
    run_all(&db, &cipher(2, &[1]), Mode::Reencrypt).await;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN
        (SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.name = 'data')";
    let mut seen = 0;
    for table in db.read(tables, vec![]).await.unwrap().rows {
        let sql = format!(
            "SELECT value FROM {}, json_tree(data) WHERE json_tree.type = 'text'",
            table.get::<String>("name").unwrap()
        );
        for row in db.read(sql, vec![]).await.unwrap().rows {
            let text: String = row.get("value").unwrap();
            assert!(cipher(1, &[]).decrypt(&text).is_err(), "{text} is still under the old key");
            seen += usize::from(cipher(2, &[]).decrypt(&text).is_ok());
        }
    }
    assert_eq!(seen, 5);
}
