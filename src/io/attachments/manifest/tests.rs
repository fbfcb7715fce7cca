//! The file follows the rules: the same changes, in the same order, come to the same as in the pure book.

use super::SqliteManifest;
use coalmine_actors::attachments::{
    AttachmentId, MediaType, Session,
    change::{Change, Quotas, Scope},
    claim::Claim,
    manifest::{Manifest, MemoryManifest},
    meta::CreateMeta,
};
use proptest::prelude::*;
use std::{path::Path, sync::Arc};

const QUOTAS: Quotas = Quotas { session_bytes_max: Some(120), total_bytes_max: Some(200) };

fn id(number: u8) -> AttachmentId {
    AttachmentId::of(&[number])
}

fn session(number: u8) -> Session {
    format!("s{number}").parse().unwrap()
}

fn any_claim() -> impl Strategy<Value = Claim> {
    (0..3u8, 0..6u8, 0..2u8).prop_map(|(of, blob, owner)| Claim {
        session: session(of),
        id: id(blob),
        owner: format!("o{owner}").parse().unwrap(),
    })
}

fn any_scope() -> impl Strategy<Value = Scope> {
    (any_claim(), 0..4u8).prop_map(|(Claim { session, id, owner }, kind)| match kind {
        0 => Scope::Session(session),
        1 => Scope::Owner(session, owner),
        2 => Scope::One(session, id),
        _ => Scope::Everywhere(id),
    })
}

/// One of every kind.
fn any_change() -> impl Strategy<Value = Change> {
    let ids = || prop::collection::vec((0..6u8).prop_map(id), 0..4);
    prop_oneof![
        4 => (any_claim(), 0..9i64).prop_map(|(claim, at_ms)| {
            let byte_len = 20 + u64::from(claim.id.digest()[0] % 40);
            let meta = CreateMeta::default().into_meta(claim.id, byte_len, MediaType::Png, at_ms);
            Change::Intend { claim, meta: Box::new(meta), at_ms, quotas: QUOTAS }
        }),
        4 => (0..6u8).prop_map(|blob| Change::Landed(id(blob))),
        1 => (0..6u8).prop_map(|blob| Change::Lost(id(blob))),
        1 => any_claim().prop_map(Change::Abandon),
        2 => (any_claim(), ids(), 0..9i64).prop_map(|(claim, ids, at_ms)| {
            Change::Commit { session: claim.session, owner: claim.owner, ids, at_ms }
        }),
        1 => (any_claim(), 0..3u8, ids(), 0..9i64).prop_map(|(claim, from, ids, at_ms)| {
            Change::Lend { from: session(from), to: claim.session, owner: claim.owner, ids, at_ms, quotas: QUOTAS }
        }),
        1 => any_scope().prop_map(Change::Release),
        1 => (0..3u8, 0..3u8).prop_map(|(of, to)| Change::Adopt { parent: session(of), child: session(to) }),
        2 => ids().prop_map(Change::Condemn),
        1 => ids().prop_map(Change::Gone),
    ]
}

/// Everything that can be asked.
async fn answers(manifest: &dyn Manifest) -> String {
    let mut said = String::new();
    for number in 0..6 {
        let row = manifest.row(id(number)).await.unwrap();
        said += &format!("{row:?} {}\n", manifest.knows_length(20 + u64::from(number)).await.unwrap());
        for of in 0..3 {
            said += &format!("{:?} ", manifest.holds(session(of), id(number)).await.unwrap());
        }
    }
    for of in 0..3 {
        let list = manifest.list(Some(session(of)), None, 2).await.unwrap();
        said += &format!("{list:?} {:?}\n", manifest.usage(session(of)).await.unwrap());
        said += &format!("{:?}\n", manifest.list(None, list.next, 3).await.unwrap());
    }
    said += &format!("{:?}\n", manifest.totals().await.unwrap());
    said += &format!("{:?}\n", manifest.uncommitted(5, 0, 3).await.unwrap());
    said += &format!("{:?}\n", manifest.uncommitted(5, 1, 9).await.unwrap());
    let window = manifest.orphans(None, 2).await.unwrap();
    said += &format!("{window:?} {:?}\n", manifest.orphans(window.next, 9).await.unwrap());
    said + &format!("{:?} {:?}\n", manifest.unfinished(None, 9).await.unwrap(), manifest.unreadable().await.unwrap())
}

