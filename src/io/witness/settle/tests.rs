//! One death, one record, one line: whoever races, and whoever dies between which two steps.

use super::{
    super::{Cause, Death, EndStatus, LifePaths, WitnessedBy, exits_log, forensics::KernelLog, record::Record},
    *,
};
use crate::logfmt;
use std::{fs, sync::Barrier, thread};

/// A life whose server is gone, in a root of its own.
struct Gone {
    _root: tempfile::TempDir,
    life: LifePaths,
}

impl Gone {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (journal, peer_dir) = (root.path().join("journal"), root.path().join("peer"));
        fs::create_dir(&journal).unwrap();
        fs::create_dir(&peer_dir).unwrap();
        let life = LifePaths { journal, peer_dir, identity: "claude-bob".into(), generation: 7 };
        Self { _root: root, life }
    }

    fn death() -> Death {
        Death::noticed_now(Some(4242), EndStatus::Signaled { signal: 9, core: false }, 0)
    }

    fn settle(&self, witness: WitnessedBy, fault: &mut Fault<'_>) -> io::Result<Settled> {
        settle_watched(&self.life, &Self::death(), witness, &mut KernelLog::from_now_on(), fault)
    }

    /// Exactly one record, one line that says the same, and the mark.
    fn assert_one_account(&self, context: &str) -> Record {
        let names: Vec<String> = fs::read_dir(self.life.records())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with(".tmp-"))
            .collect();
        assert_eq!(names.len(), 2, "{context}: {names:?}");
        assert!(self.life.logged().exists(), "{context}");
        let record = Record::read(&self.life.record()).unwrap().unwrap();
        let log = fs::read_to_string(self.life.exits_log()).unwrap();
        assert_eq!(log, record.line(&self.life.record()) + "\n", "{context}");
        record
    }
}

#[test]
fn an_unclaimed_death_leaves_one_record_and_a_claimed_one_leaves_none() {
    let gone = Gone::new();
    let settled = gone.settle(WitnessedBy::Canary, &mut |_| Ok(())).unwrap();
    assert_eq!(settled, Settled::Recorded { witness: WitnessedBy::Canary, cause: Cause::Killed });
    gone.assert_one_account("first witness");
    let again = gone.settle(WitnessedBy::Daemon, &mut |_| Ok(())).unwrap();
    assert_eq!(again, Settled::AlreadyRecorded { witness: WitnessedBy::Canary, cause: Cause::Killed });
    gone.assert_one_account("second witness");

    let claimed = Gone::new();
    claim::write(&claimed.life, "why=stop").unwrap();
    assert_eq!(settle(&claimed.life, &Gone::death(), WitnessedBy::Daemon).unwrap(), Settled::Claimed);
    assert!(!claimed.life.records().exists() && !claimed.life.exits_log().exists());
}

#[test]
fn a_witness_that_dies_between_two_steps_is_finished_by_the_next() {
    for (dies_after, recorded_by) in [
        (Step::TempWritten, WitnessedBy::Daemon),
        (Step::Linked, WitnessedBy::Canary),
        (Step::LineWritten, WitnessedBy::Canary),
        (Step::Marked, WitnessedBy::Canary),
    ] {
        let gone = Gone::new();
        let mut fault = |step| if step == dies_after { Err(io::Error::other("dead")) } else { Ok(()) };
        gone.settle(WitnessedBy::Canary, &mut fault).unwrap_err();
        for _ in 0..2 {
            gone.settle(WitnessedBy::Daemon, &mut |_| Ok(())).unwrap();
            let record = gone.assert_one_account(&format!("{dies_after:?}"));
            assert_eq!(record.witness, recorded_by, "{dies_after:?}");
        }
    }
}

#[test]
fn a_slow_canary_and_a_daemon_that_overtakes_it_anywhere_write_one_line() {
    for overtaken_after in [Step::TempWritten, Step::Linked, Step::LineWritten, Step::Marked] {
        let gone = Gone::new();
        let mut overtake = |step| {
            if step == overtaken_after { gone.settle(WitnessedBy::Daemon, &mut |_| Ok(())).map(drop) } else { Ok(()) }
        };
        gone.settle(WitnessedBy::Canary, &mut overtake).unwrap();
        gone.assert_one_account(&format!("{overtaken_after:?}"));
    }
}

#[test]
fn eight_witnesses_at_once_leave_one_record_and_one_line() {
    let gone = Gone::new();
    let barrier = Barrier::new(8);
    let recorded = thread::scope(|scope| {
        let race = || {
            barrier.wait();
            settle(&gone.life, &Gone::death(), WitnessedBy::Daemon).unwrap()
        };
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
        let settled = racers.into_iter().map(|racer| racer.join().unwrap());
        settled.filter(|settled| matches!(settled, Settled::Recorded { .. })).count()
    });
    assert_eq!(recorded, 1);
    gone.assert_one_account("eight");
    let left = fs::read_dir(gone.life.records()).unwrap().count();
    assert_eq!(left, 2, "temporary files are tidied up");
}

#[test]
fn the_record_of_a_damaged_head_still_gets_its_line() {
    let gone = Gone::new();
    fs::create_dir(gone.life.records()).unwrap();
    fs::write(gone.life.record(), "ts=20").unwrap();
    gone.settle(WitnessedBy::Daemon, &mut |_| Ok(())).unwrap();
    let log = fs::read_to_string(gone.life.exits_log()).unwrap();
    let fields = logfmt::parse(log.trim_end()).unwrap();
    assert!(fields.contains(&("gen".into(), "7".into())), "{log}");
}

#[test]
fn a_journal_that_is_gone_is_an_error_and_is_not_made_again() {
    let gone = Gone::new();
    fs::remove_dir(&gone.life.journal).unwrap();
    let error = gone.settle(WitnessedBy::Canary, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(!gone.life.journal.exists());
}

#[test]
fn the_successor_of_a_life_has_a_record_of_its_own() {
    let gone = Gone::new();
    gone.settle(WitnessedBy::Canary, &mut |_| Ok(())).unwrap();
    let successor = LifePaths { generation: 8, ..gone.life.clone() };
    settle(&successor, &Gone::death(), WitnessedBy::Canary).unwrap();
    assert!(exits_log::mark(&successor.record()).is_some());
    assert_eq!(fs::read_to_string(gone.life.exits_log()).unwrap().lines().count(), 2);
}
