use super::*;
use crate::{
    pagination::{Direction, PageRequest},
    testing::database,
};

fn group(mode: TestDataMode) -> TestDataGroup {
    TestDataGroup { name: "cases".into(), description: None, mode }
}

fn item(content: &str) -> NewItem {
    NewItem { name: None, content: content.into() }
}

fn to(mode: TestDataMode) -> GroupEdit {
    GroupEdit { name: None, description: None, mode }
}

#[tokio::test]
async fn items_of_one_request_keep_their_order() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let group = create_group(&db, group(TestDataMode::Raw), now).await.unwrap();
    let contents: Vec<String> = (0..1000).map(|number| format!("item {number}")).collect();
    let created = create_items(&db, &group.id, contents.iter().map(|text| item(text)).collect(), now).await.unwrap();
    assert!(created.iter().map(|item| &item.data.content).eq(&contents));

    let page = PageRequest { page: 1, limit: 1000 };
    let oldest_first =
        list_items(&db, &group.id, "", TestDataOrder::Created, Direction::Ascending, page).await.unwrap();
    assert!(oldest_first.data.iter().map(|item| &item.data.content).eq(&contents));
    let runs = list_run_items(&db, &group.id, true, 3).await.unwrap();
    let newest: Vec<_> = runs.iter().map(|item| item.content.as_deref().unwrap()).collect();
    assert_eq!(newest, ["item 999", "item 998", "item 997"]);
    assert!(list_run_items(&db, &group.id, false, 1).await.unwrap()[0].content.is_none());
}

#[tokio::test]
async fn documents_come_back_as_they_went_in() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let group = create_group(&db, group(TestDataMode::Raw), now).await.unwrap();
    let content = "{\"last_name\": \"March 7\", \"n\": 1.0, \"q\": \"\\\"\\u00e4\u{1f600}\\n\"}\t'?1'";
    let new = NewItem { name: Some(String::new()), content: content.into() };
    let id = create_items(&db, &group.id, vec![new], now).await.unwrap().remove(0).id;
    let found = find_item(&db, &id).await.unwrap().unwrap();
    assert_eq!((found.data.content.as_str(), found.data.name.as_deref()), (content, Some("")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_group_never_ends_up_with_something_else() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    for round in 0..5 {
        let new = TestDataGroup { name: format!("group {round}"), ..group(TestDataMode::Raw) };
        let id = create_group(&db, new, now).await.unwrap().id;
        let switch = tokio::spawn({
            let (db, id) = (db.clone(), id.clone());
            async move { update_group(&db, &id, &to(TestDataMode::Json), now).await }
        });
        let added = create_item(&db, &id, item("no JSON"), now).await;
        let switched = switch.await.unwrap();
        let both = switched.is_ok() && added.is_ok();
        assert!(!both, "{switched:?} {added:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_item_outlives_its_group() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let id = create_group(&db, group(TestDataMode::Json), now).await.unwrap().id;
    let adding = tokio::spawn({
        let (db, id) = (db.clone(), id.clone());
        async move { while create_item(&db, &id, item("1"), now).await.is_ok() {} }
    });
    delete_group(&db, &id).await.unwrap();
    adding.await.unwrap();
    let rows = db.read("SELECT count(*) AS n FROM test_data_items", vec![]).await.unwrap();
    assert_eq!(rows.first().unwrap().get::<i64>("n").unwrap(), 0);
}

#[tokio::test]
async fn a_group_run_sees_that_items_changed() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let id = create_group(&db, group(TestDataMode::Raw), now).await.unwrap().id;
    let created = create_items(&db, &id, vec![item("a"), item("b")], now).await.unwrap();
    let items = list_run_items(&db, &id, false, 10).await.unwrap();
    assert!(db.write(vec![unchanged_items(&id, &items)]).await.is_ok());
    let edit = ItemEdit { content: Some("c".into()), ..ItemEdit::default() };
    update_item(&db, &created[0].id, &edit, now).await.unwrap();
    assert!(matches!(db.write(vec![unchanged_items(&id, &items)]).await, Err(DbError::Guard)));
}
