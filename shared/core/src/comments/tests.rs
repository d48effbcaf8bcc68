use serde_json::json;

use super::*;
use crate::testing::database;

fn comment(prompt_id: Option<&str>, execution_id: Option<&str>) -> Comment {
    Comment {
        text: "too long".into(),
        data: CommentData::Generic(GenericCommentData { kind: GenericType::Generic }),
        prompt_id: prompt_id.map(str::to_owned),
        execution_id: execution_id.map(str::to_owned),
        author_id: Some("ada".into()),
    }
}

#[tokio::test]
async fn a_comment_needs_what_it_refers_to() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let missing_prompt = create(&db, comment(Some("p"), None), now).await;
    assert!(matches!(missing_prompt, Err(CommentError::PromptNotFound)));
    let missing_execution = create(&db, comment(None, Some("e")), now).await;
    assert!(matches!(missing_execution, Err(CommentError::ExecutionNotFound)));
}

#[test]
fn stored_data_comes_back_as_it_went_in() {
    for data in [
        json!({"type": "generic"}),
        json!({"type": "execution", "selected_text": "👍 good", "start_offset": 0, "end_offset": 7}),
        json!({"type": "execution", "selected_text": "", "start_offset": 1.5, "end_offset": 2}),
    ] {
        let read: CommentData = serde_json::from_value(data.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), data);
    }
}
