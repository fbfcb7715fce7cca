//! The daemon: whether one answers.

use crate::{
    api::client::ClientError,
    cli::{context::Context, failure::Failure, findings::Finding},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn check(context: &Context) -> Finding {
    let client = match context.client() {
        Ok(client) => client,
        Err(Failure::Error(_) | Failure::Quiet(_)) => return absent(),
    };
    match client.status().await {
        Ok(status) if status.version != VERSION => {
            let says = format!("it has version {}, this program {VERSION}", status.version);
            Finding::warn("daemon", says, "coalmine down && coalmine up -d")
        }
        Ok(status) => {
            let pid = status.daemon_pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
            Finding::ok("daemon", format!("it answers at {}{pid}", client.socket().display()))
        }
        Err(error) if error.is_unreachable() => absent(),
        Err(error) if error.is_mute() => {
            Finding::bad("daemon", error, "kill -CONT PID, or kill -KILL PID and coalmine up -d")
        }
        Err(error @ ClientError::Silent { .. }) => Finding::bad("daemon", error, "coalmine down && coalmine up -d"),
        Err(error) => Finding::bad("daemon", error, "coalmine status"),
    }
}

fn absent() -> Finding {
    Finding::warn("daemon", "not running; reads come from the files", "coalmine up -d")
}
