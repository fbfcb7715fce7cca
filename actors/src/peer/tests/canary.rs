//! The witness beside a server: armed, lost, armed again, given up.

use super::lab::{lab, up};
use crate::peer::phase::CanaryWatch;

fn watch(lab: &super::lab::Lab) -> CanaryWatch {
    lab.state.live().unwrap().canary
}

#[test]
fn a_canary_that_dies_gets_a_successor_and_leaves_no_record() {
    let mut lab = up();
    lab.run("wait 60000").check(&[("canary-died 1", "arm 1 => up"), ("canary 1", "save => up")]);
    assert!(matches!(watch(&lab), CanaryWatch::Armed { failures: 0, .. }));
    assert_eq!(lab.told, ["starting", "canary", "up", "canary"]);
}

#[test]
fn five_canaries_in_a_row_that_end_at_once_leave_the_server_unwatched() {
    let mut lab = up();
    for _ in 1..5 {
        lab.check(&[("canary-died 1", "arm 1 => up"), ("canary 1", "save => up")]);
    }
    lab.check(&[("canary-died 1", "up"), ("canary-died 1", "up")]);
    assert_eq!(watch(&lab), CanaryWatch::Failed);
}

#[test]
fn a_canary_that_lived_a_while_forgives_those_before_it() {
    let mut lab = up();
    for _ in 0..20 {
        lab.run("canary-died 1; canary 1; canary-died 1; canary 1; canary-died 1; canary 1; wait 1000");
        lab.check(&[("canary-died 1", "arm 1 => up"), ("canary 1", "save => up")]);
    }
}

#[test]
fn a_canary_that_can_not_be_armed_does_not_keep_the_peer_down() {
    let mut lab = lab();
    lab.run("start; server 1").check(&[
        ("canary-failed 1", "open 1 => starting"),
        ("session 1", "watch 1 => starting"),
        ("ready 1", "save => up"),
        ("canary 1", "up"),
    ]);
    assert_eq!(watch(&lab), CanaryWatch::Failed);
}

#[test]
fn a_canary_that_dies_while_the_session_opens_is_replaced_beside_it() {
    lab().run("start; server 1; canary 1").check(&[
        ("canary-died 1", "arm 1 => starting"),
        ("session 1", "watch 1 => starting"),
        ("canary 1", "save => starting"),
        ("ready 1", "save => up"),
    ]);
}

#[test]
fn a_failed_arming_while_another_one_watches_is_stale() {
    let mut lab = up();
    lab.check(&[("canary-failed 1", "up"), ("canary 1", "up")]);
    assert!(matches!(watch(&lab), CanaryWatch::Armed { .. }));
}
