//! Many messages among many peers while daemon, servers and senders are killed at random: none is lost, none is read twice
//! in a life, and a second time in another one only with its mark.

use super::{
    at_most_once_a_life,
    crash::{peer, root},
    home, read,
};
use crate::support::{Daemon, Root, kill};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    process::{Child, Stdio},
    time::Duration,
};
use tokio::time::Instant;

/// How much is done.
struct Extent {
    peers: usize,
    messages: usize,
    seed: u64,
}

/// How long everything that was acknowledged may take to land once nobody is killed any more.
const LANDS_IN: Duration = Duration::from_secs(600);
/// Senders at work at once.
const SENDERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_campaign_loses_nothing_and_doubles_nothing() {
    run(Extent { peers: 4, messages: 120, seed: 7 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half an hour: 10,000 messages among 50 peers, or as many as MAIL_CAMPAIGN says"]
async fn a_long_campaign_loses_nothing_and_doubles_nothing() {
    let messages: usize = std::env::var("MAIL_CAMPAIGN").map_or(10_000, |messages| messages.parse().unwrap());
    run(Extent { peers: messages.div_ceil(200), messages, seed: 11 }).await;
}

/// What a sender was told.
struct Sent {
    child: Child,
    to: usize,
    body: String,
}

async fn run(extent: Extent) {
    let mut rng = fastrand::Rng::with_seed(extent.seed);
    let mut config = std::fs::read_to_string(root().home().join(".config/coalmine/config.toml")).unwrap();
    config.push_str("\n[restart]\ndeaths_max = 1000\ndelay_first = \"0s\"\n");
    let root = Root::with(&[("home/.config/coalmine/config.toml", &config)]);
    let mut daemon = Daemon::on(root).await;
    for number in 0..extent.peers {
        peer(&daemon, &name(number));
    }
    let (mut senders, mut acknowledged): (Vec<Sent>, Vec<(usize, String, String)>) = (Vec::new(), Vec::new());
    let mut kills = BTreeMap::new();
    for number in 0..extent.messages {
        if senders.len() == SENDERS {
            acknowledged.extend(told(senders.remove(0)));
        }
        let (to, body) = (rng.usize(..extent.peers), format!("message {number}"));
        let mut send = daemon.command(&["--json", "send", &name(to), "--message", &body]);
        let child = send.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        senders.push(Sent { child, to, body });
        let what = match rng.u32(..100) {
            0..2 => {
                daemon.signal(Signal::KILL);
                let (_, root) = daemon.ended().await;
                daemon = Daemon::on(root).await;
                "daemon"
            }
            2..6 => {
                let victim = name(rng.usize(..extent.peers));
                let Some(pid) = daemon.peer(&victim)["server_pid"].as_i64() else { continue };
                kill(pid.try_into().unwrap());
                "server"
            }
            6..10 => {
                let at = rng.usize(..senders.len());
                let _ended_already = senders[at].child.kill();
                "sender"
            }
            _ => continue,
        };
        *kills.entry(what).or_insert(0) += 1;
    }
    acknowledged.extend(senders.into_iter().filter_map(told));
    all_landed(&daemon, &acknowledged).await;
    let (mut twice, mut reads) = (0, 0);
    for number in 0..extent.peers {
        let read = read(&home(daemon.folder(), &name(number)));
        at_most_once_a_life(&read);
        reads += read.len();
        twice += read.iter().filter(|(_, block)| block.redelivered).count();
        for (_, id, body) in acknowledged.iter().filter(|(to, ..)| *to == number) {
            let found = read.iter().any(|(_, block)| block.id.to_string() == *id && block.body == *body);
            assert!(found, "{body} ({id}) was acknowledged, and {} never read it", name(number));
        }
    }
    println!(
        "{} acknowledged, {reads} read, {twice} of them with the mark, 0 lost, 0 doubled; killed: {kills:?}",
        acknowledged.len()
    );
    assert!(acknowledged.len() > extent.messages / 2, "most senders were answered: {}", acknowledged.len());
}

fn name(number: usize) -> String {
    format!("p{number}")
}

/// What a sender was answered; nothing where it was killed, or the daemon was.
fn told(sent: Sent) -> Option<(usize, String, String)> {
    let output = sent.child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    output.status.success().then(|| (sent.to, answer["data"]["id"].as_str().unwrap().to_owned(), sent.body))
}

/// Waits until nothing is under way, and sees that everything that was acknowledged has landed.
async fn all_landed(daemon: &Daemon, acknowledged: &[(usize, String, String)]) {
    let deadline = Instant::now() + LANDS_IN;
    for state in ["queued", "typed"] {
        while daemon.ask(&["mail", "list", "--state", state, "-n", "1"])["messages"] != serde_json::json!([]) {
            assert!(Instant::now() < deadline, "{}", daemon.ask(&["mail", "list", "--state", state]));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for (_, id, body) in acknowledged {
        let now = daemon.ask(&["mail", "show", id]);
        assert_eq!(now["state"], "submitted", "{body}: {now}");
    }
}
