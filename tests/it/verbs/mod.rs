//! Verbs for scripts and for people who ask why: real daemon, real command line.
mod deaths;
mod explain;
mod follow;
mod init;
mod knobs;
mod limits;
mod metrics;
mod openapi;
mod shell;
mod systemd;
mod up;
mod wait;

use crate::support::{Daemon, eventually};
use std::path::Path;

/// Waits until exactly `count` clients are connected to this daemon, and until it has seen to them.
async fn until_connected(daemon: &Daemon, count: usize) {
    let socket = daemon.paths().daemon_socket();
    let connected = || async { (connections(&socket) == count).then_some(()) };
    eventually(&format!("{count} clients are connected"), connected).await;
    // Whoever asks after them is answered after them: connections are served in the order of their coming.
    daemon.ask(&["status"]);
}

/// The kernel's list of sockets: an accepted one bears its listener's path, and is in state 03.
fn connections(socket: &Path) -> usize {
    let socket = socket.to_str().unwrap();
    let list = std::fs::read_to_string("/proc/net/unix").unwrap();
    let is_connected = |line: &&str| line.ends_with(socket) && line.split_whitespace().nth(5) == Some("03");
    list.lines().filter(is_connected).count()
}
