//! A daemon that dies around the birth of a server: the next one knows whether there was one.

use super::{
    campaign::rest_for,
    census::Kind,
    schedule::{Fault, Step, Target},
    yard::Yard,
};
use coalmine::io::fault::FaultPoint;
use std::{path::PathBuf, time::Duration};
use tokio::{task::LocalSet, time::Instant};

/// What a fleet says once it is at rest.
const SOON: Duration = Duration::from_secs(20);

/// A fleet of three whose first peer lost its server; its daemon died at `point` of the second life. Then `meanwhile`.
#[track_caller]
fn nothing_is_wrong_after(point: FaultPoint, meanwhile: impl AsyncFnOnce(&mut Yard, &LocalSet)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = LocalSet::new();
    runtime.block_on(asking.run_until(async {
        let mut yard = Yard::new();
        yard.start_daemon(Some(Fault { point, count: 4 }));
        yard.populate(&asking).await;
        yard.carry_out(&Step::Kill(0, vec![Target::Server]), &asking);
        let deadline = Instant::now() + SOON;
        while yard.has_daemon() {
            assert!(Instant::now() < deadline, "it never died at {point:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        meanwhile(&mut yard, &asking).await;
        assert_eq!(rest_for(&mut yard, SOON).await, [""; 0], "{:#?}", yard.census());
    }));
}

fn socket(yard: &Yard) -> PathBuf {
    yard.paths().peer_socket(&"shell-anna".parse().unwrap())
}

#[test]
fn a_socket_that_an_earlier_life_left_is_no_sign_of_this_one() {
    nothing_is_wrong_after(FaultPoint::ServerDue, async |yard, _| {
        drop(std::os::unix::net::UnixListener::bind(socket(yard)).unwrap());
    });
}

#[test]
fn a_server_that_lived_is_recorded_also_where_a_sweep_took_its_socket_away() {
    nothing_is_wrong_after(FaultPoint::ServerSpawned, async |yard, asking| {
        let deadline = Instant::now() + SOON;
        let of_anna = |kind: &Kind| matches!(kind, Kind::Server(life) if life.to_string() == "shell-anna-g2");
        while !yard.census().iter().any(|member| of_anna(&member.kind)) || !socket(yard).exists() {
            assert!(Instant::now() < deadline, "it never came up: {:#?}", yard.census());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        yard.carry_out(&Step::Kill(0, vec![Target::Server]), asking);
        std::fs::remove_file(socket(yard)).unwrap();
    });
}
