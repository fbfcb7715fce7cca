//! The host restarted: everything on it ended, and nobody killed it.

use super::{
    checker::{Files, field},
    schedule::{PEERS, Step, Target},
    yard::Yard,
};
use std::time::Duration;
use tokio::{task::LocalSet, time::Instant};

/// How long the fleet may take to be up again.
const REST: Duration = Duration::from_secs(30);

#[test]
fn after_a_restart_of_the_host_what_ran_runs_again_and_nothing_is_recorded_or_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = LocalSet::new();
    runtime.block_on(asking.run_until(async {
        let mut yard = Yard::new();
        yard.start_daemon(None);
        yard.populate(&asking).await;
        yard.client().stop(PEERS[1], REST).await.unwrap();
        // The end of everything at once, with nobody left to tell of it.
        let all = vec![Target::Daemon, Target::Canary, Target::Server, Target::Program];
        (0..PEERS.len()).for_each(|peer| yard.carry_out(&Step::Kill(peer, all.clone()), &asking));
        let this_boot = coalmine::io::boot::boot_id().unwrap();
        for name in PEERS {
            let state = yard.paths().peers().join(format!("shell-{name}/state.json"));
            let text = std::fs::read_to_string(&state).unwrap();
            std::fs::write(state, text.replace(this_boot, "00000000-0000-4000-8000-000000000000")).unwrap();
        }
        yard.start_daemon(None);
        let deadline = Instant::now() + REST;
        let views = loop {
            let views = yard.client().list().await.unwrap_or_default();
            let is = |name: &str, phase: &str, generation: u64| {
                views.iter().any(|view| {
                    view.personality.as_str() == name
                        && view.phase.as_str() == phase
                        && view.generation.0 == generation
                        && view.server_pid.is_some() == (phase == "up")
                })
            };
            if is(PEERS[0], "up", 2) && is(PEERS[1], "stopped", 1) && is(PEERS[2], "up", 2) {
                break views;
            }
            assert!(Instant::now() < deadline, "never as it was: {views:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(views.iter().all(|view| view.deaths_recent == 0), "{views:#?}");
        // One event names all of them; it waits a moment for the last one to be read.
        let files = loop {
            let files = Files::read(&yard.paths());
            if events(&files, "host-restart") == 1 {
                break files;
            }
            assert!(Instant::now() < deadline, "the restart of the host was never told");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(files.told.is_empty() && files.records.is_empty(), "{:?}", files.told);
        assert_eq!(events(&files, "death"), 0);
    }));
}

fn events(files: &Files, ev: &str) -> usize {
    files.events.iter().filter(|event| field(event, "ev") == ev).count()
}
