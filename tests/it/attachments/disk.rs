//! What lies on the disk: private, never through a link, never damaged and called good, nothing left of what failed.

use super::{BYTES_MAX, Shop, conformance::noise, disk, private_folder};
use crate::support::{Root, is_root, skip};
use bytes::Bytes;
use coalmine::io::{attachments::Disk, clock::HostClock};
use coalmine_actors::{
    attachments::{AttachmentError, AttachmentId, AttachmentStore, CreateMeta, store::ByteRange},
    error::FleetError,
};
use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Something that is done to a file.
type Damage = Box<dyn Fn(&Path)>;

/// Where the bytes of an attachment are.
pub fn blob(folder: &Path, id: AttachmentId) -> PathBuf {
    let name = id.to_string();
    folder.join("attachments/blobs").join(&name[..2]).join(name)
}

/// The names of all files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn is_corrupt<T: std::fmt::Debug>(result: Result<T, FleetError>, id: AttachmentId) -> String {
    match result {
        Err(FleetError::Attachment(AttachmentError::Corrupt { id: of, found })) if of == id => found,
        other => panic!("not corrupt: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_bytes_are_never_returned_as_good_and_the_next_put_heals_them() {
    let bytes = noise(1, 700_000);
    let id = AttachmentId::of(&bytes);
    let cut = |at: u64| move |path: &Path| fs::File::options().write(true).open(path).unwrap().set_len(at).unwrap();
    let flip = |at: u64| {
        move |path: &Path| {
            let mut file = fs::File::options().read(true).write(true).open(path).unwrap();
            let mut byte = [0];
            file.seek(SeekFrom::Start(at)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&[byte[0] ^ 1]).unwrap();
        }
    };
    let longer = |path: &Path| fs::File::options().append(true).open(path).unwrap().write_all(b"x").unwrap();
    let damages: [Damage; 6] = [
        Box::new(cut(0)),
        Box::new(cut(699_999)),
        Box::new(longer),
        Box::new(flip(0)),
        Box::new(flip(350_000)),
        Box::new(flip(699_999)),
    ];
    for damage in damages {
        let shop = Shop::new().await;
        let bob = shop.session("live-bob");
        bob.put(bytes.clone(), CreateMeta::default()).await.unwrap();
        let path = blob(shop.folder.path(), id);
        damage(&path);
        is_corrupt(bob.get(id).await, id);
        assert!(!path.exists(), "the bad copy is put aside");
        let aside = files(&shop.folder.path().join("attachments/quarantine"));
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert!(matches!(
            bob.get(id).await,
            Err(FleetError::Attachment(AttachmentError::NotFound(missing))) if missing == id
        ));
        bob.put(bytes.clone(), CreateMeta::default()).await.unwrap();
        assert_eq!(bob.get(id).await.unwrap().1, bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_damaged_bytes_is_not_returned_either() {
    let folder = private_folder();
    let store = disk(folder.path());
    let bytes = noise(2, 700_000);
    let id = store.put(bytes, CreateMeta::default()).await.unwrap().id;
    let mut file = fs::File::options().write(true).open(blob(folder.path(), id)).unwrap();
    file.seek(SeekFrom::Start(699_000)).unwrap();
    file.write_all(b"damage").unwrap();
    // The damage is outside of the part.
    let part = store.open(id, Some(ByteRange { start: 0, end: 10 })).await.unwrap();
    is_corrupt(part.collect().await, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_record_is_named_and_the_next_put_brings_it_back() {
    let shop = Shop::new().await;
    let bob = shop.session("live-bob");
    let id = bob.put(noise(3, 100), CreateMeta::default()).await.unwrap().id;
    let record = blob(shop.folder.path(), id).with_extension("json");
    for damage in ["", "{\"version\":1,", "[]"] {
        fs::write(&record, damage).unwrap();
        let lost = bob.get(id).await;
        assert!(matches!(lost, Err(FleetError::Attachment(AttachmentError::MissingMeta(_)))), "{lost:?}");
        assert_eq!(shop.attachments.verify().await.unwrap().unreadable, [id]);
        bob.put(noise(3, 100), CreateMeta::default()).await.unwrap();
        assert_eq!(bob.get(id).await.unwrap().0.byte_len, 100);
    }
    fs::remove_file(&record).unwrap();
    assert!(bob.get(id).await.is_err());
    bob.put(noise(3, 100), CreateMeta::default()).await.unwrap();
    assert!(bob.get(id).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_link_is_not_followed() {
    let folder = private_folder();
    let store = disk(folder.path());
    let bytes = Bytes::from_static(b"what somebody means to store");
    let id = AttachmentId::of(&bytes);
    let secret = folder.path().join("secret");
    fs::write(&secret, &bytes).unwrap();
    let place = blob(folder.path(), id);

    // In the place of the bytes, to a file that has the very same ones.
    symlink(&secret, &place).unwrap();
    fs::write(place.with_extension("json"), "{}").unwrap();
    assert!(store.get(id).await.is_err());
    assert!(store.stat(id).await.is_err());
    let strange = store.tidy(i64::MAX, false).await.unwrap().strange;
    assert!(strange.iter().any(|name| name.ends_with(&id.to_string())), "{strange:?}");
    store.put(bytes.clone(), CreateMeta::default()).await.unwrap();
    assert!(fs::symlink_metadata(&place).unwrap().is_file(), "the link was put aside");
    assert_eq!(store.get(id).await.unwrap().1, bytes);
    store.delete(id).await.unwrap();
    assert_eq!(fs::read(&secret).unwrap(), bytes);

    // In the place of the folder.
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir_all(place.parent().unwrap()).unwrap();
    symlink(&elsewhere, place.parent().unwrap()).unwrap();
    assert!(store.put(bytes.clone(), CreateMeta::default()).await.is_err());
    assert_eq!(files(&elsewhere), Vec::<String>::new());
    fs::write(elsewhere.join(id.to_string()), &bytes).unwrap();
    assert!(store.get(id).await.is_err());
    assert!(!store.delete(id).await.unwrap_or(false) && elsewhere.join(id.to_string()).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_in_the_place_of_bytes_neither_hangs_nor_is_read() {
    let folder = private_folder();
    let store = disk(folder.path());
    let id = AttachmentId::of(b"x");
    let place = blob(folder.path(), id);
    let fifo = std::process::Command::new("mkfifo").arg(&place).status().unwrap();
    assert!(fifo.success());
    assert!(store.get(id).await.is_err());
    assert_eq!(store.put(Bytes::from_static(b"x"), CreateMeta::default()).await.unwrap().id, id);
    assert_eq!(store.get(id).await.unwrap().1, "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_private_and_strange_ones_are_named_and_stay() {
    let shop = Shop::new().await;
    shop.session("live").put(noise(4, 100_000), CreateMeta::default()).await.unwrap();
    let root = shop.folder.path().join("attachments");
    for file in files(&root) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    for folder in ["", "blobs", "blobs/00", "staging", "quarantine"] {
        assert_eq!(fs::metadata(root.join(folder)).unwrap().permissions().mode() & 0o777, 0o700, "{folder}");
    }
    let wrong_folder = format!("blobs/00/{}", AttachmentId::of(b"not of this folder"));
    let strange = ["notes.txt", "blobs/00/README", "staging/core", wrong_folder.as_str()];
    strange.iter().for_each(|name| fs::write(root.join(name), "x").unwrap());
    let options = coalmine_actors::attachments::SweepOptions { grace: std::time::Duration::ZERO, dry_run: false };
    let mut report = shop.attachments.sweep(options).await.unwrap();
    report.strange.sort();
    let mut named: Vec<_> = strange.iter().map(ToString::to_string).collect();
    named.sort();
    assert_eq!(report.strange, named);
    assert!(strange.iter().all(|name| root.join(name).exists()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_unfinished_write_goes_and_one_that_is_under_way_stays_however_old() {
    let shop = Shop::new().await;
    let staging = shop.folder.path().join("attachments/staging");
    let now_ns = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let hours = |hours: u64| now_ns - hours * 3_600_000_000_000;
    fs::write(staging.join(format!("{}-7", hours(30))), "left by a process that died").unwrap();
    fs::write(staging.join(format!("{}-8", hours(1))), "young").unwrap();
    let mut upload = shop.store.upload(None, CreateMeta::default()).await.unwrap();
    upload.write(noise(5, 300_000)).await.unwrap();
    let three = || async { (files(&staging).len() == 3).then_some(()) };
    crate::support::eventually("the writer has begun its file", three).await;
    let day =
        coalmine_actors::attachments::SweepOptions { grace: std::time::Duration::from_secs(24 * 3600), dry_run: false };
    let report = shop.attachments.sweep(day).await.unwrap();
    assert_eq!((report.staging_removed, report.staging_bytes), (1, 27));
    let now = coalmine_actors::attachments::SweepOptions { grace: std::time::Duration::ZERO, dry_run: false };
    assert_eq!(shop.attachments.sweep(now).await.unwrap().staging_removed, 1);
    assert!(upload.finish().await.is_ok());
    assert_eq!(files(&staging), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_leaves_no_temporary_file_and_no_blob() {
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=6m,mode=700")) {
        return skip("a full disk leaves nothing of a put", "a small file system can only be mounted by root");
    }
    let store = Disk::open(&root.path().join("attachments"), Arc::new(HostClock), 64 * 1024 * 1024).unwrap();
    let attachments = super::attachments(root.path(), Arc::new(store), Default::default()).await;
    let bob = attachments.session("live".parse().unwrap(), "t".parse().unwrap());
    let kept = bob.put(noise(1, 100_000), CreateMeta::default()).await.unwrap().id;
    let before = files(&root.path().join("attachments/blobs"));
    for seed in 2..6 {
        let full = bob.put(noise(seed, 16 * 1024 * 1024), CreateMeta::default()).await.unwrap_err();
        assert!(full.chain().contains("No space left"), "{}", full.chain());
        assert_eq!(files(&root.path().join("attachments/blobs")), before);
        assert_eq!(files(&root.path().join("attachments/staging")), Vec::<String>::new());
    }
    // Few bytes are written by another way.
    let ballast = crate::daemon::disk::fill(root.path());
    for seed in 10..14 {
        assert!(bob.put(noise(seed, 50_000), CreateMeta::default()).await.is_err());
        assert_eq!(files(&root.path().join("attachments/staging")), Vec::<String>::new());
        assert_eq!(files(&root.path().join("attachments/blobs")), before);
    }
    fs::remove_file(ballast).unwrap();
    assert!(bob.put(noise(20, 100_000), CreateMeta::default()).await.is_ok());
    assert_eq!(bob.get(kept).await.unwrap().0.byte_len, 100_000);
}

#[tokio::test]
async fn nothing_is_stored_in_a_folder_that_is_not_private() {
    let folder = private_folder();
    disk(folder.path());
    let blobs = folder.path().join("attachments/blobs");
    fs::set_permissions(&blobs, PermissionsExt::from_mode(0o755)).unwrap();
    let refused = Disk::open(&folder.path().join("attachments"), Arc::new(HostClock), BYTES_MAX);
    assert!(matches!(refused.err(), Some(FleetError::Unsafe { .. })));
}
