//! Servers that die together (spec 01 §6): one incident, one comes back first, then the rest, few at a time.

use crate::support::Rig;
use coalmine::actors::view::{Event, PeerView};
use std::process::Command;

async fn fleet_of(count: usize, parallel: usize) -> (Rig, Vec<PeerView>) {
    let rig = Rig::with(|builder| builder.restart_parallel(parallel)).await;
    let mut peers = Vec::with_capacity(count);
    for number in 0..count {
        peers.push(rig.sleeper(&format!("p{number}")).await);
    }
    (rig, peers)
}

/// All at once: by one process, between two of its instructions.
fn kill_all(peers: &[PeerView]) {
    let pids = peers.iter().map(|peer| peer.server_pid.unwrap().to_string());
    assert!(Command::new("kill").arg("-KILL").args(pids).status().unwrap().success());
}

/// Those of `events` that tell of a second life that begins, or is up, in order.
fn second_lives(events: &[Event]) -> Vec<&Event> {
    let second = events.iter().filter(|event| event.get("gen") == Some("2"));
    second.filter(|event| event.ev == "starting" || event.ev == "up").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_die_together_are_one_incident_and_come_back_one_first_then_few_at_once() {
    let (rig, peers) = fleet_of(10, 3).await;
    kill_all(&peers);
    for number in 0..10 {
        rig.until_up(&format!("p{number}"), 2).await;
    }
    let over = rig.until_events("incident-over", 1).await;
    let incidents = rig.until_events("incident", 1).await;
    assert_eq!((incidents.len(), over.len()), (1, 1), "{incidents:#?}");
    let id = incidents[0].get("id").unwrap();
    assert_eq!((over[0].get("id"), over[0].get("count")), (Some(id), Some("10")));
    let events = rig.events().await;
    let (mut on_their_way, mut up, mut in_turn, mut ahead) = (0, 0, 0, 0);
    for event in second_lives(&events) {
        if event.ev == "up" {
            (on_their_way, up) = (on_their_way - 1, up + 1);
            continue;
        }
        on_their_way += 1;
        assert!(on_their_way <= 3, "{events:#?}");
        // On a loaded machine one or two may be on their way already when the third death is heard.
        if event.get("incident").is_none() {
            ahead += 1;
            assert!(ahead <= 2, "{events:#?}");
            continue;
        }
        in_turn += 1;
        assert_eq!(event.get("incident"), Some(id));
        assert!(in_turn == 1 || up > 0, "one goes first: {events:#?}");
    }
    assert!(in_turn >= 8, "{in_turn} were held");
    for number in 0..10 {
        rig.settled(&format!("p{number}")).await;
    }
    assert_eq!(rig.records().len(), 10, "a record each, all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_or_two_deaths_are_no_incident() {
    let (rig, peers) = fleet_of(4, 1).await;
    kill_all(&peers[..2]);
    rig.until_up("p0", 2).await;
    rig.until_up("p1", 2).await;
    let events = rig.events().await;
    assert!(events.iter().all(|event| event.ev != "incident" && event.get("incident").is_none()), "{events:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_stopped_while_it_waits_for_its_turn_stays_down_and_the_others_come() {
    let (rig, peers) = fleet_of(6, 1).await;
    kill_all(&peers);
    let stopped = rig.fleet.stop("p5", crate::support::PATIENCE).await.unwrap();
    assert_eq!(stopped.len(), 1);
    for number in 0..5 {
        rig.until_up(&format!("p{number}"), 2).await;
    }
    rig.until_events("incident-over", 1).await;
    assert!(rig.view("p5").server_pid.is_none());
}
