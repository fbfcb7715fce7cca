//! A daemon that is killed at every step of a message: what was acknowledged lands, and nothing is read twice in a life.

use super::{agent, at_most_once_a_life, bodies, home, read, works};
use crate::support::{Daemon, Root, Said};
use coalmine::io::fault::{FaultPoint, VARIABLE};
use coalmine_actors::runtime::RuntimeDef;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A root whose fleet knows the runtime of the scripted program.
pub fn root() -> Root {
    root_with(agent::runtime())
}

/// The same, with this definition of it.
pub fn root_with(runtime: RuntimeDef) -> Root {
    let config = toml::to_string(&BTreeMap::from([("runtime", BTreeMap::from([("agent", runtime)]))])).unwrap();
    Root::with(&[("home/.config/coalmine/config.toml", &config)])
}

/// The variable that names the home of a peer's program.
pub fn home_of(daemon: &Daemon, name: &str) -> String {
    format!("{}={}", agent::HOME, home(daemon.folder(), name).display())
}

/// A peer that runs the scripted program, up.
pub fn peer(daemon: &Daemon, name: &str) {
    let home = home_of(daemon, name);
    daemon.ask(&["create", name, "--runtime", "agent", "--env", &home, "--start"]);
}

/// Sends three messages, of which the second has an attachment, each until it has landed.
fn send_all(root: &Root) -> Vec<Said> {
    let send = |number: usize| {
        let (body, key) = (number.to_string(), format!("k{number}"));
        let mut args = vec!["--json", "send", "bob", "--message", &body, "--key", &key, "--wait", "submitted"];
        if number == 1 {
            args.extend(["--attachment", "map"]);
        }
        root.coalmine(&args)
    };
    (0..3).map(send).collect()
}

async fn killed_at(point: FaultPoint, count: u32) {
    let what = format!("{}:{count}", point.name());
    let armed = root().env_also(VARIABLE, what.as_str());
    armed.put("map", "a map");
    let daemon = Daemon::on(armed).await;
    peer(&daemon, "bob");
    let told: Vec<Said> = send_all(&daemon);
    assert!(told.iter().any(|said| said.code != 0), "{what}: the daemon was not killed: {told:?}");
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root.without(VARIABLE)).await;
    // Whoever got no answer sends again, with the same keys.
    for said in send_all(&daemon) {
        assert_eq!(said.code, 0, "{what}: {said:?}");
        assert_eq!(
            (&said.json()["data"]["state"], &said.json()["data"]["gen"]),
            (&json!("submitted"), &json!(1)),
            "{what}"
        );
    }
    let read = read(&home(daemon.folder(), "bob"));
    at_most_once_a_life(&read);
    assert_eq!(bodies(&read), ["0", "1", "2"], "{what}");
    let page = daemon.ask(&["mail", "list"]);
    assert_eq!(page["messages"].as_array().unwrap().len(), 3, "{what}: {page}");
    // One reference, the message's own: those of whoever died on the way are no committed ones.
    let held = daemon.ask(&["attachment", "list", "--session", "agent-bob"]);
    assert_eq!(held["items"].as_array().map(Vec::len), Some(1), "{what}: {held}");
}

/// A row each, so that they run side by side.
macro_rules! points {
    ($($name:ident: $point:ident, [$($count:literal),+];)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            for count in [$($count),+] {
                killed_at(FaultPoint::$point, count).await;
            }
        })+

        #[test]
        fn every_step_of_a_message_has_its_row() {
            let rows = [$(FaultPoint::$point),+];
            let steps = FaultPoint::ALL.iter().filter(|point| point.name().starts_with("mail-"));
            assert!(steps.eq(rows.iter()));
        }
    };
}

points! {
    a_message_that_is_kept_and_not_answered_lands_once: MailKept, [1, 2, 3];
    a_message_whose_attachments_are_lent_and_which_is_not_accepted_leaves_nothing: MailLent, [1];
    a_message_that_is_noted_and_not_pasted_lands_once: MailTyped, [1, 2];
    a_message_that_is_pasted_and_not_submitted_lands_once: MailPasted, [1, 2];
    a_message_that_is_submitted_and_not_seen_to_be_lands_once: MailPressed, [1, 2];
    a_message_that_is_over_and_not_answered_lands_once: MailOver, [1, 2];
}

/// Nobody follows a message, the daemon dies while it waits, and the next one brings it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_daemon_that_died_is_brought_by_the_next_one_in_order() {
    let daemon = Daemon::on(root()).await;
    peer(&daemon, "bob");
    let home = home(daemon.folder(), "bob");
    works(&daemon, "bob").await;
    for number in 0..5 {
        let queued = daemon.ask(&["send", "bob", "--message", &number.to_string()]);
        assert_eq!(queued["state"], "queued");
    }
    daemon.signal(rustix::process::Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    let last = daemon.ask(&["send", "bob", "--message", "5"]);
    std::fs::remove_file(home.join("busy")).unwrap();
    crate::support::eventually("the last one landed", || async {
        let now: Value = daemon.ask(&["mail", "show", last["id"].as_str().unwrap()]);
        (now["state"] == "submitted").then_some(())
    })
    .await;
    assert_eq!(bodies(&read(&home)), ["0", "1", "2", "3", "4", "5"]);
}

/// Every state in which a message can rest, and a daemon that dies without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_outlives_a_daemon_that_is_killed() {
    let daemon = Daemon::on(root()).await;
    peer(&daemon, "bob");
    daemon.sleeper("sh");
    let send = |to: &str, body: &str, more: &[&str]| -> String {
        let args = [&["--json", "send", to, "--message", body], more].concat();
        daemon.coalmine(&args).json()["data"]["id"].as_str().unwrap().to_owned()
    };
    let submitted = send("bob", "submitted", &["--wait", "submitted"]);
    let seen = send("bob", "seen", &["--wait", "submitted"]);
    daemon.ask(&["mail", "ack", &seen]);
    let refused = send("sh", "refused", &[]);
    let home = home(daemon.folder(), "bob");
    works(&daemon, "bob").await;
    let expired = send("bob", "expired", &["--expires", "50ms"]);
    let failed = send("bob", "cancelled", &[]);
    daemon.ask(&["mail", "cancel", &failed]);
    let queued = send("bob", "queued", &[]);
    let ids =
        [(submitted, "submitted"), (seen, "seen"), (refused, "refused"), (expired, "expired"), (failed, "failed")];
    let over = |daemon: &Daemon| {
        let stand = |(id, wanted): &(String, &str)| daemon.ask(&["mail", "show", id])["state"] == *wanted;
        ids.iter().all(stand).then_some(())
    };
    crate::support::eventually("each is where it is to be", || async { over(&daemon) }).await;
    let before = daemon.ask(&["mail", "list"]);
    daemon.signal(rustix::process::Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    over(&daemon).expect("what was told stays true");
    let kept = |page: &Value| {
        let mut kept = page["messages"].as_array().unwrap().clone();
        // What is in the way is of the moment.
        kept.iter_mut().for_each(|message| drop(message.as_object_mut().unwrap().remove("waits_because")));
        kept
    };
    assert_eq!(kept(&daemon.ask(&["mail", "list"])), kept(&before), "with every time");
    std::fs::remove_file(home.join("busy")).unwrap();
    crate::support::eventually("the last one landed", || async {
        (daemon.ask(&["mail", "show", &queued])["state"] == "submitted").then_some(())
    })
    .await;
    assert_eq!(bodies(&read(&home)), ["submitted", "seen", "queued"]);
}
