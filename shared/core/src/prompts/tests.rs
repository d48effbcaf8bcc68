use serde_json::{json, value::RawValue};

use super::*;
use crate::{
    pagination::{Direction, PageRequest},
    testing::database,
};

fn greeting() -> NewPrompt {
    NewPrompt {
        name: "greeting".into(),
        prompt: "Hello {{name}}".into(),
        json_schema_response: None,
        json_schema_input: Some(json!({"type": "object", "properties": {"name": {"type": "string"}}})),
        options: None,
    }
}

fn edit(change: impl FnOnce(&mut PromptEdit)) -> PromptEdit {
    let mut edit = PromptEdit::default();
    change(&mut edit);
    edit
}

#[test]
fn only_changed_content_makes_a_version() {
    let now = Timestamp::now();
    let prompt = greeting().into_prompt(now);
    assert_eq!(prompt.json_schema_input.as_ref().unwrap()["additionalProperties"], json!(false));

    let versions_after = |edit: &PromptEdit| prompt.edited(edit, now).versions.len();
    assert_eq!(versions_after(&PromptEdit::default()), 1);
    assert_eq!(versions_after(&edit(|e| e.name = Some("greeting".into()))), 1);
    assert_eq!(versions_after(&edit(|e| e.name = Some("other".into()))), 2);
    let same_schema_in_other_order = json!({"properties": {"name": {"type": "string"}}, "type": "object"});
    let resubmitted = edit(|e| {
        e.prompt = Some("Hello {{name}}".into());
        e.json_schema_input = Some(same_schema_in_other_order);
    });
    assert_eq!(versions_after(&resubmitted), 1, "the unhardened schema in another member order is no change");
}

#[test]
fn an_edit_with_a_prompt_replaces_the_schemas_and_one_without_keeps_them() {
    let now = Timestamp::now();
    let prompt = greeting().into_prompt(now);
    let renamed = prompt.edited(&edit(|e| e.name = Some("other".into())), now);
    assert!(renamed.json_schema_input.is_some());
    assert_eq!((renamed.current_version, renamed.name.as_str()), (2, "other"));

    let removed = prompt.edited(&edit(|e| e.prompt = Some("Hello {{name}}".into())), now);
    assert!(removed.json_schema_input.is_none());
    assert_eq!(removed.current_version, 2, "a removal alone is a change");
    assert!(removed.versions[0].json_schema_input.is_some(), "the old version keeps its schema");
}

#[tokio::test]
async fn names_are_unique_case_sensitively() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let first = create(&db, greeting(), now).await.unwrap();
    assert!(matches!(create(&db, greeting(), now).await, Err(PromptError::NameTaken(name)) if name == "greeting"));
    let other = create(&db, NewPrompt { name: "Greeting".into(), ..greeting() }, now).await.unwrap();
    let rename = edit(|e| e.name = Some("greeting".into()));
    assert!(matches!(update(&db, &other.id, &rename, now).await, Err(PromptError::NameTaken(_))));
    assert!(update(&db, &first.id, &rename, now).await.is_ok(), "its own name is free for a prompt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_edits_lose_nothing() {
    let (db, _folder) = database().await;
    let prompt = create(&db, greeting(), Timestamp::now()).await.unwrap();
    let edits = (0..4).map(|number| {
        let (db, id) = (db.clone(), prompt.id.clone());
        tokio::spawn(async move {
            let edit = edit(|e| e.prompt = Some(format!("text {number}")));
            update(&db, &id, &edit, Timestamp::now()).await.unwrap();
        })
    });
    for task in edits.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let stored = find(&db, &prompt.id).await.unwrap().unwrap();
    assert_eq!(stored.data.versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn search_is_literal_and_folds_ascii_only() {
    let (db, _folder) = database().await;
    for name in ["100% sure", "100 apples", "ÄRGER"] {
        create(&db, NewPrompt { name: name.into(), ..greeting() }, Timestamp::now()).await.unwrap();
    }
    let names = async |search: &str| {
        let page = PageRequest { page: 1, limit: 10 };
        let found = list(&db, search, PromptOrder::Name, Direction::Ascending, page).await.unwrap();
        let name = |text: &RawValue| serde_json::from_str::<String>(text.get()).unwrap();
        found.data.iter().map(|prompt| name(&prompt.data.name)).collect::<Vec<_>>()
    };
    assert_eq!(names("100%").await, ["100% sure"]);
    assert_eq!(names("APPLES").await, ["100 apples"]);
    assert_eq!(names("ärger").await, Vec::<String>::new());
    assert_eq!(names("hello").await.len(), 3, "the text is searched too");
}

#[test]
fn compiles_only_versions_with_an_input_schema() {
    let mut version = greeting().into_prompt(Timestamp::now()).versions.remove(0);
    assert_eq!(compile(&version, r#"{"name": "A&B <\"'/"}"#).unwrap(), "Hello A&B <\"'/");
    assert!(matches!(compile(&version, "plain"), Err(CompileError::NotJson(_))));
    assert!(matches!(compile(&version, r#"{"name": 1}"#), Err(CompileError::Violations(list)) if list.len() == 1));
    version.json_schema_input = None;
    assert_eq!(compile(&version, "plain").unwrap(), "Hello {{name}}");
    assert!(matches!(compile_text("{{#open}}", "{}"), Err(CompileError::BrokenTemplate(_))));
}
