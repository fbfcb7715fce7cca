//! The checker has teeth: what must not be is found, also where it was planted.

use super::{
    campaign::rest_for,
    census::{Kind, Member},
    checker::Files,
    schedule::{Fault, Step, Target},
    support::kill,
    yard::Yard,
};
use coalmine::io::fault::FaultPoint;
use std::{io::Write, time::Duration};
use tokio::task::LocalSet;

/// What a fleet without faults says at once.
const SOON: Duration = Duration::from_secs(20);
/// Long enough for whatever could still set a planted defect right.
const LONG: Duration = Duration::from_secs(2);

/// A fleet in which anna's server was killed, at rest; then `plant` is done to it.
fn complaints(plant: impl FnOnce(&mut Yard, &LocalSet)) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = LocalSet::new();
    runtime.block_on(asking.run_until(async {
        let mut yard = Yard::new();
        yard.start_daemon(None);
        yard.populate(&asking).await;
        yard.carry_out(&Step::Kill(0, vec![Target::Server]), &asking);
        assert_eq!(rest_for(&mut yard, SOON).await, [""; 0]);
        plant(&mut yard, &asking);
        rest_for(&mut yard, LONG).await
    }))
}

#[track_caller]
fn found(plant: impl FnOnce(&mut Yard, &LocalSet), words: &str) {
    let complaints = complaints(plant);
    assert!(complaints.iter().any(|complaint| complaint.contains(words)), "{words:?} is not in {complaints:#?}");
}

fn exits(yard: &Yard) -> std::path::PathBuf {
    yard.paths().journal().join("exits.log")
}

#[test]
fn a_record_that_is_missing_is_missed() {
    found(|yard, _| std::fs::write(exits(yard), "").unwrap(), "its server was killed, and exits.log does not tell");
}

#[test]
fn a_death_that_is_told_twice_is_seen() {
    let twice = |yard: &mut Yard, _: &LocalSet| {
        let lines = std::fs::read_to_string(exits(yard)).unwrap();
        std::fs::File::options().append(true).open(exits(yard)).unwrap().write_all(lines.as_bytes()).unwrap();
    };
    found(twice, "told 2 times");
}

#[test]
fn a_record_of_a_death_that_nobody_caused_is_seen() {
    found(|yard, _| yard.forget_kills(), "nobody killed its server, and exits.log tells of its death");
}

#[test]
fn a_deliberate_end_whose_claim_was_taken_away_is_seen() {
    let unclaimed = |yard: &mut Yard, asking: &LocalSet| {
        yard.carry_out(&Step::Kill(1, vec![Target::Daemon]), asking);
        yard.start_daemon(Some(Fault { point: FaultPoint::ClaimWritten, count: 1 }));
        while yard.has_daemon() {
            let _died_or_not_there_yet = yard.root().coalmine(&["stop", "bob"]);
        }
        std::fs::remove_file(yard.paths().peers().join("shell-bob/claim-g1")).unwrap();
        let census = yard.census();
        let server =
            |member: &&Member| matches!(&member.kind, Kind::Server(life) if life.to_string() == "shell-bob-g1");
        kill(census.iter().find(server).unwrap().pid);
    };
    found(unclaimed, "nobody killed its server, and exits.log tells of its death");
}

#[test]
fn a_process_that_nobody_accounts_for_is_seen() {
    let stray = |yard: &mut Yard, _: &LocalSet| {
        let mark = format!("{}-shell-anna-g1", yard.paths().root_hash());
        yard.keep(std::process::Command::new("sleep").arg("60").env("COALMINE_LIFE", mark).spawn().unwrap());
    };
    found(stray, "left behind");
}

#[test]
fn a_file_that_is_no_json_is_seen() {
    let torn = |yard: &mut Yard, _: &LocalSet| {
        let state = yard.paths().peers().join("shell-bob/state.json");
        let text = std::fs::read(&state).unwrap();
        std::fs::write(state, &text[..text.len() / 2]).unwrap();
    };
    found(torn, "can not be parsed");
}

/// Reads what the campaign reads, so that an empty look is not taken for a clean one.
#[test]
fn a_death_is_read_with_its_record() {
    let mut seen = (0, 0);
    let look = |yard: &mut Yard, _: &LocalSet| {
        let files = Files::read(&yard.paths());
        seen = (files.told.len(), files.records.len());
    };
    complaints(look);
    assert_eq!(seen, (1, 1));
}
