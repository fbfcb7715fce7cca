//! What every store of attachments does: one suite, which each of them passes, and for each claim of it a store that
//! is broken on purpose and fails it.

use super::{
    BYTES_MAX, Shop,
    broken::{Broken, How},
    disk, private_folder,
};
use bytes::Bytes;
use coalmine::io::{attachments::InMemory, clock::HostClock};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentStore, CreateMeta, MediaType,
        store::{ByteRange, CHUNK_BYTES},
    },
    error::FleetError,
};
use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc};

type Store = Arc<dyn AttachmentStore>;
type Claim = fn(Store) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Every claim, and the store that must fail it.
const CLAIMS: [(&str, Claim, How); 12] = [
    ("the same bytes are stored once, under one id", |store| Box::pin(same_bytes(store)), How::IdsDependOnTheLabel),
    ("identity and length come from the bytes", |store| Box::pin(identity(store)), How::LengthsLie),
    ("what was put comes back", |store| Box::pin(comes_back(store)), How::LosesTheLastByte),
    ("pieces make the same attachment, however they are cut", |store| Box::pin(pieces(store)), How::LosesThePieces),
    ("a range is that part", |store| Box::pin(ranges(store)), How::RangesAreOffByOne),
    ("what is not there is not found", |store| Box::pin(not_found(store)), How::InventsWhatIsMissing),
    ("what was deleted is gone", |store| Box::pin(deleted(store)), How::DeletesNothing),
    ("a listing has each attachment once, by id", |store| Box::pin(listed(store)), How::PagesSkip),
    ("an upload that is dropped leaves nothing", |store| Box::pin(dropped(store)), How::PublishesTooEarly),
    ("what is too large is refused and leaves nothing", |store| Box::pin(too_large(store)), How::HasNoLimit),
    ("a false image is refused and leaves nothing", |store| Box::pin(false_image(store)), How::BelievesEverything),
    ("the record is what the first one said", |store| Box::pin(recorded(store)), How::ForgetsTheRecord),
];

fn check(holds: bool, what: impl std::fmt::Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what:?}")) }
}

fn named(label: &str) -> CreateMeta {
    CreateMeta { label: Some(label.into()), ..CreateMeta::default() }
}

fn said(error: FleetError) -> String {
    error.chain()
}

/// Bytes that look like nothing, the same every time.
pub fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(length);
    bytes.into()
}

async fn count(store: &Store) -> Result<usize, String> {
    Ok(store.list(None, 1_000).await.map_err(said)?.items.len())
}

async fn same_bytes(store: Store) -> Result<(), String> {
    let first = store.put(noise(1, 5_000), named("first")).await.map_err(said)?;
    let second = store.put(noise(1, 5_000), named("second")).await.map_err(said)?;
    check(first.id == second.id, (&first, &second))?;
    check(second.label.as_deref() == Some("second"), &second)?;
    check(count(&store).await? == 1, "stored twice")
}

async fn identity(store: Store) -> Result<(), String> {
    for length in [0, 1, 4_096, 300_000] {
        let bytes = noise(2, length);
        let put = store.put(bytes.clone(), CreateMeta::default()).await.map_err(said)?;
        check((put.id, put.byte_len) == (AttachmentId::of(&bytes), length as u64), &put)?;
        let stat = store.stat(put.id).await.map_err(said)?;
        check((stat.id, stat.byte_len) == (put.id, put.byte_len), &stat)?;
    }
    Ok(())
}

async fn comes_back(store: Store) -> Result<(), String> {
    for length in [0, 1, 65_536, 65_537, CHUNK_BYTES, 3 * CHUNK_BYTES + 1] {
        let bytes = noise(3, length);
        let put = store.put(bytes.clone(), CreateMeta::default()).await.map_err(said)?;
        let (meta, found) = store.get(put.id).await.map_err(said)?;
        check(found == bytes && meta.byte_len == length as u64, length)?;
    }
    Ok(())
}

async fn pieces(store: Store) -> Result<(), String> {
    let bytes = noise(4, 500_000);
    for cut in [1_000, 65_536, 250_001] {
        let mut upload = store.upload(None, CreateMeta::default()).await.map_err(said)?;
        for piece in bytes.chunks(cut) {
            upload.write(Bytes::copy_from_slice(piece)).await.map_err(said)?;
        }
        let put = upload.finish().await.map_err(said)?;
        check(put.id == AttachmentId::of(&bytes), cut)?;
        check(store.get(put.id).await.map_err(said)?.1 == bytes, cut)?;
    }
    let mut short = store.upload(Some(10), CreateMeta::default()).await.map_err(said)?;
    short.write(noise(4, 9)).await.map_err(said)?;
    check(short.finish().await.is_err(), "nine bytes of ten")
}

async fn ranges(store: Store) -> Result<(), String> {
    let bytes = noise(5, 2 * CHUNK_BYTES + 100);
    let id = store.put(bytes.clone(), CreateMeta::default()).await.map_err(said)?.id;
    let length = bytes.len();
    let border = CHUNK_BYTES;
    for (start, end) in [(0, 1), (0, length), (border - 1, border + 1), (border, 2 * border), (length - 1, length + 9)]
    {
        let range = ByteRange { start: start as u64, end: end as u64 };
        let (_, part) = store.open(id, Some(range)).await.map_err(said)?.collect().await.map_err(said)?;
        check(part == bytes[start..end.min(length)], (start, end, part.len()))?;
    }
    let behind = ByteRange { start: length as u64, end: length as u64 + 1 };
    let refused = store.open(id, Some(behind)).await;
    let is_bad = matches!(refused, Err(FleetError::Attachment(AttachmentError::BadRange { .. })));
    check(is_bad, "a range behind the end")
}

