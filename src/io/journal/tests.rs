//! The journal's folder against a real file system.

use super::*;
use coalmine_actors::{
    journal::{Draft, JournalHandle, event},
    testing::{FakeClock, parent},
    view::Event,
};
use jiff::Timestamp;
use std::{fs, time::Duration};

const DEADLINE: Duration = Duration::from_secs(20);

struct Place {
    _temp: tempfile::TempDir,
    folder: PathBuf,
    journal: JournalFolder,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("journal");
    Place { _temp: temp, journal: JournalFolder::new(folder.clone()), folder }
}

/// The lines of these events, each padded to about `bytes`.
fn lines(seqs: impl IntoIterator<Item = u64>, bytes: usize) -> String {
    let pad = ("pad".to_owned(), "p".repeat(bytes));
    let event = |seq| Event { ts: Timestamp::UNIX_EPOCH, seq, ev: "x".into(), fields: vec![pad.clone()] };
    seqs.into_iter().map(|seq| event::render(&event(seq)) + "\n").collect()
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

impl Place {
    fn read(&self, after_seq: u64) -> Vec<u64> {
        seqs(&read_events(&self.folder, after_seq, usize::MAX).unwrap())
    }

    fn log(&self, age: usize) -> PathBuf {
        log_path(&self.folder, age)
    }
}

#[tokio::test]
async fn the_last_place_is_found_again() {
    let place = place();
    assert_eq!(place.journal.open().await.unwrap(), 0);
    place.journal.append(lines(1..=3, 0)).await.unwrap();
    place.journal.sync().await.unwrap();
    assert_eq!(JournalFolder::new(place.folder.clone()).open().await.unwrap(), 3);
    assert_eq!(place.read(0), [1, 2, 3]);
    assert_eq!(place.read(2), [3]);
    assert_eq!(seqs(&read_events(&place.folder, 0, 2).unwrap()), [1, 2]);
}

#[tokio::test]
async fn the_last_place_is_found_behind_much_that_can_not_be_read() {
    let place = place();
    place.journal.append(lines(1..=3, 0)).await.unwrap();
    fs::rename(place.log(0), place.log(2)).unwrap();
    fs::write(place.log(0), "garbage\n").unwrap();
    assert_eq!(place.journal.open().await.unwrap(), 3, "from an older file");
    place.journal.append(lines(4..=4, 0) + &"x\n".repeat(200_000)).await.unwrap();
    assert_eq!(place.journal.open().await.unwrap(), 4, "from before the garbage");
    assert_eq!(place.read(0), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_torn_last_line_costs_itself_only() {
    for torn in ["ts=1970-01-01T00:0", "ts=1970-01-01T00:00:00Z seq=2 ev=\"x", "\0\0\0\0", "\u{fffd}"] {
        let place = place();
        place.journal.append(lines(1..=1, 0) + torn).await.unwrap();
        assert_eq!(place.read(0), [1]);
        assert_eq!(place.journal.open().await.unwrap(), 1, "{torn:?}");
        place.journal.append(lines(2..=2, 0)).await.unwrap();
        assert_eq!(place.read(0), [1, 2], "{torn:?}");
    }
}

#[tokio::test]
async fn a_torn_line_that_still_names_its_place_keeps_it() {
    let place = place();
    place.journal.append("ts=1970-01-01T00:00:00Z seq=7 ev=up".into()).await.unwrap();
    assert_eq!(place.journal.open().await.unwrap(), 7);
    assert!(place.read(0).is_empty(), "it may still be in the writing");
    place.journal.append(lines(8..=8, 0)).await.unwrap();
    assert_eq!(place.read(0), [7, 8]);
}

#[tokio::test]
async fn a_full_log_is_turned_over_and_the_sixth_is_gone() {
    let place = place();
    let batch_bytes = 1_300_000; // three fit into a file
    for seq in 1..=24 {
        place.journal.append(lines([seq], batch_bytes)).await.unwrap();
    }
    let kept: Vec<u64> = place.read(0);
    assert!(kept.iter().zip(&kept[1..]).all(|(a, b)| a + 1 == *b) && kept.last() == Some(&24), "{kept:?}");
    assert!((0..=LOGS_KEPT_MAX).all(|age| fs::metadata(place.log(age)).unwrap().len() <= LOG_BYTES_MAX));
    assert!(!place.log(LOGS_KEPT_MAX + 1).exists());
    assert_eq!(place.read(22), [23, 24]);
}

#[tokio::test]
async fn an_event_that_is_in_two_files_is_read_once() {
    let place = place();
    place.journal.append(lines(1..=4, 0)).await.unwrap();
    fs::copy(place.log(0), place.log(1)).unwrap();
    place.journal.append(lines(4..=6, 0)).await.unwrap();
    assert_eq!(place.read(0), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_folder_that_is_removed_is_made_anew() {
    let place = place();
    place.journal.append(lines(1..=1, 0)).await.unwrap();
    fs::remove_dir_all(&place.folder).unwrap();
    assert!(place.read(0).is_empty());
    place.journal.sync().await.unwrap();
    place.journal.append(lines(2..=2, 0)).await.unwrap();
    assert_eq!(place.read(0), [2]);
}

#[tokio::test]
async fn a_log_that_can_not_be_written_is_an_error_with_its_path() {
    let place = place();
    fs::create_dir_all(place.log(0)).unwrap();
    let error = place.journal.append(lines(1..=1, 0)).await.unwrap_err();
    assert!(error.to_string().ends_with("journal/lifecycle.log"), "{error}");
}

#[test]
fn exits_are_read_newest_last_and_by_identity() {
    let place = place();
    assert!(read_exits(&place.folder, None, 10).unwrap().is_empty());
    fs::create_dir(&place.folder).unwrap();
    let line = |who: &str, generation: u64| format!("ts=x ev=server-exit identity={who} gen={generation}\n");
    let mut text = String::from("what?\n\n");
    for generation in 1..=3 {
        text += &line("claude-bob", generation);
        text += &line("claude-anna", generation);
    }
    fs::write(exits_path(&place.folder), text + "ev=torn identity=claude-bob").unwrap();
    let generations = |identity: Option<&str>, limit| -> Vec<String> {
        let identity = identity.map(|identity| identity.parse().unwrap());
        let exits = read_exits(&place.folder, identity.as_ref(), limit).unwrap();
        exits.iter().map(|fields| fields.iter().find(|(key, _)| key == "gen").unwrap().1.clone()).collect()
    };
    assert_eq!(generations(Some("claude-bob"), 2), ["2", "3"]);
    assert_eq!(generations(None, 3), ["2", "3", "3"]);
    assert_eq!(generations(Some("claude-zoe"), 3), [""; 0]);
    assert_eq!(generations(None, 0), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replay_and_following_have_neither_a_gap_nor_a_double() {
    const EVENTS: u64 = 2_000;
    let place = place();
    let handle = JournalHandle::new(Arc::new(FakeClock::new()));
    let parent = parent().await;
    handle.spawn(Arc::new(JournalFolder::new(place.folder.clone())), parent.clone()).await.unwrap();
    let writer = tokio::spawn({
        let handle = handle.clone();
        async move {
            for n in 0..EVENTS {
                handle.record(Draft::new("x").with("n", n));
                if n % 50 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            handle.flush(DEADLINE).await.unwrap();
        }
    });
    let mut follow = handle.subscribe();
    let replayed = read_events(&place.folder, 0, usize::MAX).unwrap();
    let mut seen = seqs(&replayed);
    while seen.last() != Some(&EVENTS) {
        let event = tokio::time::timeout(DEADLINE, follow.recv()).await.expect("events within the deadline").unwrap();
        if seen.last().is_none_or(|last| event.seq > *last) {
            seen.push(event.seq);
        }
    }
    writer.await.unwrap();
    assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>());
    assert_eq!(place.read(0), seen);
    parent.stop(None);
    parent.wait(None).await.unwrap();
}
