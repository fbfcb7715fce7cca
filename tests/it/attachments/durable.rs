//! The manifest: locked, read-only, with a row that nobody can read; and a fleet that must last.

use super::{
    Shop,
    conformance::noise,
    disk::{blob, files},
};
use crate::support::{Rig, Root, helper, is_root, skip};
use coalmine::{
    Fleet,
    config::{Config, attachments::AttachmentsConfig},
    io::{
        attachments::{Disk, InMemory},
        clock::HostClock,
    },
};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentStore, Attachments, AttachmentsParts, CreateMeta, Intent, Owner,
        Session, SweepOptions,
        book::BlobRow,
        change::{BlobState, Change, Changed, Scope},
        manifest::{Manifest, MemoryManifest, Orphans, Totals},
        store::Page,
        tier::{DurabilityTier, Persistence},
    },
    error::FleetError,
    ports::{Answer, BoxFuture},
};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const NOW: SweepOptions = SweepOptions { grace: Duration::ZERO, dry_run: false };

fn why(error: FleetError) -> String {
    match error {
        FleetError::Attachment(AttachmentError::ManifestRecordFailed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_manifest_is_locked_puts_say_why_and_gets_go_on() {
    let shop = Shop::new().await;
    let bob = shop.session("live-bob");
    let id = bob.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    shop.attachments.flush(Duration::from_secs(5)).await.unwrap();
    let stranger = rusqlite::Connection::open(shop.folder.path().join("attachments/manifest.sqlite")).unwrap();
    stranger.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = files(&shop.folder.path().join("attachments/blobs"));
    for length in [100, 200_000] {
        let reason = why(bob.put(noise(2, length), CreateMeta::default()).await.unwrap_err());
        assert!(reason.contains("locked"), "{reason}");
        assert_eq!(files(&shop.folder.path().join("attachments/blobs")), before, "no bytes landed");
        assert_eq!(files(&shop.folder.path().join("attachments/staging")), Vec::<String>::new());
    }
    assert_eq!(bob.get(id).await.unwrap().0.byte_len, 100);
    stranger.execute_batch("ROLLBACK").unwrap();
    bob.put(noise(2, 100), CreateMeta::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_read_only_disk_puts_say_why_and_gets_go_on() {
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=6m,mode=700")) {
        return skip("a read-only manifest refuses puts", "a file system can only be mounted by root");
    }
    let open = || async {
        let store = Disk::open(&root.path().join("attachments"), Arc::new(HostClock), super::BYTES_MAX).unwrap();
        super::attachments(root.path(), Arc::new(store), Default::default()).await
    };
    let attachments = open().await;
    let bob = attachments.session("live".parse().unwrap(), Owner::whole());
    let id = bob.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    attachments.flush(Duration::from_secs(5)).await.unwrap();
    drop((bob, attachments));
    let remount = || async {
        let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(root.path()).output().unwrap();
        remounted.status.success().then_some(())
    };
    crate::support::eventually("nobody has the disk open for writing", remount).await;
    let attachments = open().await;
    let bob = attachments.session("live".parse().unwrap(), Owner::whole());
    for length in [100, 200_000] {
        let refused = bob.put(noise(2, length), CreateMeta::default()).await.unwrap_err();
        assert!(refused.chain().to_lowercase().contains("read-only"), "{}", refused.chain());
    }
    assert_eq!(bob.get(id).await.unwrap().0.byte_len, 100);
    assert_eq!(attachments.open(id, None).await.unwrap().collect().await.unwrap().0.id, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_nobody_can_read_stops_removal_and_is_named() {
    let shop = Shop::new().await;
    let bob = shop.session("live-bob");
    let id = bob.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    bob.delete(id).await.unwrap();
    let path = shop.folder.path().join("attachments/manifest.sqlite");
    let stranger = rusqlite::Connection::open(path).unwrap();
    stranger.execute("INSERT INTO refs VALUES ('live-x', x'00ff', 'o', 'yesterday', NULL)", []).unwrap();
    let report = shop.attachments.sweep(NOW).await.unwrap();
    assert_eq!((report.condemned, report.removed), (1, 0), "marked and not removed");
    assert_eq!(report.unreadable, ["reference of live-x to 00FF"]);
    assert!(!report.is_clean() && blob(shop.folder.path(), id).exists());
    // Put again meanwhile, it is nobody's to remove.
    bob.put(noise(1, 100), CreateMeta::default()).await.unwrap();
    bob.get(id).await.unwrap();
    bob.delete(id).await.unwrap();
    stranger.execute("DELETE FROM refs WHERE session = 'live-x'", []).unwrap();
    assert_eq!(shop.attachments.sweep(NOW).await.unwrap().removed, 1);
    assert!(!blob(shop.folder.path(), id).exists());
}

/// A manifest whose next transaction panics in the actor that asks for it.
#[derive(Default)]
struct Panics(MemoryManifest, AtomicBool);

impl Manifest for Panics {
    fn apply(&self, changes: Arc<Vec<Change>>) -> BoxFuture<Result<Vec<Changed>, FleetError>> {
        assert!(!self.1.swap(false, Ordering::Relaxed), "as ordered: the transaction panics");
        self.0.apply(changes)
    }
    fn holds(&self, session: Session, id: AttachmentId) -> Answer<bool> {
        self.0.holds(session, id)
    }
    fn owes(&self, id: AttachmentId) -> Answer<bool> {
        self.0.owes(id)
    }
    fn row(&self, id: AttachmentId) -> Answer<Option<BlobRow>> {
        self.0.row(id)
    }
    fn knows_length(&self, byte_len: u64) -> Answer<bool> {
        self.0.knows_length(byte_len)
    }
    fn usage(&self, session: Session) -> Answer<(u64, u64)> {
        self.0.usage(session)
    }
    fn totals(&self) -> Answer<Totals> {
        self.0.totals()
    }
    fn list(&self, session: Option<Session>, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        self.0.list(session, after, limit)
    }
    fn uncommitted(&self, before_ms: i64, skip: usize, limit: usize) -> Answer<Vec<Intent>> {
        self.0.uncommitted(before_ms, skip, limit)
    }
    fn orphans(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Orphans> {
        self.0.orphans(after, limit)
    }
    fn unfinished(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Vec<(AttachmentId, BlobState)>> {
        self.0.unfinished(after, limit)
    }
    fn unreadable(&self) -> Answer<Vec<String>> {
        self.0.unreadable()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bug_in_the_actor_costs_whoever_met_it_an_error_and_nobody_else_anything() {
    let manifest = Arc::new(Panics::default());
    let parts = AttachmentsParts {
        store: Arc::new(InMemory::new(Arc::new(HostClock), super::BYTES_MAX)),
        manifest: Arc::clone(&manifest) as Arc<dyn Manifest>,
        owners: Arc::new(super::ByName),
        clock: Arc::new(HostClock),
        journal: None,
        quotas: Default::default(),
        grace: Duration::ZERO,
        sweep_every: None,
    };
    let attachments = Attachments::start(parts, None).await.unwrap();
    let bob = attachments.session("live-bob".parse().unwrap(), Owner::whole());
    let kept = bob.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    manifest.1.store(true, Ordering::Relaxed);
    let failed = bob.put(noise(2, 100), CreateMeta::default()).await.unwrap_err();
    assert!(matches!(failed, FleetError::Unavailable { .. }), "{failed:?}");
    let again = || async { bob.put(noise(2, 100), CreateMeta::default()).await.ok() };
    let put = crate::support::eventually("its successor serves", again).await;
    bob.commit(vec![kept, put.id]).await.unwrap();
    assert_eq!(attachments.sweep(NOW).await.unwrap().removed, 0);
    assert_eq!(bob.list(None, 10).await.unwrap().items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_fleet_with_ephemeral_attachments_refuses_to_start_and_names_them() {
    let root = Root::new();
    let ephemeral = AttachmentsConfig { persistence: Persistence::Ephemeral, ..AttachmentsConfig::default() };
    let config = Config { attachments: ephemeral, ..Config::default() };
    let start = |config: Config| Fleet::builder().root(root.path()).helper(helper()).config(config).start();
    let refused = start(config.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("attachments"), "{refused}");
    let given = Arc::new(InMemory::new(Arc::new(HostClock), 1_000));
    let refused = Fleet::builder().root(root.path()).helper(helper()).attachments(given).start().await.unwrap_err();
    assert!(refused.to_string().contains("attachments"), "{refused}");
    let fleet = start(Config { tier: DurabilityTier::Inline, ..config }).await.unwrap();
    assert_eq!(fleet.attachments().tier(), DurabilityTier::Inline);
    assert!(!root.path().join("attachments").exists(), "nothing is kept");
    let store = fleet.attachments().session(Session::operator(), Owner::whole());
    let id = store.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    assert_eq!(store.get(id).await.unwrap().0.byte_len, 100);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_references_of_a_removed_peer_end_with_it() {
    let rig = Rig::new().await;
    let created = rig.fleet.create(rig.script("bob", "exec sleep 60")).await.unwrap();
    let session: Session = created.peer.identity.to_string().parse().unwrap();
    let attachments = rig.fleet.attachments();
    let bob = attachments.session(session.clone(), "turn1".parse().unwrap());
    let id = bob.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    assert_eq!(attachments.sweep(NOW).await.unwrap().intents_dropped, 0, "bob lives, however old his intent is");
    bob.commit(vec![id]).await.unwrap();
    assert_eq!(attachments.sweep(NOW).await.unwrap().removed, 0);
    rig.fleet.remove("bob", true).await.unwrap();
    assert_eq!(attachments.list(Some(session.clone()), None, 10).await.unwrap().items, []);
    assert_eq!(attachments.sweep(NOW).await.unwrap().removed, 1);
    assert_eq!(attachments.release(Scope::Session(session)).await.unwrap(), 0);
}
