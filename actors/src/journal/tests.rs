//! The journal's contract, with a fake file and a paused clock.

use super::{Draft, FOLLOWERS_LAG_EVENTS_MAX, JournalHandle, event, ledger};
use crate::{
    testing::{FakeClock, FakeJournalFile, parent},
    view::Event,
};
use ractor::ActorCell;
use std::{io::ErrorKind, sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::Instant,
};

const LONG: Duration = Duration::from_secs(3_600);

struct World {
    journal: JournalHandle,
    file: FakeJournalFile,
    parent: ActorCell,
    actor: ActorCell,
}

async fn world(file: FakeJournalFile) -> World {
    let journal = JournalHandle::new(Arc::new(FakeClock::new()));
    let parent = parent().await;
    let actor = journal.spawn(Arc::new(file.clone()), parent.clone()).await.unwrap();
    World { journal, file, parent, actor }
}

impl World {
    fn record(&self, n: u64) {
        self.journal.record(Draft::new("x").with("n", n));
    }

    /// The `n` of every line in the file, with the places checked.
    fn written(&self) -> Vec<String> {
        let events: Vec<Event> = self.file.lines().iter().map(|line| event::parse_line(line).unwrap()).collect();
        assert!(events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "places without a gap");
        events.iter().map(|event| event.get("n").unwrap_or(&event.ev).to_owned()).collect()
    }
}