async fn same(path: &Path, batches: Vec<Vec<Change>>) {
    let (pure, file) = (MemoryManifest::default(), SqliteManifest::new(path.to_owned()));
    for batch in batches {
        for stale in [false, true] {
            let mut batch = batch.clone();
            if stale {
                batch = vec![Change::DropStale(pure.uncommitted(4, 0, 2).await.unwrap())];
            }
            let batch = Arc::new(batch);
            let (theirs, ours) = (pure.apply(Arc::clone(&batch)).await, file.apply(Arc::clone(&batch)).await);
            assert_eq!(ours.unwrap(), theirs.unwrap(), "{batch:?}");
        }
        assert_eq!(answers(&file).await, answers(&pure).await);
    }
    // What was answered is in the file.
    let again = SqliteManifest::new(path.to_owned());
    assert_eq!(answers(&again).await, answers(&pure).await);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_file_comes_to_what_the_rules_say(
        batches in prop::collection::vec(prop::collection::vec(any_change(), 0..12), 1..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(same(&folder.path().join("manifest.sqlite"), batches));
    }
}

#[tokio::test]
async fn a_row_that_can_not_be_read_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.sqlite");
    let manifest = SqliteManifest::new(path.clone());
    let claim = Claim { session: session(1), id: id(1), owner: "o".parse().unwrap() };
    let meta = CreateMeta::default().into_meta(claim.id, 5, MediaType::Png, 1);
    let intend = Change::Intend { claim, meta: Box::new(meta), at_ms: 1, quotas: Quotas::default() };
    manifest.apply(Arc::new(vec![intend])).await.unwrap();
    assert_eq!(manifest.unreadable().await.unwrap(), Vec::<String>::new());
    let stranger = rusqlite::Connection::open(&path).unwrap();
    stranger.execute("INSERT INTO refs VALUES ('x', x'00ff', 'o', 'yesterday', NULL)", []).unwrap();
    assert_eq!(manifest.unreadable().await.unwrap(), ["reference of x to 00FF"]);
    assert!(manifest.holds(session(1), id(1)).await.unwrap());
}

#[tokio::test]
async fn a_record_that_can_not_be_read_costs_a_list_that_record_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.sqlite");
    let manifest = SqliteManifest::new(path.clone());
    let mut ids: Vec<_> = (0..5).map(id).collect();
    ids.sort();
    for id in &ids {
        let claim = Claim { session: session(1), id: *id, owner: "o".parse().unwrap() };
        let meta = CreateMeta::default().into_meta(*id, 5, MediaType::Png, 1);
        let intend = Change::Intend { claim, meta: Box::new(meta), at_ms: 1, quotas: Quotas::default() };
        manifest.apply(Arc::new(vec![intend, Change::Landed(*id)])).await.unwrap();
    }
    let stranger = rusqlite::Connection::open(&path).unwrap();
    for (column, value, bad) in [("created_ms", "'yesterday'", 1), ("width", "-1", 2), ("label", "x'00'", 4)] {
        let text = format!("UPDATE blobs SET {column} = {value} WHERE id = ?");
        stranger.execute(&text, [ids[bad].digest()]).unwrap();
    }
    let good = [ids[0], ids[3]];
    for session in [None, Some(session(1))] {
        let page = manifest.list(session.clone(), None, 10).await.unwrap();
        assert_eq!((page.items.iter().map(|meta| meta.id).collect::<Vec<_>>(), page.next), (good.to_vec(), None));
        // Page by page it comes to the same, and to an end.
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = manifest.list(session.clone(), after, 1).await.unwrap();
            listed.extend(page.items.iter().map(|meta| meta.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(listed, good);
    }
    let named = manifest.unreadable().await.unwrap();
    assert_eq!(named.len(), 3, "{named:?}");
}
