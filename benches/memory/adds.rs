//! Durable adds, and the same bytes written by hand.

use super::support::{Outcome, Reach, Row, Samples, ms};
use coalmine::io::{
    clock::HostClock,
    memory::{MemoryJsonl, OpenOptions},
};
use coalmine_actors::{
    error::FleetError,
    memory::{
        Durability, Memory, MemoryParts,
        item::NewItem,
        port::{AppendFailed, Batch, MemoryFile, Opened, Replacement},
    },
    ports::{Answer, BoxFuture},
};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

const CALLERS: usize = 64;
const ADDS_A_CALLER: usize = 250;
const ADDS_ALONE: usize = 300;
const CONTENT: &str = "the build is slow because the cache of the workspace is thrown away after every merge of main";

/// Counts the commits of the file that it passes on to.
struct Counting(MemoryJsonl, Arc<AtomicUsize>);

impl MemoryFile for Counting {
    fn open(&self) -> Answer<Opened> {
        self.0.open()
    }
    fn append(&self, at: u64, batch: Batch, durable: bool) -> BoxFuture<Result<(), AppendFailed>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.append(at, batch, durable)
    }
    fn sync(&self) -> BoxFuture<Result<(), AppendFailed>> {
        self.0.sync()
    }
    fn replace(&self, new: Replacement) -> Answer<Option<PathBuf>> {
        self.0.replace(new)
    }
    fn keep(&self, lines: Vec<u8>) -> Answer<PathBuf> {
        self.0.keep(lines)
    }
    fn read(&self) -> Answer<Vec<u8>> {
        self.0.read()
    }
    fn close(&self) -> Answer<()> {
        self.0.close()
    }
}

async fn memory(path: &Path) -> Outcome<(Memory, Arc<AtomicUsize>)> {
    let commits = Arc::new(AtomicUsize::new(0));
    let file = MemoryJsonl::new(path.to_owned(), path.with_extension("sqlite"), OpenOptions::default());
    let parts = MemoryParts {
        file: Arc::new(Counting(file, Arc::clone(&commits))),
        search: None,
        clock: Arc::new(HostClock),
        journal: None,
        durability: Durability::Commit,
        index_eagerly: false,
    };
    let memory = Memory::start(parts, None).await?;
    memory.stats().await?;
    Ok((memory, commits))
}

fn item() -> NewItem {
    NewItem { tags: vec!["ci".into()], source: Some("claude-alice".into()), ..NewItem::new("fact", CONTENT) }
}

/// Writes `bytes` in so many commits; adds a second.
fn by_hand(path: &Path, bytes: &[u8], commits: usize) -> Outcome<Duration> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let before = Instant::now();
    for chunk in bytes.chunks(bytes.len().div_ceil(commits)) {
        file.write_all(chunk)?;
        file.sync_data()?;
    }
    let took = before.elapsed();
    std::fs::remove_file(path)?;
    Ok(took)
}

#[allow(clippy::cast_precision_loss, reason = "counts of a few thousands")]
pub(super) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

pub(super) async fn crowd(root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let (mut ours, mut same, mut single, mut commits_each) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    for _ in 0..rounds {
        let path = root.join("crowd.jsonl");
        let (memory, commits) = memory(&path).await?;
        let before = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let memory = memory.clone();
                tokio::spawn(async move {
                    for _ in 0..ADDS_A_CALLER {
                        memory.add(item()).await?;
                    }
                    Ok::<_, FleetError>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        let took = before.elapsed();
        memory.close(Duration::from_secs(5)).await?;
        let (bytes, adds) = (std::fs::read(&path)?, CALLERS * ADDS_A_CALLER);
        let commits = commits.load(Ordering::Relaxed);
        std::fs::remove_file(&path)?;
        let hand = root.join("by-hand");
        ours.push(rate(adds, took));
        commits_each.push(rate(adds, Duration::from_secs(commits as u64)));
        same.push(rate(adds, by_hand(&hand, &bytes, commits)?));
        let few = 500;
        single.push(rate(few, by_hand(&hand, &bytes[..bytes.len() / adds * few], few)?));
    }
    let (raw, each) = (ours.p50() / same.p50(), ours.p50() / single.p50());
    Ok(vec![
        Row::new("the memory", "adds/s", &ours),
        Row::new("adds in one commit", "", &commits_each),
        Row::new("baseline: raw, the same bytes in as many commits", "adds/s", &same),
        Row::one("of it", "×", raw).reach(Reach::below("1 - ratio", 1.0 - raw, 0.15, "")),
        Row::new("baseline: raw, one commit a record", "adds/s", &single),
        Row::one("of it", "×", each).reach(Reach::below("20 / ratio", 20.0 / each, 1.0, "")),
    ])
}

async fn one_after_another(memory: &Memory) -> Result<Vec<f64>, FleetError> {
    let mut took = Vec::with_capacity(ADDS_ALONE);
    for _ in 0..ADDS_ALONE {
        let before = Instant::now();
        memory.add(item()).await?;
        took.push(ms(before.elapsed()));
    }
    Ok(took)
}

/// The same write by a thread that a task asks: what it takes at least to keep the disk off the workers.
async fn by_a_thread(line: Vec<u8>, mut file: File) -> Outcome<Vec<f64>> {
    let (ask, asked) = mpsc::channel::<oneshot::Sender<std::io::Result<()>>>();
    let writer = std::thread::spawn(move || {
        for reply in asked {
            let _gave_up = reply.send(file.write_all(&line).and_then(|()| file.sync_data()));
        }
    });
    let mut took = Vec::with_capacity(ADDS_ALONE);
    for _ in 0..ADDS_ALONE {
        let before = Instant::now();
        let (reply, done) = oneshot::channel();
        ask.send(reply)?;
        done.await??;
        took.push(ms(before.elapsed()));
    }
    drop(ask);
    writer.join().map_err(|_| "the thread panicked")?;
    Ok(took)
}

pub(super) async fn alone(root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let (mut ours, mut raw, mut far) = (Samples::default(), Samples::default(), Samples::default());
    let path = root.join("alone.jsonl");
    let (memory, _) = memory(&path).await?;
    let line = vec![b'x'; 220];
    let mut hand = File::options().create(true).append(true).open(root.join("by-hand"))?;
    for _ in 0..rounds {
        // A caller is a task, as in the daemon: this one has a thread of its own, which a worker would have to wake.
        let caller = tokio::spawn({
            let memory = memory.clone();
            async move { one_after_another(&memory).await }
        });
        caller.await??.into_iter().for_each(|took| ours.push(took));
        for _ in 0..ADDS_ALONE {
            let before = Instant::now();
            hand.write_all(&line)?;
            hand.sync_data()?;
            raw.push(ms(before.elapsed()));
        }
        let (line, file) = (line.clone(), hand.try_clone()?);
        tokio::spawn(by_a_thread(line, file)).await??.into_iter().for_each(|took| far.push(took));
    }
    memory.close(Duration::from_secs(5)).await?;
    let (ratio, least) = (ours.p50() / raw.p50(), ours.p50() / far.p50());
    Ok(vec![
        Row::new("the memory", "ms", &ours),
        Row::new("baseline: write + fdatasync", "ms", &raw),
        Row::one("ratio of the medians", "×", ratio).reach(Reach::below("ratio", ratio, 1.1, "×")),
        Row::new("baseline: the same by a thread that a task waits for", "ms", &far),
        Row::one("ratio of the medians", "×", least),
    ])
}
