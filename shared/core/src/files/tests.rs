use super::*;
use crate::{params, testing::database};

#[test]
fn base64_is_the_standard_alphabet_with_padding() {
    for good in ["aGVsbG8=", "aGk=", "YQ==", "+/+/", ""] {
        assert!(is_base64(good), "{good}");
    }
    for bad in ["aGk", "aGk=\n", "-_-_", "data:text/plain;base64,aGk=", "a", "====", "YR=="] {
        assert!(!is_base64(bad), "{bad}");
    }
}

#[tokio::test]
async fn content_goes_with_its_file() {
    let (db, _folder) = database().await;
    let new = NewFile {
        name: "greeting".into(),
        original_name: "greeting.txt".into(),
        mime_type: "text/plain".into(),
        base64: "aGVsbG8=".into(),
        uploaded_by: "somebody".into(),
        description: None,
        tags: None,
    };
    let stored = create(&db, new, Timestamp::now()).await.unwrap();
    assert_eq!(stored.file.data.size, 5);
    assert_eq!(find(&db, &stored.file.id).await.unwrap(), Some(stored.clone()));
    assert_eq!(find_content(&db, &stored.file.id).await.unwrap().unwrap().bytes, b"hello");

    delete(&db, &stored.file.id).await.unwrap();
    assert!(matches!(delete(&db, &stored.file.id).await, Err(FileError::NotFound)));
    assert!(find(&db, &stored.file.id).await.unwrap().is_none());
    let left = db.read("SELECT count(*) AS n FROM file_contents", params![]).await.unwrap();
    assert_eq!(left.first().unwrap().get::<i64>("n").unwrap(), 0);
}
