//! Watches the show: when each death was heard, recorded, and mended.

use crate::{
    FleetHandle,
    cli::failure::{Failure, Outcome},
    paths::Paths,
};
use coalmine_actors::view::{Event, PeerView, Streamed};
use serde::Serialize;
use std::{path::Path, pin::Pin, time::Duration};
use tokio::time::Instant;
use tokio_stream::{Stream, StreamExt};

/// What the fleet has on record of one end.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    /// Whose end.
    pub(super) identity: String,
    /// What was done to it.
    pub(super) done: &'static str,
    /// `killed`; nothing for a claimed end.
    pub(super) cause: Option<String>,
    /// Who saw it.
    pub(super) witness: Option<String>,
    /// Its exact status, `signal:9`.
    pub(super) status: Option<String>,
    /// From the signal to the durable record, milliseconds.
    pub(super) record_ms: Option<f64>,
    /// From the signal until its next life was up, milliseconds.
    pub(super) up_again_ms: Option<f64>,
    /// Records of this end: one, or none for a claimed one.
    pub(super) records: usize,
}

/// The fleet's events, from the first on.
pub(super) struct Stage {
    events: Pin<Box<dyn Stream<Item = Streamed> + Send>>,
    fleet: FleetHandle,
}

impl Stage {
    pub(super) fn new(fleet: &FleetHandle) -> Self {
        Self { events: Box::pin(fleet.events()), fleet: fleet.clone() }
    }

    /// Waits until the peer has written this many lines.
    pub(super) async fn until_lines(&self, peer: &PeerView, lines: usize, patience: Duration) -> Outcome {
        let log = self.fleet.paths().pane_log(&peer.identity);
        let written = async {
            while std::fs::read(&log).map_or(0, |log| log.split(|byte| *byte == b'\n').count()) <= lines {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(patience, written).await.map_err(|_elapsed| Failure::failed("the show", "a silent peer"))
    }

    /// What became of a peer whose end was brought about just now.
    pub(super) async fn account(
        &mut self,
        peer: &PeerView,
        done: &'static str,
        deadly: bool,
        patience: Duration,
    ) -> Outcome<Account> {
        let identity = peer.identity.to_string();
        let mut account = Account {
            identity: identity.clone(),
            done,
            cause: None,
            witness: None,
            status: None,
            record_ms: None,
            up_again_ms: None,
            records: 0,
        };
        if deadly {
            let began = Instant::now();
            let heard = self.hear(&identity, peer.generation.0, began, &mut account);
            let heard = tokio::time::timeout(patience, heard).await;
            heard.map_err(|_elapsed| Failure::failed("the show", format!("{identity} did not come back in time")))?;
        }
        let records = self.fleet.paths().journal().join("server-deaths");
        let own = format!("{identity}-g{}.txt", peer.generation);
        account.records = usize::from(records.join(own).exists());
        Ok(account)
    }

    async fn hear(&mut self, identity: &str, generation: u64, began: Instant, account: &mut Account) {
        let ms = |began: Instant| Some(began.elapsed().as_secs_f64() * 1000.0);
        while account.record_ms.is_none() || account.up_again_ms.is_none() {
            let Some(Streamed::Event(event)) = self.events.next().await else { continue };
            if event.get("identity") != Some(identity) {
                continue;
            }
            match event.ev.as_str() {
                "server-exit" if is_of(&event, generation) => {
                    account.record_ms = ms(began);
                    let field = |key| event.get(key).map(ToOwned::to_owned);
                    (account.cause, account.witness, account.status) =
                        (field("cause"), field("witness"), field("status"));
                }
                "up" if is_of(&event, generation + 1) => account.up_again_ms = ms(began),
                _ => {}
            }
        }
    }
}

fn is_of(event: &Event, generation: u64) -> bool {
    event.get("gen") == Some(&generation.to_string())
}

/// Processes that still bear a mark of the show's root.
pub(super) fn left_over(root: &Path) -> Vec<i32> {
    let Ok(paths) = Paths::new(root) else { return Vec::new() };
    let mark = format!("COALMINE_LIFE={}-", paths.root_hash());
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(mark.as_bytes()))
    })
    .collect()
}
