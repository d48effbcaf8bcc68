use super::*;
use crate::{limits::Limit, testing::database};

const PASSWORD: &str = "correct horse";

async fn admin(db: &Db) -> Document<User> {
    register_first_admin(db, "Ada@Example.com", "Ada", PASSWORD.into(), Timestamp::now()).await.unwrap()
}

/// An attempt from this address, which may make a hundred in an hour.
fn guess(address: &str) -> Take {
    Take::guess(address, Limit::per_hour(100))
}

async fn attempt(db: &Db, password: &str, now: Timestamp) -> bool {
    sign_in(db, "ada@example.com", password.into(), &guess("10.0.0.1"), now).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_one_of_two_first_admins_wins() {
    for _ in 0..20 {
        let (db, _folder) = database().await;
        let race = |name: &'static str| {
            let db = db.clone();
            tokio::spawn(async move {
                register_first_admin(&db, &format!("{name}@example.com"), name, PASSWORD.into(), Timestamp::now()).await
            })
        };
        let (first, second) = (race("ada"), race("bob"));
        let outcomes = [first.await.unwrap(), second.await.unwrap()];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(UserError::AlreadyRegistered))));
    }
}

#[tokio::test]
async fn signs_in_whatever_the_letter_case_of_the_address() {
    let (db, _folder) = database().await;
    let created = admin(&db).await;
    assert_eq!(created.data.email, "ada@example.com");
    let signed_in =
        sign_in(&db, "ADA@example.com", PASSWORD.into(), &guess("10.0.0.1"), Timestamp::now()).await.unwrap();
    assert_eq!(signed_in.id, created.id);
}

#[tokio::test]
async fn five_failures_lock_for_thirty_minutes_and_then_count_anew() {
    let (db, _folder) = database().await;
    admin(&db).await;
    let start = Timestamp::now();
    for _ in 0..4 {
        assert!(!attempt(&db, "wrong", start).await);
    }
    assert!(attempt(&db, PASSWORD, start).await, "the fifth attempt may still be right");
    for _ in 0..5 {
        assert!(!attempt(&db, "wrong", start).await);
    }
    assert!(!attempt(&db, PASSWORD, start).await, "locked");
    assert!(!attempt(&db, PASSWORD, start.plus_seconds(29 * 60)).await, "still locked");
    let later = start.plus_seconds(31 * 60);
    assert!(!attempt(&db, "wrong", later).await);
    assert!(attempt(&db, PASSWORD, later).await, "one mistake after a lock does not lock again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_guesses_cannot_slip_past_the_lock() {
    let (db, _folder) = database().await;
    admin(&db).await;
    let now = Timestamp::now();
    let guesses = (0..12).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { attempt(&db, "wrong", now).await })
    });
    for guess in guesses.collect::<Vec<_>>() {
        assert!(!guess.await.unwrap());
    }
    assert!(!attempt(&db, PASSWORD, now).await);
}

#[tokio::test]
async fn an_imported_hash_is_upgraded_at_sign_in() {
    let (db, _folder) = database().await;
    let mut user = admin(&db).await;
    user.data.password_hash = Some(bcrypt::hash(PASSWORD, 4).unwrap());
    db.write(vec![replace(&user.id, &user.data, user.revision, Timestamp::now())]).await.unwrap();
    assert!(attempt(&db, PASSWORD, Timestamp::now()).await);
    let stored = find(&db, &user.id).await.unwrap().unwrap();
    assert!(stored.data.password_hash.unwrap().starts_with("$argon2id$"));
    assert!(attempt(&db, PASSWORD, Timestamp::now()).await);
}

fn invited(token: &str, expires_at: Timestamp) -> User {
    User {
        email: "new@example.com".into(),
        name: "New".into(),
        role: Role::Viewer,
        status: UserStatus::Pending,
        password_hash: None,
        session_version: 0,
        invitation: Some(Invitation {
            token_digest: digest(token),
            token_encrypted: String::new(),
            expires_at,
            invited_at: expires_at.plus_seconds(-60),
        }),
        invited_by: None,
        profile: None,
    }
}

#[tokio::test]
async fn an_invitation_works_once_and_not_after_its_end() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    db.write(vec![insert("u1", &invited("token", now.plus_seconds(60)), now)]).await.unwrap();
    let refused = |outcome: Result<User, UserError>| matches!(outcome, Err(UserError::InvalidInvitation));
    let activate =
        async |token: &str, now| activate(&db, &token.into(), PASSWORD.into(), &guess("10.0.0.1"), now).await;
    assert!(refused(activate("other", now).await));
    assert!(refused(activate("token", now.plus_seconds(61)).await));
    let user = activate("token", now).await.unwrap();
    assert_eq!((user.status, user.invitation.is_none()), (UserStatus::Active, true));
    assert!(refused(activate("token", now).await), "used up");
}

#[test]
fn an_edit_ends_sessions_and_invitations_when_it_must() {
    let now = Timestamp::now();
    let pending = invited("token", now.plus_seconds(60));
    let edit = |role, status| UserEdit { role, status, ..UserEdit::default() };
    let same = pending.edited(&edit(Some(Role::Viewer), Some(UserStatus::Pending)));
    assert_eq!(same, pending);
    let promoted = pending.edited(&edit(Some(Role::Admin), None));
    assert_eq!((promoted.session_version, promoted.invitation.is_some()), (1, true));
    let active = pending.edited(&edit(None, Some(UserStatus::Active)));
    assert_eq!((active.session_version, active.invitation.is_some()), (1, false));
}

#[tokio::test]
async fn an_admin_who_cannot_sign_in_does_not_count_as_one() {
    let (db, _folder) = database().await;
    let now = Timestamp::now();
    let first = admin(&db).await;
    let without_password = User { role: Role::Admin, status: UserStatus::Active, ..invited("token", now) };
    db.write(vec![insert("u2", &without_password, now)]).await.unwrap();
    assert!(matches!(delete(&db, &first.id).await, Err(UserError::LastAdmin)));
    let demotion = UserEdit { role: Some(Role::User), ..UserEdit::default() };
    assert!(matches!(update(&db, &first.id, &demotion, now).await, Err(UserError::LastAdmin)));
    delete(&db, "u2").await.unwrap();
    assert!(matches!(delete(&db, "u2").await, Err(UserError::NotFound)));
}
