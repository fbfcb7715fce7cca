//! Slow is not dead: servers that are stopped and continued on a loaded machine die in nobody's book.

use super::{
    campaign::number,
    census::Kind,
    checker::Files,
    schedule::{PEERS, Step, Target, Verb},
    yard::Yard,
};
use fastrand::Rng;
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{task::LocalSet, time::Instant};

/// How long unless COALMINE_SILENCE_SECONDS says otherwise.
const SECONDS: u64 = 6;
/// Processes that do nothing but compute, for each processor.
const LOAD: usize = 2;
/// Longest that a server stays stopped, milliseconds: well beyond every deadline of a call.
const STOPPED_MS_MAX: u64 = 4_000;
/// How long the fleet may take to find that everything is well.
const REST: Duration = Duration::from_secs(30);

/// Processes that only compute, until they are dropped.
struct Load(Vec<Child>);

impl Load {
    fn new() -> Self {
        let count = LOAD * std::thread::available_parallelism().map_or(2, usize::from);
        let burn = || Command::new("/bin/sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
        Self((0..count).map(|_| burn()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn servers(yard: &Yard) -> Vec<i32> {
    let census = yard.census();
    let mut pids: Vec<_> =
        census.iter().filter(|member| matches!(member.kind, Kind::Server(_))).map(|m| m.pid).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn a_server_that_is_stopped_on_a_loaded_machine_is_never_taken_for_dead() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = LocalSet::new();
    let seconds = Duration::from_secs(number("COALMINE_SILENCE_SECONDS", SECONDS));
    runtime.block_on(asking.run_until(async {
        let mut yard = Yard::new();
        yard.start_daemon(None);
        yard.populate(&asking).await;
        let before = servers(&yard);
        assert_eq!(before.len(), PEERS.len());
        let load = Load::new();
        let mut rng = Rng::with_seed(number("COALMINE_CAMPAIGN_SEED", 1));
        let end = Instant::now() + seconds;
        let mut stops = 0;
        while Instant::now() < end {
            let peer = rng.usize(..PEERS.len());
            yard.carry_out(&Step::Freeze(peer, Target::Server), &asking);
            stops += 1;
            // Somebody looks on meanwhile, and somebody asks for what is there already.
            let _silent = yard.client().capture(PEERS[peer]).await;
            yard.carry_out(&Step::Ask(peer, Verb::Start), &asking);
            tokio::time::sleep(Duration::from_millis(rng.u64(..STOPPED_MS_MAX))).await;
            if rng.bool() {
                yard.carry_out(&Step::Thaw(peer, Target::Server), &asking);
            }
        }
        drop(load);
        yard.thaw_all();
        let deadline = Instant::now() + REST;
        loop {
            let views = yard.client().list().await.unwrap();
            if views.iter().all(|view| view.generation.0 == 1 && !view.unreachable) {
                break;
            }
            assert!(Instant::now() < deadline, "never well again: {views:#?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(servers(&yard), before, "every server is the one that it was");
        let files = Files::read(&yard.paths());
        assert!(files.told.is_empty() && files.records.is_empty(), "{:?}", files.told);
        let deaths = files.events.iter().filter(|event| super::checker::field(event, "ev") == "death").count();
        eprintln!("silence: {stops} stops in {seconds:?}, {deaths} deaths");
        assert_eq!(deaths, 0);
    }));
}