async fn not_found(store: Store) -> Result<(), String> {
    let nobody = AttachmentId::of(b"nobody");
    let not_found =
        |error: FleetError| matches!(error, FleetError::Attachment(AttachmentError::NotFound(id)) if id == nobody);
    check(store.stat(nobody).await.is_err_and(not_found), "stat")?;
    check(store.get(nobody).await.is_err_and(not_found), "get")
}

async fn deleted(store: Store) -> Result<(), String> {
    let id = store.put(noise(6, 5_000), CreateMeta::default()).await.map_err(said)?.id;
    check(store.delete(id).await.map_err(said)?, "it was there")?;
    check(store.get(id).await.is_err(), "it is still there")?;
    check(!store.delete(id).await.map_err(said)?, "it is deleted again")?;
    check(count(&store).await? == 0, "it is still listed")?;
    store.put(noise(6, 5_000), CreateMeta::default()).await.map_err(said)?;
    check(store.get(id).await.is_ok(), "it can not be put again")
}

async fn listed(store: Store) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for seed in 0..23 {
        ids.insert(store.put(noise(100 + seed, 100), CreateMeta::default()).await.map_err(said)?.id);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(after, 5).await.map_err(said)?;
        check(page.items.len() <= 5, page.items.len())?;
        found.extend(page.items.iter().map(|meta| meta.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    check(found == ids.into_iter().collect::<Vec<_>>(), &found)
}

async fn dropped(store: Store) -> Result<(), String> {
    for length in [100, 300_000] {
        let mut upload = store.upload(None, CreateMeta::default()).await.map_err(said)?;
        upload.write(noise(7, length)).await.map_err(said)?;
        drop(upload);
    }
    let mut short = store.upload(Some(10), CreateMeta::default()).await.map_err(said)?;
    short.write(noise(7, 9)).await.map_err(said)?;
    check(short.finish().await.is_err(), "too short")?;
    check(count(&store).await? == 0, "something is left")
}

async fn too_large(store: Store) -> Result<(), String> {
    let too_large = |error: FleetError| matches!(error, FleetError::Attachment(AttachmentError::TooLarge { limit }) if limit == BYTES_MAX);
    let length = usize::try_from(BYTES_MAX).unwrap() + 1;
    let announced = store.upload(Some(length as u64), CreateMeta::default()).await;
    check(announced.is_err_and(too_large), "announced")?;
    check(store.put(noise(8, length), CreateMeta::default()).await.is_err_and(too_large), "put")?;
    let mut upload = store.upload(None, CreateMeta::default()).await.map_err(said)?;
    let wrote = upload.write(noise(8, length)).await;
    check(wrote.is_err_and(too_large), "streamed")?;
    drop(upload);
    check(count(&store).await? == 0, "something is left")
}

async fn false_image(store: Store) -> Result<(), String> {
    let create = CreateMeta { media_type: Some(MediaType::Png), ..CreateMeta::default() };
    let refused = store.put(noise(9, 1_000), create).await;
    check(matches!(refused, Err(FleetError::Attachment(AttachmentError::Invalid { .. }))), "noise as PNG")?;
    check(count(&store).await? == 0, "something is left")?;
    let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let found = store.put(png, CreateMeta::default()).await.map_err(said)?;
    check(found.media_type == MediaType::Png, &found)
}

async fn recorded(store: Store) -> Result<(), String> {
    let create = CreateMeta {
        media_type: Some(MediaType::Markdown),
        width: Some(640),
        height: Some(480),
        label: Some("a map".into()),
    };
    let id = store.put(noise(10, 50), create).await.map_err(said)?.id;
    store.put(noise(10, 50), named("another name")).await.map_err(said)?;
    let meta = store.stat(id).await.map_err(said)?;
    check(meta.media_type == MediaType::Markdown && meta.label.as_deref() == Some("a map"), &meta)?;
    check((meta.width, meta.height) == (Some(640), Some(480)), &meta)?;
    check(store.get(id).await.map_err(said)?.0 == meta, "another record on the way out")
}

/// Every claim, each against a store of its own.
pub async fn conforms<F: Future<Output = Store>>(new: impl Fn() -> F) {
    for (claim, run, _) in CLAIMS {
        if let Err(why) = run(new().await).await {
            panic!("{claim}: {why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_in_memory_conforms() {
    conforms(|| async { Arc::new(InMemory::new(Arc::new(HostClock), BYTES_MAX)) as Store }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_disk_conforms() {
    let folder = private_folder();
    let last = std::sync::atomic::AtomicUsize::new(0);
    conforms(|| async {
        let number = last.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(disk(&folder.path().join(number.to_string()))) as Store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_gets_conforms() {
    let shops = tokio::sync::Mutex::new(Vec::new());
    conforms(|| async {
        let shop = Shop::new().await;
        let session = Arc::new(shop.session("live")) as Store;
        shops.lock().await.push(shop);
        session
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_claim_is_failed_by_a_store_that_is_broken_in_that() {
    for (claim, run, how) in CLAIMS {
        let store = Arc::new(Broken::new(how)) as Store;
        assert!(run(store).await.is_err(), "{claim}: {how:?} passes");
    }
    let sound = Arc::new(Broken::new(How::NotAtAll));
    for (claim, run, _) in CLAIMS {
        sound.clear().await;
        run(Arc::clone(&sound) as Store).await.unwrap_or_else(|why| panic!("{claim}: the wrapper itself: {why}"));
    }
}
