//! Kills one server of a fleet and takes the times of everything that follows.

use super::{BenchFleet, MarkFolder, Outcome, PATIENCE, ms};
use coalmine::actors::view::Event;
use jiff::Timestamp;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::Instant;

/// What followed one kill, milliseconds after it.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// The peer's actor decided on it: the event's own time.
    pub decided: f64,
    /// `ev=death` was heard by a follower of the daemon's events, which is after it was written to the journal.
    pub event: f64,
    /// The record and its line in exits.log are on disk: the `.logged` mark was made.
    pub record: f64,
    /// `ev=up` of the next life was heard: its session is open.
    pub up: f64,
    /// Between the decisions, by the journal's own times: death → start decided (the sweep).
    pub sweep: f64,
    /// Start decided → canary armed (state on disk, lock, server, canary).
    pub spawn: f64,
    /// Canary armed → up (the server's socket, then one client call).
    pub session: f64,
}

/// A fleet whose servers are killed in turn.
pub struct Deaths {
    /// The fleet.
    pub fleet: BenchFleet,
    marks: MarkFolder,
}

impl Deaths {
    /// Watches the records of `fleet`.
    pub fn of(fleet: BenchFleet) -> Outcome<Self> {
        let marks = MarkFolder::watch(&fleet.handle.paths().journal().join("server-deaths"))?;
        Ok(Self { fleet, marks })
    }

    /// Kills the server of `name`, and waits until its death is recorded and its next life up.
    pub async fn kill(&mut self, name: &str) -> Outcome<Death> {
        let view = self.fleet.handle.show(name)?.remove(0);
        let pid = view.server_pid.and_then(Pid::from_raw).ok_or("the peer is not up")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        if self.fleet.handle.show(name)?[0].server_pid != view.server_pid {
            return Err("the server ended by itself".into());
        }
        self.fleet.forget_events();
        let (old, new) = (view.generation.to_string(), view.generation.next().to_string());
        let identity = view.identity.to_string();

        let (killed, killed_ts) = (Instant::now(), Timestamp::now());
        pidfd_send_signal(&pidfd, Signal::KILL)?;

        let (event_at, death) = self.next("death", &identity, &old).await?;
        let (_, starting) = self.next("starting", &identity, &new).await?;
        let (_, canary) = self.next("canary", &identity, &new).await?;
        let (up_at, up) = self.next("up", &identity, &new).await?;
        let record_at = self.marks.appeared(&format!("{identity}-g{old}.logged"), PATIENCE).await?;
        Ok(Death {
            decided: between(killed_ts, death.ts),
            event: ms(event_at - killed),
            record: ms(record_at - killed),
            up: ms(up_at - killed),
            sweep: between(death.ts, starting.ts),
            spawn: between(starting.ts, canary.ts),
            session: between(canary.ts, up.ts),
        })
    }

    async fn next(&mut self, ev: &str, identity: &str, generation: &str) -> Outcome<(Instant, Event)> {
        let is_it = |event: &Event| {
            event.ev == ev && event.get("identity") == Some(identity) && event.get("gen") == Some(generation)
        };
        self.fleet.next(is_it).await
    }
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}
