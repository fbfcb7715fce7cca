//! The memory on a real file: what the world does to it, and what is left of every record.

use super::*;
use crate::io::{clock::HostClock, lock};
use coalmine_actors::memory::{Durability, Memory, MemoryParts, compact::CompactOptions, item::NewItem, query::Query};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs, io::Write, os::unix::fs::symlink};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(bytes: &[u8]) -> Self {
        let place = Self::new();
        fs::write(place.path(), bytes).unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("memory.jsonl")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn memory(&self) -> Memory {
        self.memory_with(OpenOptions { patience: Duration::ZERO, ..OpenOptions::default() }).await
    }

    async fn memory_with(&self, options: OpenOptions) -> Memory {
        let cache = self.0.path().join("memory-index.sqlite");
        let parts = MemoryParts {
            file: Arc::new(MemoryJsonl::new(self.path(), cache.clone(), options)),
            search: Some(Arc::new(FtsCache::at(cache))),
            clock: Arc::new(HostClock),
            journal: None,
            durability: Durability::Commit,
            index_eagerly: false,
        };
        Memory::start(parts, None).await.unwrap()
    }

    async fn refusal(&self) -> FleetError {
        self.memory().await.stats().await.unwrap_err()
    }
}

fn fact(text: &str) -> NewItem {
    NewItem::new("fact", text)
}

async fn contents(memory: &Memory) -> Vec<String> {
    memory.list(Query::default()).await.unwrap().items.into_iter().map(|item| item.content).collect()
}

#[tokio::test]
async fn the_round_trip_of_the_original_on_disk() {
    let place = Place::new();
    let memory = place.memory().await;
    assert_eq!(memory.stats().await.unwrap().next_id, 1);
    for id in 1..=3 {
        assert_eq!(memory.add(fact("x")).await.unwrap().id, id);
    }
    memory.forget(2).await.unwrap();
    let held = place.memory().await.stats().await.unwrap_err();
    assert_eq!(held.code(), "memory-held");
    assert!(held.to_string().contains(&format!("pid {} (", std::process::id())), "{held}");
    memory.close(DEADLINE).await.unwrap();
    let memory = place.memory().await;
    let stats = memory.stats().await.unwrap();
    assert_eq!((stats.next_id, stats.active, stats.forgotten), (5, 2, 1));
    assert!(memory.add(fact("after close")).await.is_ok());
}

