use super::{books::recover, entry::*, *};
use crate::{effects::tests::memory_log::MemoryLog, testing::FakeClock};

fn audit(file: &Arc<MemoryLog>) -> Audit {
    Audit::new(Arc::clone(file) as Arc<dyn AuditFile>, Arc::new(FakeClock::new()))
}

fn memory(bytes_max: usize) -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new(bytes_max))
}

fn about(peer: &str, verdict: Verdict) -> About<'static> {
    About {
        peer: peer.to_owned().into(),
        session: 1,
        op: "io.write".into(),
        resource: "/x\n\u{1b}".into(),
        rule: "scope.fs_write[0]".into(),
        verdict,
    }
}

fn decided(peer: &str, calls: u64, bytes_out: u64) -> Entry<'static> {
    Entry::Decision(Decided { about: about(peer, Verdict::Allowed), calls, bytes_out, llm_tokens: 0, outcome: None })
}

fn ended(peer: &str, call: u64, calls: u64, ms: f64, bytes_out: u64) -> Entry<'static> {
    Entry::Outcome(Ended {
        call,
        about: about(peer, Verdict::Allowed),
        outcome: "ok".into(),
        ms,
        bytes_in: 0,
        bytes_out,
        calls,
        llm_tokens: 2,
        sandbox: None,
    })
}

fn bob() -> Personality {
    "bob".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_used_is_what_the_lines_say_also_for_the_next_one_who_reads_them() {
    let file = memory(usize::MAX);
    let first = audit(&file);
    let call = first.enter(decided("claude-bob", 2, 100)).unwrap();
    assert_eq!(first.used(&bob()).unwrap(), Usage { calls: 2, bytes_out: 100, ..Usage::default() });
    first.enter(ended("claude-bob", call, 2, 1.5, 70)).unwrap();
    let lost = first.enter(decided("codex-bob", 1, 5)).unwrap();
    let next = audit(&file);
    let used = Usage { calls: 3, wall_us: 1_500, bytes_out: 75, llm_tokens: 2 };
    assert_eq!(next.used(&bob()).unwrap(), used);
    // Its process is gone: an end that somebody writes for it changes nothing.
    next.enter(ended("codex-bob", lost, 0, 9.0, 0)).unwrap();
    assert_eq!(next.used(&bob()).unwrap(), used);
    assert_eq!(next.last_seq(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_torn_line_costs_itself() {
    let file = memory(usize::MAX);
    audit(&file).enter(decided("claude-bob", 2, 0)).unwrap();
    let whole = file.files.lock().unwrap()[0].clone();
    for cut in 1..whole.len() {
        *file.files.lock().unwrap() = vec![[&whole[..], &whole[..cut]].concat()];
        let next = audit(&file);
        assert_eq!(next.enter(decided("claude-bob", 1, 0)).unwrap(), 2, "cut at {cut}");
        // A whole line without its end counts, and has the number that it says.
        assert_eq!(next.used(&bob()).unwrap().calls, if cut == whole.len() - 1 { 5 } else { 3 }, "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_full_is_followed_by_one_that_begins_with_all_that_is_used() {
    let file = memory(2_000);
    let first = audit(&file);
    for _ in 0..40 {
        let call = first.enter(decided("claude-bob", 1, 1)).unwrap();
        first.enter(ended("claude-bob", call, 1, 0.001, 1)).unwrap();
    }
    let used = Usage { calls: 40, wall_us: 40, bytes_out: 40, llm_tokens: 80 };
    assert_eq!(first.used(&bob()).unwrap(), used);
    let files = file.files.lock().unwrap().clone();
    assert!(files.len() > 3, "{}", files.len());
    assert!(
        files[1..].iter().all(|file| file.starts_with(b"{\"ts\":") && file.windows(10).any(|w| w == b"checkpoint"))
    );
    // The newest two are enough.
    let (last, books) = recover(|age| Ok::<_, io::Error>(files.iter().rev().take(2).nth(age).cloned()), 1).unwrap();
    assert_eq!((last, books.used("bob")), (first.last_seq(), used));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_under_way_at_a_checkpoint_is_settled_once() {
    let file = memory(usize::MAX);
    let first = audit(&file);
    let call = first.enter(decided("claude-bob", 3, 10)).unwrap();
    first.checkpoint().unwrap();
    first.checkpoint().unwrap(); // nothing new: no line
    assert_eq!(first.last_seq(), 2);
    first.enter(ended("claude-bob", call, 0, 0.0, 4)).unwrap();
    let used = Usage { bytes_out: 4, llm_tokens: 2, ..Usage::default() };
    assert_eq!(first.used(&bob()).unwrap(), used);
    assert_eq!(audit(&file).used(&bob()).unwrap(), used);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_leaves_nothing_to_its_namesake() {
    let file = memory(usize::MAX);
    let first = audit(&file);
    let call = first.enter(decided("claude-bob", 3, 10)).unwrap();
    first.enter(Entry::Forgotten { peer: "bob".into() }).unwrap();
    first.enter(ended("claude-bob", call, 3, 1.0, 10)).unwrap();
    assert_eq!(first.used(&bob()).unwrap(), Usage::default());
    assert_eq!(audit(&file).used(&bob()).unwrap(), Usage::default());
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_refuses_is_not_counted_and_the_next_line_tells_nobody_of_it() {
    let file = memory(usize::MAX);
    let first = audit(&file);
    first.enter(decided("claude-bob", 1, 0)).unwrap();
    file.refuses.store(true, Ordering::Relaxed);
    assert_eq!(first.enter(decided("claude-bob", 1, 0)).unwrap_err().code(), "unaudited");
    assert!(first.trouble().is_some());
    file.refuses.store(false, Ordering::Relaxed);
    assert_eq!(first.enter(decided("claude-bob", 1, 0)).unwrap(), 2);
    assert_eq!((first.trouble(), first.used(&bob()).unwrap().calls), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_not_durable_is_synced() {
    let file = memory(usize::MAX);
    let first = audit(&file);
    let seq = first.enter(decided("claude-bob", 1, 0)).unwrap();
    first.sync(seq).unwrap();
    first.sync(seq).unwrap();
    assert_eq!(file.syncs.load(Ordering::Relaxed), 1);
    first.sync(first.enter(decided("claude-bob", 1, 0)).unwrap()).unwrap();
    assert_eq!(file.syncs.load(Ordering::Relaxed), 2);
}

#[test]
fn a_line_is_read_as_it_was_written_and_nothing_in_it_ends_it() {
    let mut books = Books::default();
    books.enter(1, &decided("claude-bob", 1, 2));
    for entry in [decided("claude-bob", 1, 2), ended("claude-bob", 1, 1, 0.123, 4), books.checkpoint()] {
        let record = Record { ts: "2026-11-21T01:23:45.678Z".parse().unwrap(), seq: 7, entry };
        let line = record.line();
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        assert!(!line.contains(&0x1b));
        assert_eq!(Record::read(&line[..line.len() - 1]).unwrap(), record);
    }
}
