//! Loads and reads of large files.

use super::support::{Outcome, Reach, Row, Samples, ms, say};
use coalmine::io::memory::{FtsCache, read_unlocked};
use coalmine_actors::memory::{
    item::NewItem,
    port::{MemorySearch, Shelf},
    query::{Query, page},
    write,
};
use std::{
    path::Path,
    process::{Command, Stdio},
};
use tokio::time::Instant;

const WORDS: [&str; 32] = [
    "agent", "build", "branch", "cache", "commit", "config", "deploy", "error", "fleet", "index", "merge", "model",
    "parse", "patch", "peer", "query", "retry", "review", "schema", "search", "server", "session", "test", "token",
    "trace", "tmux", "update", "user", "vector", "worker", "canary", "journal",
];
const SEARCH_RECORDS: usize = 100_000;
const LISTS: usize = 2_000;
/// The original's way to load, in its own language.
const LUA_LOADER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline/loader.lua");
/// It takes a quarter of a minute for the large file.
const LUA_ROUNDS_MAX: usize = 3;

/// Small, and the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn word(&mut self) -> &'static str {
        WORDS[usize::try_from(self.roll(32)).expect("below 32")]
    }
}

/// Records of about 200 bytes, one in ten a tombstone; without seals, as other tools write, where `foreign`.
fn make(path: &Path, records: usize, foreign: bool) -> Outcome<()> {
    let (mut out, mut dice) = (write::header("2026-01-01T00:00:00.000Z", None), Dice(7));
    for id in 1..=records as u64 {
        let now_ms = 1_767_225_600_000 + i64::try_from(id)? * 100;
        let from = out.len();
        if id > 10 && id % 10 == 0 {
            write::tombstone(&mut out, id, now_ms, 1 + dice.roll(id - 1));
        } else {
            let content: Vec<_> = (0..14).map(|_| dice.word()).collect();
            let tags = vec![dice.word().into()];
            let item = NewItem { tags, source: Some("claude-alice".into()), ..NewItem::new("fact", content.join(" ")) };
            write::item(&mut out, id, now_ms, &item.check()?);
        }
        if foreign {
            let seal = out[from..].len() - ",\"crc\":\"00000000\"}\n".len();
            out.truncate(from + seal);
            out.extend_from_slice(b"}\n");
        }
    }
    Ok(std::fs::write(path, out)?)
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let before = Instant::now();
    work()?;
    Ok(ms(before.elapsed()))
}

pub(super) fn start(path: &Path, records: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for foreign in [true, false] {
        make(path, records, foreign)?;
        let (mut ours, mut wc) = (Samples::default(), Samples::default());
        for _ in 0..rounds {
            wc.push(timed(|| {
                let counted = Command::new("wc").arg("-l").arg(path).stdout(Stdio::null()).status()?;
                counted.success().then_some(()).ok_or("wc failed".into())
            })?);
            ours.push(timed(|| {
                let index = read_unlocked(path)?;
                (index.entries().len() + index.tombstones().len() == records)
                    .then_some(())
                    .ok_or("lines are missing".into())
            })?);
        }
        let ratio = ours.p50() / wc.p50();
        let (what, lua) = if foreign { ("without crc", 10.0) } else { ("of our own writing", 50.0) };
        let mut row = Row::one("of it", "×", ratio);
        if records == 1_000_000 && !foreign {
            row = row.reach(Reach::below("ratio", ratio, 5.0, "×"));
        }
        rows.extend([
            Row::new(format!("read and indexed, {what}"), "ms", &ours),
            Row::new("baseline: wc -l", "ms", &wc),
            row,
        ]);
        if let Some(loader) = luajit(path, rounds)? {
            let ratio = loader / ours.p50();
            rows.push(Row::one("baseline: the LuaJIT loader", "ms", loader).reach(Reach::below(
                "goal / ratio",
                lua / ratio,
                1.0,
                "",
            )));
        }
    }
    Ok(rows)
}

/// The median of the original's loader in its own language, where LuaJIT and its cjson are installed.
fn luajit(path: &Path, rounds: usize) -> Outcome<Option<f64>> {
    let loader = Command::new("luajit").arg(LUA_LOADER).arg(path).arg(rounds.min(LUA_ROUNDS_MAX).to_string()).output();
    let said = match loader {
        Ok(said) if said.status.success() => String::from_utf8(said.stdout)?,
        _ => {
            say("NOT MEASURED: the LuaJIT loader; install luajit and lua-cjson");
            return Ok(None);
        }
    };
    let median = said.split("median ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    median.map(Some).ok_or_else(|| format!("the loader said {said:?}").into())
}

pub(super) async fn reads(path: &Path, records: usize) -> Outcome<Vec<Row>> {
    let shelf = Shelf::from(read_unlocked(path)?);
    let (mut list, mut parse) = (Samples::default(), Samples::default());
    let lines: Vec<String> = std::fs::read_to_string(path)?.lines().rev().take(100).map(ToOwned::to_owned).collect();
    for _ in 0..LISTS {
        list.push(timed(|| {
            let found = page(&shelf.read(), Query { limit: Some(100), ..Query::default() });
            (found.items.len() == 100).then_some(()).ok_or("items are missing".into())
        })?);
        parse.push(timed(|| {
            lines.iter().try_for_each(|line| serde_json::from_str::<serde_json::Value>(line).map(drop))?;
            Ok(())
        })?);
    }
    #[allow(clippy::cast_precision_loss, reason = "bytes of one file")]
    let held = shelf.read().held_bytes() as f64 / shelf.read().text().len() as f64;
    let mut rows = vec![
        Row::new("list the 100 newest", "ms", &list).reach(Reach::below("p99", list.p99(), 1.0, "ms")),
        Row::new("baseline: the last 100 lines by serde_json", "ms", &parse),
        Row::one("memory held, of the file's size", "×", held).reach(Reach::below("ratio", held, 2.5, "×")),
    ];
    if records == SEARCH_RECORDS {
        let cache = FtsCache::in_memory();
        let before = Instant::now();
        cache.catch_up(shelf.clone()).await?;
        rows.push(Row::one("the search index made anew", "ms", ms(before.elapsed())));
        let (mut search, mut dice) = (Samples::default(), Dice(11));
        for _ in 0..200 {
            let words = format!("{} {}", dice.word(), dice.word());
            let before = Instant::now();
            let found = cache.search(shelf.clone(), words, 20).await?;
            search.push(ms(before.elapsed()));
            if found.is_empty() {
                return Err("nothing was found".into());
            }
        }
        rows.push(Row::new("search for two words", "ms", &search).reach(Reach::below(
            "p95",
            search.quantile(0.95),
            20.0,
            "ms",
        )));
    }
    Ok(rows)
}