#[tokio::test]
async fn an_empty_file_gets_the_header_and_all_files_are_private() {
    let place = Place::with(b"");
    place.memory().await.add(fact("x")).await.unwrap();
    assert!(place.bytes().starts_with(b"{\"meta\":{\"format\":\"memory.jsonl\",\"version\":1,\"created\":\""));
    let fresh = Place::new();
    fresh.memory().await.add(fact("x")).await.unwrap();
    let mode = fs::metadata(fresh.path()).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_cut_at_every_byte_of_its_last_records_keeps_all_whole_ones() {
    let whole = Place::new();
    let memory = whole.memory().await;
    for text in ["first", "second", "third", "fourth"] {
        memory.add(fact(text)).await.unwrap();
    }
    memory.close(DEADLINE).await.unwrap();
    let bytes = whole.bytes();
    let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    for nuls in [0, 1, 64] {
        for cut in ends[1] + 1..=bytes.len() {
            let place = Place::with(&[&bytes[..cut], vec![0; nuls].as_slice()].concat());
            let memory = place.memory().await;
            // A line that lacks nothing but its end is whole.
            let kept = ends[1..].iter().filter(|end| **end <= cut).count();
            assert_eq!(memory.stats().await.unwrap().active, kept as u64, "cut at {cut}, {nuls} NULs");
            let torn = nuls > 0 || !(ends.contains(&cut) || ends.contains(&(cut - 1)));
            assert_eq!(memory.stats().await.unwrap().torn, u64::from(torn), "cut at {cut}, {nuls} NULs");
            let added = memory.add(fact("after")).await.unwrap();
            assert_eq!(added.id, kept as u64 + 1);
            assert_eq!(memory.verify().await.unwrap().stats.bad_lines, 0);
            memory.close(DEADLINE).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_no_memory_can_be_in_is_refused_and_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    assert!(place.refusal().await.to_string().ends_with("memory.jsonl is a folder"));

    let place = Place::new();
    symlink("nowhere", place.path()).unwrap();
    assert!(place.refusal().await.to_string().ends_with("is a link to nothing"));
    assert_eq!(place.names(), ["memory.jsonl"]);

    let place = Place::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path(), rustix::fs::Mode::RUSR).unwrap();
    assert!(place.refusal().await.to_string().ends_with("is no plain file"));

    let place = Place::with(b"{\"meta\":{\"format\":\"memory.jsonl\",\"version\":2}}\n");
    let newer = place.refusal().await;
    assert_eq!((newer.code(), place.names().len()), ("newer-format", 1));
}

#[tokio::test]
async fn files_of_other_tools_are_read_and_written_on() {
    let mut bytes = b"\xef\xbb\xbf{\"meta\":{\"format\":\"memory.jsonl\",\"version\":1}}\r\n".to_vec();
    bytes.extend_from_slice(b"{\"id\":1,\"ts\":1778647923,\"kind\":\"fact\",\"content\":\"one\"}\r\n");
    bytes.extend_from_slice(b"\0\0\0\0\n");
    bytes.extend(vec![b'x'; 100 * 1024 * 1024]);
    bytes.extend_from_slice(b"\n{\"id\":18446744073709551615,\"ts\":1,\"kind\":\"fact\",\"content\":\"x\"}\n");
    bytes.extend_from_slice(
        b"{\"id\":3,\"ts\":9223372036854775807,\"kind\":\"fact\",\"content\":\"year 292277026596\"}\n",
    );
    bytes.extend_from_slice(b"{\"id\":2,\"ts\":1778647924,\"kind\":\"fact\",\"content\":\"two\"}");
    let place = Place::with(&bytes);
    let memory = place.memory().await;
    assert_eq!(contents(&memory).await, ["two", "one"]);
    let found = memory.verify().await.unwrap();
    assert_eq!((found.stats.bad_lines, found.stats.torn, found.torn_bytes, found.unsealed), (4, 0, 0, 2));
    assert_eq!(found.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!(memory.add(fact("ours")).await.unwrap().id, 4);
    assert_eq!(contents(&memory).await, ["ours", "two", "one"]);
}

#[tokio::test]
async fn a_strangers_append_is_read_before_the_next_write() {
    let place = Place::new();
    let memory = place.memory().await;
    memory.add(fact("ours")).await.unwrap();
    let mut stranger = File::options().append(true).open(place.path()).unwrap();
    stranger.write_all(b"{\"id\":2,\"ts\":1778647923,\"kind\":\"fact\",\"content\":\"theirs\"}\n").unwrap();
    assert_eq!(memory.add(fact("ours again")).await.unwrap().id, 3);
    assert_eq!(memory.stats().await.unwrap().active, 3);
}

#[tokio::test]
async fn a_file_that_was_removed_comes_back_with_all_it_held() {
    let place = Place::new();
    let memory = place.memory().await;
    memory.add(fact("before")).await.unwrap();
    fs::remove_file(place.path()).unwrap();
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 2);
    memory.close(DEADLINE).await.unwrap();
    assert_eq!(contents(&place.memory().await).await, ["after", "before"]);
    assert_eq!(place.names(), ["memory.jsonl"]);

    let memory = place.memory_with(OpenOptions::default()).await; // the last one may be about to let go
    memory.stats().await.unwrap();
    fs::remove_file(place.path()).unwrap();
    memory.close(DEADLINE).await.unwrap(); // an orderly end is the last chance
    assert_eq!(contents(&place.memory().await).await, ["after", "before"]);
}

#[tokio::test]
async fn a_file_that_is_removed_while_nobody_writes_is_back_at_once() {
    let place = Place::new();
    let memory = place.memory().await;
    for text in ["first", "second"] {
        memory.add(fact(text)).await.unwrap();
        let before = place.bytes();
        fs::remove_file(place.path()).unwrap();
        let back = async {
            while !place.path().exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, back).await.unwrap();
        assert_eq!(place.bytes(), before);
    }
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 3);
    assert_eq!(contents(&memory).await, ["after", "second", "first"]);
    assert!(matches!(lock::try_lock(&place.path()), Err(lock::NotLocked::Held)));
    assert_eq!(place.names(), ["memory.jsonl"]);
}

/// The port by itself: between two of its calls the world can do what it likes.
#[tokio::test]
async fn a_file_that_is_removed_again_before_it_is_open_again_comes_back_again() {
    let place = Place::with(b"{\"id\":7,\"ts\":1778647923,\"kind\":\"fact\",\"content\":\"once\"}\n");
    let file = MemoryJsonl::new(place.path(), place.0.path().join("memory-index.sqlite"), OpenOptions::default());
    let before = file.open().await.unwrap();
    let look = || file.append(before.index.text().len(), Batch::alone(Vec::new()), true);
    fs::remove_file(place.path()).unwrap();
    assert!(matches!(look().await, Err(AppendFailed::Restored)));
    for _ in 0..2 {
        fs::remove_file(place.path()).unwrap();
        let opened = file.open().await.unwrap();
        assert_eq!((opened.restored, opened.index.active(), opened.index.next_id()), (true, 1, 8));
        assert!(look().await.is_ok());
    }
    // An orderly end while nothing could be opened is a chance too.
    fs::remove_file(place.path()).unwrap();
    fs::create_dir(place.path()).unwrap();
    assert!(file.open().await.is_err());
    fs::remove_dir(place.path()).unwrap();
    file.close().await.unwrap();
    assert_eq!(contents(&place.memory().await).await, ["once"]);
    assert_eq!(place.names(), ["memory.jsonl"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_removes_the_file_again_and_again_takes_nothing_away() {
    let place = Place::new();
    let memory = place.memory_with(OpenOptions::default()).await;
    memory.add(fact("first")).await.unwrap();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let vandal = std::thread::spawn({
        let (path, over) = (place.path(), Arc::clone(&over));
        move || {
            let mut removed = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                removed += usize::from(fs::remove_file(&path).is_ok());
            }
            removed
        }
    });
    let mut acknowledged = vec!["first".to_owned()];
    for n in 0..40 {
        // It may be refused for a while, never lost.
        let text = format!("{n}");
        match memory.add(fact(&text)).await {
            Ok(_) => acknowledged.push(text),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(vandal.join().unwrap() > 0);
    memory.close(DEADLINE).await.unwrap();
    let found = contents(&place.memory_with(OpenOptions::default()).await).await;
    for text in &acknowledged {
        assert!(found.contains(text), "{text} was acknowledged: {found:?}");
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_is_opened_anew() {
    let place = Place::new();
    let memory = place.memory().await;
    memory.add(fact("old")).await.unwrap();
    let other = Place::with(b"{\"id\":7,\"ts\":1778647923,\"kind\":\"fact\",\"content\":\"new\"}\n");
    fs::rename(other.path(), place.path()).unwrap();
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 8);
    assert_eq!(contents(&memory).await, ["after", "new"]);
}

#[tokio::test]
async fn what_a_stranger_cuts_from_the_file_is_kept_beside_it_and_no_id_comes_again() {
    let place = Place::new();
    let memory = place.memory().await;
    for text in ["one", "two", "forgotten"] {
        memory.add(fact(text)).await.unwrap();
    }
    memory.forget(3).await.unwrap();
    let lines: Vec<u8> = place.bytes();
    let second = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    File::options().write(true).open(place.path()).unwrap().set_len(second as u64).unwrap();
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 5);
    assert_eq!(contents(&memory).await, ["after", "one"]);
    let kept = async {
        loop {
            let backup = place.names().into_iter().find(|name| name.ends_with(".bak"));
            let text = backup.map(|name| fs::read_to_string(place.0.path().join(name)).unwrap()).unwrap_or_default();
            if text.ends_with('\n') {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let kept = tokio::time::timeout(DEADLINE, kept).await.unwrap();
    assert!(kept.lines().count() == 1 && kept.contains("\"id\":2") && kept.contains("two"), "{kept}");
}

#[tokio::test]
async fn a_lost_file_is_not_made_anew_in_silence() {
    let place = Place::new();
    let memory = place.memory().await;
    memory.add(fact("precious")).await.unwrap();
    assert_eq!(memory.search("precious", 5).await.unwrap().len(), 1); // makes the cache
    memory.close(DEADLINE).await.unwrap();
    fs::remove_file(place.path()).unwrap();
    let missing = place.refusal().await;
    assert_eq!(missing.code(), "missing-store");
    assert!(missing.to_string().ends_with("it held 1 items, the last id was 1"), "{missing}");
    let anew = OpenOptions { begin_anew: true, ..OpenOptions::default() };
    assert_eq!(place.memory_with(anew).await.stats().await.unwrap().active, 0);
}

#[tokio::test]
async fn compaction_keeps_backups_and_a_purge_leaves_no_word_behind() {
    let place = Place::new();
    let memory = place.memory().await;
    for text in ["kept", "secret one", "secret two"] {
        memory.add(fact(text)).await.unwrap();
    }
    assert_eq!(memory.search("secret", 5).await.unwrap().len(), 2);
    memory.forget(2).await.unwrap();
    let dry = memory.compact(CompactOptions { dry_run: true, ..CompactOptions::default() }).await.unwrap();
    assert_eq!((dry.kept, dry.removed, dry.done), (2, 1, false));
    let done = memory.compact(CompactOptions::default()).await.unwrap();
    assert!(fs::read_to_string(done.backup.unwrap()).unwrap().contains("secret one"));
    memory.forget(3).await.unwrap();
    // Somebody has the old file open still.
    let mut old = File::open(place.path()).unwrap();
    memory.compact(CompactOptions { purge: true, ..CompactOptions::default() }).await.unwrap();
    assert_eq!(std::io::read_to_string(&mut old).unwrap(), "");
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 6);
    memory.close(DEADLINE).await.unwrap();
    for name in place.names() {
        let bytes = fs::read(place.0.path().join(&name)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"), "{name}");
    }
    let memory = place.memory().await;
    assert_eq!(contents(&memory).await, ["after", "kept"]);
    assert_eq!(memory.stats().await.unwrap().next_id, 7);
}

#[tokio::test]
async fn the_lock_goes_from_the_old_file_to_the_new_one_without_a_gap() {
    let place = Place::new();
    let memory = place.memory().await;
    memory.add(fact("x")).await.unwrap();
    memory.compact(CompactOptions::default()).await.unwrap();
    assert!(matches!(lock::try_lock(&place.path()), Err(lock::NotLocked::Held)));
    assert_eq!(place.refusal().await.code(), "memory-held");
}

#[tokio::test]
async fn a_search_follows_every_change_and_survives_a_broken_cache() {
    let place = Place::new();
    let memory = place.memory().await;
    let found = async |words: &str| {
        let hits = memory.search(words, 10).await.unwrap();
        hits.into_iter().map(|hit| hit.item.id).collect::<Vec<_>>()
    };
    memory.add(NewItem { tags: vec!["rust".into()], ..fact("the build is slow") }).await.unwrap();
    memory.add(fact("a Überraschung in the build cache")).await.unwrap();
    assert_eq!(found("uberraschung").await, [2]);
    assert_eq!(found("rust").await, [1]);
    assert_eq!(found("buil* the").await.len(), 2);
    assert_eq!(found("slow\" OR content:x NEAR(").await, Vec::<u64>::new());
    memory.forget(1).await.unwrap();
    assert_eq!(found("build").await, [2]);
    assert_eq!(memory.search(" *\" ", 10).await.unwrap_err().code(), "bad-query");
    memory.compact(CompactOptions::default()).await.unwrap();
    assert_eq!(found("build").await, [2]);
    memory.close(DEADLINE).await.unwrap();
    fs::write(place.0.path().join("memory-index.sqlite"), b"no database").unwrap();
    let hits = place.memory().await.search("build", 10).await.unwrap();
    assert_eq!(hits.len(), 1);
}

#[tokio::test]
async fn where_too_many_fit_the_newest_are_ranked() {
    let place = Place::new();
    let memory = place.memory().await;
    let added = memory.add_all((0..2_058).map(|_| fact("coal")).collect()).await;
    assert!(added.iter().all(Result::is_ok));
    let hits = memory.search("coal", 1_000).await.unwrap();
    assert_eq!(hits.len(), 1_000);
    assert!(hits.iter().all(|hit| hit.item.id > 10), "the oldest ten are not looked at");
}

#[tokio::test]
async fn a_page_of_export_goes_on_where_the_last_one_ended() {
    let place = Place::new();
    let memory = place.memory().await;
    let items = (0..40).map(|n| fact(&format!("{n}{}", "x".repeat(60_000)))).collect();
    assert!(memory.add_all(items).await.iter().all(Result::is_ok));
    let (mut after, mut ids, mut pages) = (Some(0), Vec::new(), 0);
    while let Some(from) = after {
        let (lines, next) = memory.export(from).await.unwrap();
        ids.extend(
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap()),
        );
        (after, pages) = (next, pages + 1);
    }
    assert_eq!((ids, pages), ((1..=40).collect(), 3));
}

#[derive(Debug, Clone)]
enum Step {
    Add(String),
    Forget(usize),
    Compact(bool),
    Reopen,
    Tear(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => "[a-z\\n\"{}]{1,12}x".prop_map(Step::Add),
        3 => any::<usize>().prop_map(Step::Forget),
        1 => any::<bool>().prop_map(Step::Compact),
        2 => Just(Step::Reopen),
        1 => prop::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 1..20).prop_map(Step::Tear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is done in whatever order, the file is what a map would be.
    #[test]
    fn any_history_equals_that_of_a_map(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut memory = place.memory().await;
            let (mut model, mut next) = (BTreeMap::new(), 1u64);
            for step in steps {
                match step {
                    Step::Add(text) => {
                        prop_assert_eq!(memory.add(fact(&text)).await.unwrap().id, next);
                        model.insert(next, text);
                        next += 1;
                    }
                    Step::Forget(pick) => {
                        let id = 1 + pick as u64 % (next + 1);
                        let forgotten = memory.forget(id).await;
                        prop_assert_eq!(forgotten.is_ok(), model.remove(&id).is_some(), "{} of {}", id, next);
                        next += u64::from(forgotten.is_ok());
                    }
                    Step::Compact(purge) => {
                        memory.compact(CompactOptions { purge, dry_run: false }).await.unwrap();
                    }
                    Step::Reopen | Step::Tear(_) => {
                        memory.close(DEADLINE).await.unwrap();
                        if let Step::Tear(noise) = &step {
                            File::options().append(true).open(place.path()).unwrap().write_all(noise).unwrap();
                        }
                        memory = place.memory().await;
                    }
                }
                let query = Query { limit: Some(1000), ..Query::default() };
                let items = memory.list(query).await.unwrap().items.into_iter().map(|item| (item.id, item.content));
                prop_assert_eq!(items.collect::<BTreeMap<_, _>>(), model.clone());
                prop_assert_eq!(memory.stats().await.unwrap().next_id, next);
            }
            Ok(())
        })?;
    }
}
