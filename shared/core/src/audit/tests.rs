use serde_json::{Value as Json, json};

use super::*;
use crate::{
    db::{Db, DbError},
    pagination::{Direction, PageRequest},
    testing::database,
    users::Role,
};

const EVERYTHING: PageRequest = PageRequest { page: 1, limit: 100 };

async fn entries(db: &Db) -> Vec<AuditEntry> {
    list(db, &AuditFilter::default(), Direction::Ascending, EVERYTHING).await.unwrap().data
}

async fn record(db: &Db, entry: Entry) -> Result<(), DbError> {
    db.write(vec![entry.record()]).await.map(drop)
}

#[tokio::test]
async fn an_entry_names_the_caller_of_its_scope_and_the_system_outside() {
    let (db, _folder) = database().await;
    record(&db, entry(Action::UserInvitationsExpired)).await.unwrap();
    let actor = Actor::ApiKey { id: "key".into(), owner_id: "ada".into(), role: Role::User };
    let caller = Caller { actor, address: Some("192.0.2.7".into()), request_id: Some("request".into()) };
    scope(caller, record(&db, entry(Action::FileCreated).on("file"))).await.unwrap();

    let found = entries(&db).await;
    // Of one moment, perhaps.
    let by = |actor: &str| found.iter().find(|entry| entry.actor == actor).expect("an entry");
    let (system, key) = (by("system"), by("api-key"));
    assert_eq!((system.actor.as_str(), &system.user_id, &system.address), ("system", &None, &None));
    assert_eq!(
        (key.actor.as_str(), key.user_id.as_deref(), key.api_key_id.as_deref()),
        ("api-key", Some("ada"), Some("key"))
    );
    assert_eq!((key.role.as_deref(), key.address.as_deref()), (Some("user"), Some("192.0.2.7")));
    assert_eq!((key.request_id.as_deref(), key.resource_id.as_deref()), (Some("request"), Some("file")));
    assert_eq!((key.action.as_str(), key.resource_type.as_str()), ("file.created", "file"));
    assert_eq!(key.user_name, None, "there is no such account any more");
}

#[tokio::test]
async fn an_entry_is_there_exactly_if_the_change_is() {
    let (db, _folder) = database().await;
    let change = |id: &str| {
        let sql = "UPDATE audit_log_end SET kept_from = kept_from WHERE id = ?1";
        Statement::new(sql, params![id]).expecting_one()
    };
    let refused = db.write(vec![change("2"), entry(Action::PromptUpdated).record()]).await;
    assert!(matches!(refused, Err(DbError::Guard)), "{refused:?}");
    assert_eq!(entries(&db).await, []);
}

#[tokio::test]
async fn what_only_the_database_knows_is_recorded_unless_there_is_nothing() {
    let (db, _folder) = database().await;
    let select = "SELECT json_object('count', count(*)) AS details FROM schema_migrations WHERE name > ?14
        HAVING count(*) > 0";
    for least in ["0001", "9999"] {
        db.write(vec![entry(Action::UserInvitationsExpired).record_from(select, params![least])]).await.unwrap();
    }
    let found = entries(&db).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].after, Some(json!({"count": crate::migrations::NEEDED_VERSION})));
}

