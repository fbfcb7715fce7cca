//! The original's canary (`benches/baseline/shell_canary.sh`): a shell that waits for a tmux client that waits.

use super::{Outcome, PATIENCE};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::Instant;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline/shell_canary.sh");
/// Whom it says that it watches.
const IDENTITY: &str = "shell-hand";
/// How long its client may take from its start until it waits at the server.
const CONNECTS_WITHIN: Duration = Duration::from_millis(100);

/// A canary that waits.
pub struct ShellCanary {
    shell: Child,
    client: u32,
}

impl ShellCanary {
    /// Starts it beside the server at `socket`, and waits until it is armed. Blocks.
    pub fn arm(socket: &Path, log: &Path, mark: &str) -> Outcome<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.arg(SCRIPT).arg(socket).arg(IDENTITY).arg(log).env_clear();
        shell.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("COALMINE_LIFE", mark);
        let shell = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let until = Instant::now() + PATIENCE;
        let client = loop {
            if let Some(client) = waiting_client(shell.id()) {
                break client;
            }
            if Instant::now() > until {
                return Err("the shell canary's client did not start".into());
            }
            std::thread::yield_now();
        };
        // There is no sign of its own when it is connected; it takes a few milliseconds.
        std::thread::park_timeout(CONNECTS_WITHIN);
        Ok(Self { shell, client })
    }

    /// The shell's and the client's pid.
    pub fn processes(&self) -> [u32; 2] {
        [self.shell.id(), self.client]
    }

    /// Waits until it has ended. Blocks.
    pub fn ended(mut self) -> Outcome<()> {
        self.shell.wait()?;
        Ok(())
    }
}

/// The child that is the waiting client: the script starts another one before it.
fn waiting_client(shell: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
    let last_argument = format!("canary-{IDENTITY}\0");
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|args| args.ends_with(last_argument.as_bytes()))
    })
}
