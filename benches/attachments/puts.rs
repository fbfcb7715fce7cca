//! Puts of new and of known bytes.

use super::{
    hand::{hashed, noise, shop, stored, written},
    support::{Outcome, Reach, Row, Samples, ms},
};
use bytes::Bytes;
use coalmine_actors::attachments::{AttachmentStore, CreateMeta, SessionStore, store::CHUNK_BYTES};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

const MIB: usize = 1024 * 1024;
const CALLERS: usize = 64;
const SMALL_BYTES: usize = 4 * 1024;
/// How often the memory is looked at while a put is under way.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Memory that is not a file's, KiB.
fn anonymous_kib() -> Outcome<i64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Streams `bytes`, in pieces of memory that is theirs already, or in copies, as they come from a socket.
async fn stream(store: &SessionStore, bytes: &Bytes, copied: bool) -> Outcome<Duration> {
    let before = Instant::now();
    let mut upload = store.upload(Some(bytes.len() as u64), CreateMeta::default()).await?;
    for at in (0..bytes.len()).step_by(CHUNK_BYTES) {
        let piece = bytes.slice(at..bytes.len().min(at + CHUNK_BYTES));
        upload.write(if copied { Bytes::copy_from_slice(&piece) } else { piece }).await?;
    }
    upload.finish().await?;
    Ok(before.elapsed())
}

/// The most memory above idle while `bytes` are streamed in copies, MiB.
async fn memory_of(store: &SessionStore, bytes: &Bytes) -> Outcome<f64> {
    let idle = anonymous_kib()?;
    let most = Arc::new(AtomicI64::new(idle));
    let watch = tokio::spawn({
        let most = Arc::clone(&most);
        async move {
            loop {
                most.fetch_max(anonymous_kib().unwrap_or(0), Ordering::Relaxed);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    });
    stream(store, bytes, true).await?;
    watch.abort();
    #[allow(clippy::cast_precision_loss, reason = "some thousand KiB")]
    Ok((most.load(Ordering::Relaxed) - idle) as f64 / 1024.0)
}

pub(super) async fn large(root: &Path, mib: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let (folder, store) = shop(root, "large").await?;
    let (mut ours, mut hash, mut write, mut ratio, mut memory) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default(), Samples::default());
    for round in 0..rounds as u64 {
        let bytes = noise(round + 1, mib * MIB);
        let put = stream(&store, &bytes, false).await?;
        let (hashing, writing) = (hashed(&bytes), written(&folder.join("by-hand"), &bytes)?);
        ours.push(ms(put));
        hash.push(ms(hashing));
        write.push(ms(writing));
        ratio.push(ms(hashing.max(writing)) / ms(put));
        memory.push(memory_of(&store, &noise(round + 1_000, mib * MIB)).await?);
    }
    let share = ratio.p50();
    Ok(vec![
        Row::new("a put", "ms", &ours),
        Row::new("baseline: SHA-256", "ms", &hash),
        Row::new("baseline: write + fdatasync", "ms", &write),
        Row::new("of the slower one's speed", "×", &ratio).reach(Reach::below("0.85 / ratio", 0.85 / share, 1.0, "")),
        Row::new("memory above idle", "MiB", &memory).reach(Reach::below("p50", memory.p50(), 4.0, "MiB")),
    ])
}

/// Bytes that this process had written to a disk, so far.
fn disk_bytes() -> Outcome<i64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let field = |name: &str| -> Outcome<i64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
        Ok(line.trim().parse()?)
    };
    Ok(field("write_bytes:")? - field("cancelled_write_bytes:")?)
}

pub(super) async fn known(root: &Path, mib: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let (_, store) = shop(root, "known").await?;
    let bytes = noise(7, mib * MIB);
    store.put(bytes.clone(), CreateMeta::default()).await?;
    let (mut ours, mut hash, mut ratio, mut wrote) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    for _ in 0..rounds {
        let (before, at) = (disk_bytes()?, Instant::now());
        store.put(bytes.clone(), CreateMeta::default()).await?;
        let took = at.elapsed();
        #[allow(clippy::cast_precision_loss, reason = "some thousand bytes")]
        wrote.push((disk_bytes()? - before) as f64 / 1024.0);
        let hashing = hashed(&bytes);
        ours.push(ms(took));
        hash.push(ms(hashing));
        ratio.push(ms(took) / ms(hashing));
    }
    Ok(vec![
        Row::new("a put", "ms", &ours),
        Row::new("baseline: SHA-256", "ms", &hash),
        Row::new("of its time", "×", &ratio).reach(Reach::below("ratio", ratio.p50(), 1.15, "×")),
        Row::new("written to the disk, all of the manifest", "KiB", &wrote).reach(Reach::below(
            "p50",
            wrote.p50(),
            64.0,
            "KiB",
        )),
    ])
}

pub(super) async fn medium(root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let (folder, store) = shop(root, "medium").await?;
    let (mut ours, mut hand) = (Samples::default(), Samples::default());
    let by_hand = folder.join("by-hand");
    fs::create_dir(&by_hand)?;
    for number in 0..rounds as u64 * 40 {
        let bytes = noise(number + 1, MIB);
        let before = Instant::now();
        store.put(bytes.clone(), CreateMeta::default()).await?;
        ours.push(ms(before.elapsed()));
        hand.push(ms(stored(&by_hand, &bytes)?));
    }
    let ratio = ours.p50() / hand.p50();
    Ok(vec![
        Row::new("a put", "ms", &ours),
        Row::new("baseline: hash, write, fsync, rename, fsync the folder", "ms", &hand),
        Row::one("ratio of the medians", "×", ratio).reach(Reach::below("ratio", ratio, 1.15, "×")),
    ])
}

#[allow(clippy::cast_precision_loss, reason = "counts of a few thousands")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

pub(super) async fn small(root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let (_, store) = shop(root, "small").await?;
    let (mut one, mut crowd, mut ratio) = (Samples::default(), Samples::default(), Samples::default());
    let mut seed = 0;
    let mut next = || {
        seed += 1;
        noise(seed, SMALL_BYTES)
    };
    for _ in 0..rounds {
        let before = Instant::now();
        for _ in 0..200 {
            store.put(next(), CreateMeta::default()).await?;
        }
        let alone = rate(200, before.elapsed());
        let before = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (store, all) = (store.clone(), (0..25).map(|_| next()).collect::<Vec<_>>());
                tokio::spawn(async move {
                    for bytes in all {
                        store.put(bytes, CreateMeta::default()).await?;
                    }
                    Ok::<_, coalmine_actors::error::FleetError>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        let together = rate(CALLERS * 25, before.elapsed());
        one.push(alone);
        crowd.push(together);
        ratio.push(together / alone);
    }
    Ok(vec![
        Row::new("one caller", "puts/s", &one),
        Row::new("64 callers", "puts/s", &crowd),
        Row::new("of one caller's", "×", &ratio).reach(Reach::below("4 / ratio", 4.0 / ratio.p50(), 1.0, "")),
    ])
}