#[test]
fn only_what_differs_is_kept_and_of_texts_only_that_they_do() {
    let view = |role: &'static str, text: &str| {
        View::new().keep("role", role).keep("flag", true).id("owner", "ada").withhold("text", &text)
    };
    let differences = |before, after| {
        let (before, after) = view::differences(before, after);
        let json = |text: Option<String>| text.map(|text| serde_json::from_str::<Json>(&text).unwrap());
        (json(before), json(after))
    };
    let both = differences(Some(view("user", "secret one")), Some(view("admin", "secret two")));
    let expected = |role: &str| Some(json!({"role": role, "text": "[withheld]"}));
    assert_eq!(both, (expected("user"), expected("admin")));
    assert_eq!(differences(Some(view("user", "same")), Some(view("user", "same"))), (None, None));
    let created = differences(
        None,
        Some(View::new().keep("n", None::<u32>).withhold("text", &None::<String>).label("model", "m")),
    );
    assert_eq!(created, (None, Some(json!({"model": "m"}))));
    let many: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let (_, listed) = differences(None, Some(View::new().ids("ids", &many)));
    assert_eq!(listed.unwrap()["ids"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn rows_are_neither_changed_nor_replaced_nor_deleted() {
    let (db, _folder) = database().await;
    record(&db, entry(Action::PromptDeleted).on("prompt")).await.unwrap();
    let before = entries(&db).await;
    for sql in [
        "UPDATE audit_log SET action = 'prompt.created'",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log (id, at, action, actor, resource_type)
            SELECT id, at, 'prompt.created', actor, resource_type FROM audit_log",
    ] {
        assert!(db.write(vec![Statement::new(sql, params![])]).await.is_err(), "{sql}");
        assert_eq!(entries(&db).await, before, "{sql}");
    }
}

#[tokio::test]
async fn retention_deletes_the_oldest_in_portions_and_nothing_newer() {
    let (db, _folder) = database().await;
    let start: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
    for second in 0..5 {
        let sql = "INSERT INTO audit_log (id, at, action, actor, resource_type)
            VALUES (?1, ?2, 'prompt.created', 'system', 'prompt')";
        let params = params![second.to_string(), start.plus_seconds(second)];
        db.write(vec![Statement::new(sql, params)]).await.unwrap();
    }
    let before = start.plus_seconds(3);
    assert_eq!(delete_before(&db, before, 2).await.unwrap(), 2);
    assert_eq!(delete_before(&db, before, 2).await.unwrap(), 1);
    assert_eq!(delete_before(&db, before, 2).await.unwrap(), 0);
    // A longer retention does not bring back what was allowed to go, and allows nothing new.
    assert_eq!(delete_before(&db, start, 2).await.unwrap(), 0);
    assert!(db.write(vec![Statement::new("DELETE FROM audit_log", params![])]).await.is_err());
    let left: Vec<String> = entries(&db).await.into_iter().map(|entry| entry.id).collect();
    assert_eq!(left, ["3", "4"]);
}

#[tokio::test]
async fn pages_and_exports_show_the_same_in_a_total_order() {
    let (db, _folder) = database().await;
    let at: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
    for id in ["c", "a", "b", "d"] {
        let sql = "INSERT INTO audit_log (id, at, action, actor, user_id, resource_type, resource_id)
            VALUES (?1, ?2, 'prompt.created', 'user', 'ada', 'prompt', ?1)";
        let when = if id == "d" { at.plus_seconds(1) } else { at };
        db.write(vec![Statement::new(sql, params![id, when])]).await.unwrap();
    }
    for (direction, expected) in [(Direction::Ascending, "abcd"), (Direction::Descending, "dcba")] {
        let (mut exported, mut position) = (String::new(), None);
        loop {
            let part = list_from(&db, &AuditFilter::default(), direction, position.as_ref(), 3).await.unwrap();
            exported.extend(part.iter().map(|entry| entry.id.as_str()));
            let Some(last) = part.last() else { break };
            position = Some(Position { at: last.at, id: last.id.clone() });
        }
        assert_eq!(exported, expected);
        let page = list(&db, &AuditFilter::default(), direction, PageRequest { page: 1, limit: 3 }).await.unwrap();
        let paged: String = page.data.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!((paged.as_str(), page.total), (&expected[..3], 4));
    }
    let ids = async |filter: AuditFilter| -> Vec<String> {
        let page = list(&db, &filter, Direction::Ascending, EVERYTHING).await.unwrap();
        page.data.into_iter().map(|entry| entry.id).collect()
    };
    assert_eq!(ids(AuditFilter { from: Some(at.plus_seconds(1)), ..AuditFilter::default() }).await, ["d"]);
    assert_eq!(ids(AuditFilter { to: Some(at), ..AuditFilter::default() }).await, ["a", "b", "c"]);
    assert_eq!(ids(AuditFilter { resource_id: Some("b".into()), ..AuditFilter::default() }).await, ["b"]);
    assert_eq!(
        ids(AuditFilter { action: Some(Action::PromptDeleted), ..AuditFilter::default() }).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_page_far_inside_is_the_same_from_either_end() {
    let (db, _folder) = database().await;
    let sql = "WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 10499)
        INSERT INTO audit_log (id, at, action, actor, resource_type)
        SELECT printf('%05d', i), '2026-01-01T00:00:00.000Z', 'prompt.created', 'system', 'prompt' FROM numbers";
    db.write(vec![Statement::new(sql, params![])]).await.unwrap();
    let ids = async |direction, page| -> Vec<String> {
        let page = list(&db, &AuditFilter::default(), direction, PageRequest { page, limit: 3 }).await.unwrap();
        assert_eq!(page.total, 10_500);
        page.data.into_iter().map(|entry| entry.id).collect()
    };
    assert_eq!(ids(Direction::Ascending, 3500).await, ["10497", "10498", "10499"], "the last page");
    assert_eq!(ids(Direction::Descending, 3499).await, ["00005", "00004", "00003"]);
    assert_eq!(ids(Direction::Descending, 3501).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_index_serves_every_filter_with_its_order() {
    let (db, _folder) = database().await;
    let none = AuditFilter::default;
    let now = Some(Timestamp::now());
    for filter in [
        none(),
        AuditFilter { from: now, to: now, ..none() },
        AuditFilter { user_id: Some("x".into()), from: now, ..none() },
        AuditFilter { action: Some(Action::PromptCreated), to: now, ..none() },
        AuditFilter { resource_type: Some("prompt".into()), ..none() },
        AuditFilter { resource_id: Some("x".into()), ..none() },
    ] {
        let plan = store::plan(&db, &filter).await.unwrap().join("; ");
        assert!(plan.contains("INDEX audit_log_of_") || plan.contains("INDEX audit_log_newest"), "{filter:?}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
    }
}

#[test]
fn actions_have_names_of_their_own() {
    let names: std::collections::BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(names.len(), Action::ALL.len());
    let documented = serde_json::to_value(<Action as utoipa::PartialSchema>::schema()).unwrap()["enum"].clone();
    assert_eq!(documented, json!(Action::ALL));
    for action in Action::ALL {
        assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        assert!(!action.resource_type().is_empty());
    }
}
