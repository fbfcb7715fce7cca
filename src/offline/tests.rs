//! Files of a fleet without a daemon: rows are claims.

use super::*;
use coalmine_actors::{
    names::Generation,
    peer::file::{Desired, Life, LifePhase},
    ports::ProcessId,
};

const FLEET: &str = r#"{"version":1,"peers":[
    {"personality":"bob","runtimes":["claude","codex"],"default_runtime":"codex","cwd":"/tmp"},
    {"personality":"alice","runtimes":["shell"],"default_runtime":"shell","cwd":"/tmp","command":["top","-d","5"]},
    {"personality":"unborn","runtimes":["shell"],"default_runtime":"shell","cwd":"/tmp","phase":"newborn"},
    {"personality":"BAD"}],"retired":{}}"#;

fn fleet() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("fleet.json"), FLEET).unwrap();
    root
}

fn put_state(root: &Path, identity: &str, file: &PeerFile) {
    let folder = root.join("peers").join(identity);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("state.json"), serde_json::to_vec(file).unwrap()).unwrap();
}

fn me() -> ProcessId {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start_ticks = stat[stat.rfind(')').unwrap() + 1..].split_whitespace().nth(19).unwrap().parse().unwrap();
    ProcessId { pid: i32::try_from(std::process::id()).unwrap(), start_ticks, pidfd_inode: None }
}

fn life(server: ProcessId) -> PeerFile {
    let host = Host::now();
    let life = Life {
        generation: Generation(3),
        boot_id: host.boot_id.clone(),
        phase: LifePhase::Up,
        started_boot_ms: host.boot_ms,
        up_boot_ms: None,
        command: Vec::new(),
        held_by: String::new(),
        resumed: false,
        replied: false,
        server: Some(server),
        canary: None,
    };
    PeerFile {
        highest: Generation(3),
        lives: vec![life],
        desired: Desired::Up,
        boot_id: host.boot_id,
        ..PeerFile::default()
    }
}

#[test]
fn a_root_that_is_not_there_is_an_empty_fleet() {
    assert!(Files::open(Path::new("/nonexistent/coalmine"), &Config::default()).unwrap().list().is_empty());
}

#[test]
fn peers_come_by_identity_and_a_bad_record_hides_nobody() {
    let root = fleet();
    let files = Files::open(root.path(), &Config::default()).unwrap();
    let names: Vec<_> = files.list().iter().map(|peer| peer.identity.to_string()).collect();
    assert_eq!(names, ["claude-bob", "codex-bob", "shell-alice"]);
    assert_eq!(files.problems().len(), 1);
    assert_eq!(files.list()[2].command, ["top", "-d", "5"]);
}

#[test]
fn a_name_means_all_of_a_personality_or_its_default_or_one_identity() {
    let root = fleet();
    let files = Files::open(root.path(), &Config::default()).unwrap();
    assert_eq!(files.show("bob").unwrap().len(), 2);
    assert_eq!(files.show("claude-bob").unwrap().len(), 1);
    assert_eq!(files.identity("bob").unwrap().to_string(), "codex-bob");
    assert_eq!(files.identity("claude-bob").unwrap().to_string(), "claude-bob");
    let error = files.show("bop").unwrap_err();
    assert!(matches!(error, FleetError::UnknownPeer { ref nearest, .. } if nearest == &["bob"]), "{error:?}");
    assert!(matches!(files.show("Bob").unwrap_err(), FleetError::BadName(_)));
}

#[test]
fn a_server_is_up_only_when_its_very_process_lives() {
    let root = fleet();
    put_state(root.path(), "shell-alice", &life(me()));
    put_state(root.path(), "codex-bob", &life(ProcessId { start_ticks: 1, ..me() }));
    let peers = Files::open(root.path(), &Config::default()).unwrap().list();
    let alice = &peers[2];
    assert_eq!((alice.phase, alice.server_pid, alice.unwatched), (PhaseName::Up, Some(me().pid), true));
    assert_eq!(alice.generation, Generation(3));
    assert_eq!((peers[1].phase, peers[1].server_pid), (PhaseName::Backoff, None));
    assert_eq!(peers[0].phase, PhaseName::Asleep);
}

#[test]
fn a_damaged_registry_is_read_from_its_backup_or_refused() {
    let root = fleet();
    let path = root.path().join("fleet.json");
    std::fs::rename(&path, root.path().join("fleet.json.bak")).unwrap();
    std::fs::write(&path, "{ nope").unwrap();
    let files = Files::open(root.path(), &Config::default()).unwrap();
    assert_eq!(files.list().len(), 3);
    assert!(files.problems()[0].contains("stands in for it"), "{:?}", files.problems());
    std::fs::remove_file(root.path().join("fleet.json.bak")).unwrap();
    assert!(matches!(Files::open(root.path(), &Config::default()).unwrap_err(), FleetError::Damaged { .. }));
}