/// Lets every task that can run do so; the paused clock moves only when none can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn received(events: &mut Receiver<Arc<Event>>) -> Vec<u64> {
    std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.seq).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_to_the_file_and_then_to_the_followers() {
    let world = world(FakeJournalFile::with_last_seq(41)).await;
    let mut events = world.journal.subscribe();
    world.file.hold();
    world.record(1);
    settle().await;
    assert_eq!(events.try_recv(), Err(TryRecvError::Empty), "not before it is in the file");
    assert_eq!(world.journal.last_seq(), 41);
    world.file.release();
    let event = events.recv().await.unwrap();
    assert_eq!(world.file.lines(), [event::render(&event)]);
    assert_eq!((event.seq, world.journal.last_seq()), (42, 42));
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_write_is_in_the_air_is_one_write() {
    let world = world(FakeJournalFile::new()).await;
    world.file.hold();
    world.record(1);
    settle().await;
    for n in 2..=100 {
        world.record(n);
    }
    settle().await;
    world.file.release();
    world.journal.flush(LONG).await.unwrap();
    assert_eq!(world.file.appends(), 2);
    assert_eq!(world.written().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_waited_out_without_loss_and_in_order() {
    let world = world(FakeJournalFile::new()).await;
    let mut events = world.journal.subscribe();
    world.record(1);
    world.journal.flush(LONG).await.unwrap();
    world.file.refuse(Some(ErrorKind::StorageFull));
    world.record(2);
    settle().await;
    world.record(3);
    settle().await;
    let status = world.journal.status();
    assert_eq!((status.last_seq, status.waiting), (1, 2));
    let outage = status.unavailable.unwrap();
    assert!(outage.why.starts_with("can not append to /fake/lifecycle.log"));
    assert!(outage.retry_at.unwrap() > tokio::time::Instant::now(), "{outage:?}");
    tokio::time::sleep(LONG).await;
    assert!(world.file.appends() < 130, "it tries every 30 s, not in a loop: {}", world.file.appends());
    world.file.refuse(None);
    world.journal.flush(LONG).await.unwrap();
    assert_eq!(world.journal.status().unavailable, None);
    assert_eq!(world.written(), ["1", "2", "3"]);
    assert_eq!(received(&mut events), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_stays_full_costs_the_oldest_events_and_says_how_many() {
    let world = world(FakeJournalFile::new()).await;
    world.journal.flush(LONG).await.unwrap();
    world.file.refuse(Some(ErrorKind::StorageFull));
    for n in 1..=ledger::WAITING_EVENTS_MAX as u64 + 5 {
        world.record(n);
    }
    tokio::time::sleep(LONG).await;
    world.file.refuse(None);
    world.journal.flush(LONG).await.unwrap();
    let written = world.written();
    assert_eq!(written[..2], ["5", "6"], "the marker's own n, then the oldest that is left");
    assert!(world.file.lines()[0].ends_with("seq=1 ev=journal-lost n=5"));
    assert_eq!(written.len(), ledger::WAITING_EVENTS_MAX + 1);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_can_not_be_opened_keeps_what_comes() {
    let file = FakeJournalFile::with_last_seq(7);
    file.refuse(Some(ErrorKind::PermissionDenied));
    let world = world(file).await;
    world.record(1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.journal.status().unavailable.is_some());
    world.file.refuse(None);
    world.journal.flush(LONG).await.unwrap();
    assert_eq!(world.written(), ["1"]);
    assert_eq!(world.journal.last_seq(), 8);
}

#[tokio::test(start_paused = true)]
async fn it_is_made_durable_once_a_second_while_it_is_written_and_never_else() {
    let world = world(FakeJournalFile::new()).await;
    settle().await;
    let start = Instant::now();
    for n in 0..100 {
        world.record(n);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(LONG).await;
    assert_eq!(start.elapsed().as_secs(), 5 + LONG.as_secs());
    assert!((4..=6).contains(&world.file.syncs()), "{} syncs for 5 s of events", world.file.syncs());
}

#[tokio::test(start_paused = true)]
async fn foreign_lines_become_events_and_their_file_hears_of_it() {
    let file = FakeJournalFile::new();
    file.write_foreign(&["ts=2026-11-21T00:00:00Z ev=server-exit identity=claude-bob gen=7", "what?"], 80);
    let world = world(file).await;
    let mut events = world.journal.subscribe();
    world.file.write_foreign(&["ts=2026-11-21T00:00:01Z ev=session-exit identity=claude-bob gen=7"], 150);
    let got = [events.recv().await.unwrap(), events.recv().await.unwrap(), events.recv().await.unwrap()];
    assert_eq!(got.each_ref().map(|event| event.ev.as_str()), ["server-exit", "foreign-line-bad", "session-exit"]);
    assert_eq!(got.each_ref().map(|event| event.seq), [1, 2, 3]);
    assert_eq!(got[0].ts.to_string(), "2026-11-21T00:00:00Z", "the time is the line's own");
    assert_eq!(got[1].get("line"), Some("what?"));
    settle().await;
    assert_eq!(world.file.imported(), [80, 150]);
}

#[tokio::test(start_paused = true)]
async fn foreign_lines_count_as_imported_only_once_they_are_written() {
    let world = world(FakeJournalFile::new()).await;
    world.journal.flush(LONG).await.unwrap();
    world.file.refuse(Some(ErrorKind::StorageFull));
    world.file.write_foreign(&["ts=2026-11-21T00:00:00Z ev=server-exit"], 40);
    tokio::time::sleep(LONG).await;
    assert!(world.file.imported().is_empty());
    world.file.refuse(None);
    tokio::time::sleep(LONG).await;
    assert_eq!(world.file.imported(), [40]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_follower_is_told_what_it_missed() {
    let world = world(FakeJournalFile::new()).await;
    let mut events = world.journal.subscribe();
    for n in 0..FOLLOWERS_LAG_EVENTS_MAX as u64 + 10 {
        world.record(n);
    }
    world.journal.flush(LONG).await.unwrap();
    assert_eq!(events.recv().await, Err(RecvError::Lagged(10)));
    assert_eq!(events.recv().await.unwrap().seq, 11);
}

#[tokio::test(start_paused = true)]
async fn handles_and_followers_survive_the_actor() {
    let world = world(FakeJournalFile::new()).await;
    let mut events = world.journal.subscribe();
    world.record(1);
    world.journal.flush(LONG).await.unwrap();
    world.actor.kill();
    world.actor.wait(None).await.unwrap();
    world.record(2);
    world.journal.spawn(Arc::new(world.file.clone()), world.parent.clone()).await.unwrap();
    world.record(3);
    world.journal.flush(LONG).await.unwrap();
    assert_eq!(world.written(), ["1", "1", "3"], "the second is the marker: one event was lost");
    assert!(world.file.lines()[1].contains("ev=journal-lost n=1"));
    assert_eq!(received(&mut events), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_has_a_deadline_and_none_is_answered_before_its_events_are_durable() {
    let world = world(FakeJournalFile::new()).await;
    world.file.hold();
    world.record(1);
    let error = world.journal.flush(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.code(), "timed-out");
    world.file.release();
    world.journal.flush(LONG).await.unwrap();
    assert!(world.file.syncs() >= 1);
    world.actor.stop(None);
    world.actor.wait(None).await.unwrap();
    assert_eq!(world.journal.flush(LONG).await.unwrap_err().code(), "shutting-down");
}
