//! Servers that die together (spec 01 §6): one incident, one comes back first, then the rest, few at a time.

use crate::support::{Rig, kill};
use coalmine::actors::view::{Event, PeerView};

async fn fleet_of(count: usize, parallel: usize) -> (Rig, Vec<PeerView>) {
    let rig = Rig::with(|builder| builder.restart_parallel(parallel)).await;
    let mut peers = Vec::with_capacity(count);
    for number in 0..count {
        peers.push(rig.sleeper(&format!("p{number}")).await);
    }
    (rig, peers)
}

fn kill_all(peers: &[PeerView]) {
    for peer in peers {
        kill(peer.server_pid.unwrap());
    }
}

/// Those of `events` that are about second lives, in order: `starting p3`, `up p3`.
fn second_lives(events: &[Event]) -> Vec<(&str, &str)> {
    let second = events.iter().filter(|event| event.get("gen") == Some("2"));
    let told = second.filter(|event| event.ev == "starting" || event.ev == "up");
    told.map(|event| (event.ev.as_str(), event.get("identity").unwrap())).collect()
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
    let starts: Vec<_> = events.iter().filter(|event| event.ev == "starting" && event.seq > incidents[0].seq).collect();
    assert_eq!(starts.len(), 10);
    assert!(starts.iter().all(|event| event.get("incident") == Some(id)), "{starts:#?}");
    let order = second_lives(&events);
    assert_eq!((order[0].0, order[1].0), ("starting", "up"), "one goes first: {order:?}");
    let mut on_their_way = 0;
    for (ev, _) in &order {
        on_their_way = if *ev == "starting" { on_their_way + 1 } else { on_their_way - 1 };
        assert!(on_their_way <= 3, "{order:?}");
    }
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
