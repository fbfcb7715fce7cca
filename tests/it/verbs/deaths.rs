//! `coalmine deaths`: what fits on a screen, and the daemon's status beside one that nobody else could learn.

use crate::support::{Daemon, Root};

const UNKNOWN: &str = "ts=2026-11-21T01:00:00.000000Z ev=server-exit identity=shell-bob gen=3 server_pid=42 \
                       status=unknown cause=unwitnessed witness=canary up_s=5 forensics=\n";
const SEEN: &str = "ts=2026-11-21T01:00:00.000000Z seq=7 ev=death identity=shell-bob gen=3 status=signal:11+core\n";

#[test]
fn a_status_that_its_witness_could_not_learn_has_the_daemons_beside_it() {
    let root = Root::with(&[("journal/exits.log", UNKNOWN), ("journal/lifecycle.log", SEEN)]);
    root.coalmine(&["deaths"]).tells(&["unknown; the daemon saw SIGSEGV, core dumped", "unwitnessed"]);
    let death = root.ask(&["deaths"])[0].take();
    assert_eq!((death["status"].as_str(), death["daemon_status"].as_str()), (Some("unknown"), Some("signal:11+core")));
    for other in [SEEN.replace("gen=3", "gen=2"), SEEN.replace("signal:11+core", "unknown"), String::new()] {
        root.put("journal/lifecycle.log", &other);
        assert!(root.ask(&["deaths"])[0].get("daemon_status").is_none(), "{other}");
    }
}

#[tokio::test]
async fn a_death_fits_on_a_screen_and_all_of_it_is_a_flag_away() {
    let daemon = Daemon::start().await;
    let bob = daemon.script("bob", "echo last words; exec sleep 3600");
    daemon.until("bob", "has written", |_| daemon.coalmine(&["logs", "bob"]).out.contains("last words")).await;
    crate::support::kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    daemon.until("bob", "is on record", |_| !daemon.ask(&["deaths", "bob"]).as_array().unwrap().is_empty()).await;
    daemon.coalmine(&["deaths", "bob"]).tells(&["SIGKILL", "forensics: `coalmine deaths shell-bob -n 1`"]);
    let digest = daemon.coalmine(&["deaths", "bob", "-n", "1"]);
    digest.tells(&["end\n  status=signal:9", "processes (7 of ", "MemAvailable", "  last words", "--full"]);
    assert!(digest.out.lines().count() < 60, "{}", digest.out);
    let full = daemon.coalmine(&["deaths", "bob", "--full"]);
    full.tells(&["[end]", "[meminfo]", "last words"]);
    assert!(full.out.len() > digest.out.len());
}

#[tokio::test]
async fn a_death_whose_line_was_lost_is_told_by_its_record() {
    let daemon = Daemon::impatient().await;
    let bob = daemon.sleeper("bob");
    crate::support::kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    let logged = daemon.path().join("journal/server-deaths/shell-bob-g1.logged");
    crate::support::eventually("the record is whole", || async { logged.exists().then_some(()) }).await;
    let before = daemon.ask(&["deaths"]);
    assert_eq!(before.as_array().unwrap().len(), 1);
    daemon.coalmine(&["verify"]).tells(&["records: 1 death, each with its line"]);
    std::fs::write(daemon.path().join("journal/exits.log"), "").unwrap();
    assert_eq!(daemon.ask(&["deaths"]), before);
    daemon.coalmine(&["verify"]).tells(&["records: 1 of 1 death had a line in exits.log that is gone"]);
}
