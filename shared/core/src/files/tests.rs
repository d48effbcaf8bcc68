use super::*;
use crate::{params, testing::database};

const PLENTY: UploadLimits = UploadLimits { files: Limit::per_hour(1000), bytes: Limit::per_hour(1_000_000) };

fn greeting(uploaded_by: &str) -> NewFile {
    NewFile {
        name: "greeting".into(),
        original_name: "greeting.txt".into(),
        mime_type: "text/plain".into(),
        base64: "aGVsbG8=".into(),
        uploaded_by: uploaded_by.into(),
        description: None,
        tags: None,
    }
}

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
    let stored = create(&db, greeting("somebody"), PLENTY, Timestamp::now()).await.unwrap();
    assert_eq!(stored.file.data.size, 5);
    assert_eq!(find(&db, &stored.file.id).await.unwrap(), Some(stored.clone()));
    assert_eq!(find_content(&db, &stored.file.id).await.unwrap().unwrap().bytes, b"hello");

    delete(&db, &stored.file.id).await.unwrap();
    assert!(matches!(delete(&db, &stored.file.id).await, Err(FileError::NotFound)));
    assert!(find(&db, &stored.file.id).await.unwrap().is_none());
    let left = db.read("SELECT count(*) AS n FROM file_contents", params![]).await.unwrap();
    assert_eq!(left.first().unwrap().get::<i64>("n").unwrap(), 0);
}

#[tokio::test]
async fn so_many_files_and_bytes_an_hour_and_no_more() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let upload = async |whom: &str, limits, now| match create(&db, greeting(whom), limits, now).await {
        Ok(_) => Ok(()),
        Err(FileError::TooMany(reason)) => Err(reason.retry_after_seconds),
        Err(other) => panic!("{other}"),
    };
    let few_files = UploadLimits { files: Limit::per_hour(2), ..PLENTY };
    let few_bytes = UploadLimits { bytes: Limit::per_hour(12), ..PLENTY };
    for (whom, limits, wait) in [("ada", few_files, 1800), ("bob", few_bytes, 900)] {
        for _ in 0..2 {
            upload(whom, limits, now).await.unwrap();
        }
        assert_eq!(upload(whom, limits, now).await, Err(wait), "{whom}");
        assert_eq!(upload(whom, limits, now.plus_seconds(1800)).await, Ok(()), "{whom}");
    }
    upload("carol", few_files, now).await.unwrap();
    let stored = db.read("SELECT count(*) AS n FROM file_contents", params![]).await.unwrap();
    assert_eq!(stored.first().unwrap().get::<i64>("n").unwrap(), 7, "what was refused is not there");
}
