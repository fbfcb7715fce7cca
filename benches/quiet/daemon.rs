//! A daemon of its own, as a child of the bench, with peers that sleep.

use crate::support::{Outcome, PATIENCE, sleeper};
use coalmine::{api::client::Client, paths::Paths};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
};
use tokio::{task::JoinSet, time::Instant};

/// The program that was built with this bench.
pub fn coalmine(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", root);
    command.arg("--root").arg(root).stdin(Stdio::null());
    command
}

/// A running daemon; the root's end ends it.
pub struct Daemon {
    process: Child,
    client: Client,
}

impl Daemon {
    /// Starts one and waits until it answers.
    pub async fn start(root: &Path) -> Outcome<Self> {
        let process = coalmine(root).arg("daemon").stdout(Stdio::null()).spawn()?;
        let until = Instant::now() + PATIENCE;
        let client = loop {
            // The paths are there once the daemon has made them.
            let client = Client::new(Paths::new(root)?.daemon_socket());
            match client.status().await {
                Ok(_) => break client,
                Err(error) if Instant::now() > until => return Err(error.into()),
                Err(_) => tokio::task::yield_now().await,
            }
        };
        Ok(Self { process, client })
    }

    /// Ends it with SIGKILL; the peers run on.
    #[allow(dead_code, reason = "the bench `adopt` ends it so")]
    pub fn kill(mut self) -> Outcome<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The way to it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Makes and starts sleepers until there are `count`.
    pub async fn grow_to(&self, count: usize, cwd: &Path) -> Outcome<()> {
        let mut creates = JoinSet::new();
        for number in self.client.list().await?.len()..count {
            let mut peer = sleeper(&format!("p{number}"), cwd);
            peer.start = true;
            let client = self.client.clone();
            creates.spawn(async move { client.create(&peer, PATIENCE).await });
        }
        while let Some(created) = creates.join_next().await {
            created??;
        }
        Ok(())
    }
}
