//! The file says what it was told, also to the next one who opens it.

use super::SqliteMail;
use coalmine_actors::{
    attachments::{AttachmentId, AttachmentRef, MediaType},
    mail::{
        MailError, MailQuery, MailStore, Message, MessageId, Progress, Reason, Record, State, Step,
        store::{Change, Changed},
    },
    names::Generation,
    registry::document::Intelligence,
};
use jiff::Timestamp;
use std::sync::Arc;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000 + second).unwrap()
}

fn record(number: u128, key: Option<&str>) -> Record {
    let attachment = AttachmentRef {
        id: AttachmentId::of(b"x"),
        media_type: MediaType::Png,
        byte_len: 1,
        width: Some(3),
        height: None,
        label: Some("a map".into()),
    };
    let message = Message {
        id: MessageId::at(1_000_000 + i64::try_from(number).unwrap(), number),
        from: "operator".into(),
        from_kind: Intelligence::Natural,
        to: "claude-bob".parse().unwrap(),
        body: "]]> '; DROP TABLE messages; -- 𝒙\n".into(),
        topic: Some("the build".into()),
        attachments: vec![attachment],
        idempotency_key: key.map(Into::into),
        sent_at: at(0),
        expires_at: Some(at(900)),
    };
    Record { message, progress: Progress::begin(State::Queued, at(0)) }
}

struct Shop {
    store: SqliteMail,
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: SqliteMail::new(folder.path().join("mail.sqlite")), folder }
    }

    async fn apply(&self, changes: Vec<Change>) -> Vec<Changed> {
        self.store.apply(Arc::new(changes)).await.unwrap()
    }

    fn again(self) -> Self {
        Self { store: SqliteMail::new(self.folder.path().join("mail.sqlite")), folder: self.folder }
    }
}

fn step(record: &Record, step: Step, second: i64) -> Change {
    Change::Step { id: record.message.id, step, at: at(second) }
}

#[tokio::test]
async fn what_was_written_is_read_back_whole_and_in_order() {
    let shop = Shop::new();
    let (first, second, third) = (record(2, None), record(1, Some("k")), record(3, None));
    let insert = |record: &Record| Change::Insert(Box::new(record.clone()));
    assert_eq!(shop.apply(vec![insert(&first), insert(&second), insert(&third)]).await, vec![Changed::Inserted; 3]);
    let typed = Step::Type { generation: Generation(7), woke: true };
    let answers = shop.apply(vec![step(&first, typed, 1), step(&third, Step::Cancel, 2)]).await;
    let shop = shop.again();
    let open = shop.store.open().await.unwrap();
    assert_eq!(open.iter().map(|record| record.message.id).collect::<Vec<_>>(), [first.message.id, second.message.id]);
    assert_eq!(open[0].message, first.message);
    assert_eq!(Changed::Stands(open[0].progress.clone()), answers[0]);
    assert_eq!((open[0].progress.generation, open[0].progress.woke), (Some(Generation(7)), true));
    assert_eq!(open[1], second);
    let cancelled = shop.store.get(third.message.id).await.unwrap().unwrap().progress;
    assert_eq!(cancelled.reason, Some(Reason::new("cancelled", "its sender cancelled it")));
    let listed = shop.store.list(MailQuery { limit: Some(2), ..MailQuery::default() }).await.unwrap();
    assert_eq!(listed.iter().map(|record| record.message.id).collect::<Vec<_>>(), [third.message.id, first.message.id]);
    let next = MailQuery { before: Some(first.message.id), ..MailQuery::default() };
    assert_eq!(shop.store.list(next).await.unwrap(), [second]);
}

#[tokio::test]
async fn a_known_key_of_the_same_sender_finds_the_first_message() {
    let shop = Shop::new();
    let (first, again) = (record(1, Some("k")), record(2, Some("k")));
    let mut other = record(3, Some("k"));
    other.message.from = "ann".into();
    let inserts = [&first, &again, &other].map(|record| Change::Insert(Box::new(record.clone())));
    let answers = shop.apply(inserts.into()).await;
    assert_eq!(answers, [Changed::Inserted, Changed::Known(Box::new(first)), Changed::Inserted]);
}

#[tokio::test]
async fn what_does_not_follow_changes_nothing() {
    let shop = Shop::new();
    let first = record(1, None);
    shop.apply(vec![Change::Insert(Box::new(first.clone()))]).await;
    let strange = record(9, None);
    let answers = shop.apply(vec![step(&first, Step::See, 1), step(&strange, Step::Cancel, 1)]).await;
    assert!(matches!(answers[0], Changed::Refused(MailError::WrongState { .. })), "{answers:?}");
    assert_eq!(answers[1], Changed::Refused(MailError::NotFound(strange.message.id)));
    assert_eq!(shop.store.get(first.message.id).await.unwrap().unwrap(), first);
}

#[tokio::test]
async fn only_what_is_over_since_long_is_stale() {
    let shop = Shop::new();
    let (old, young, waits) = (record(1, None), record(2, None), record(3, None));
    let mut bare = record(4, None);
    bare.message.attachments.clear();
    let inserts = [&old, &young, &waits, &bare].map(|record| Change::Insert(Box::new(record.clone())));
    shop.apply(inserts.into()).await;
    shop.apply(vec![step(&old, Step::Cancel, 5), step(&young, Step::Cancel, 50), step(&bare, Step::Expire, 6)]).await;
    let session: coalmine_actors::attachments::Session = "claude-bob".parse().unwrap();
    let stale = shop.store.stale(at(20), 10).await.unwrap();
    assert_eq!(stale, [(old.message.id, Some(session)), (bare.message.id, None)]);
    shop.apply(vec![Change::Forget(vec![old.message.id, bare.message.id])]).await;
    assert_eq!(shop.store.stale(at(20), 10).await.unwrap(), []);
    assert_eq!(shop.store.get(old.message.id).await.unwrap(), None);
}

#[tokio::test]
async fn the_file_is_private_and_of_this_version() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::new();
    shop.apply(vec![Change::Insert(Box::new(record(1, None)))]).await;
    let path = shop.folder.path().join("mail.sqlite");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let stranger = rusqlite::Connection::open(&path).unwrap();
    stranger.pragma_update(None, "user_version", 2).unwrap();
    let shop = shop.again();
    let error = shop.store.open().await.unwrap_err();
    assert!(error.to_string().contains("newer coalmine"), "{error}");
}
