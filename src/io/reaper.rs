//! Owns the fleet's children: one entry a process, which waits for its end, keeps its status, and lends it out.
//!
//! An actor only borrows a process to hear of its end, and borrows it again after its own restart: no status is
//! lost to a fault in the fleet, and no actor's end ends a process.

use super::{pidfd::Pidfd, witness::oom::OomBaseline};
use coalmine_actors::ports::{BoxFuture, LifeKey, Process, ProcessEnd, ProcessId};
use dashmap::DashMap;
use std::{io, sync::Arc};
use tokio::sync::watch;

/// Which process of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The tmux server.
    Server,
    /// Its canary.
    Canary,
}

/// A process that the fleet knows, ours or adopted.
#[derive(Debug, Clone)]
pub struct Known {
    pidfd: Arc<Pidfd>,
    end: watch::Receiver<Option<ProcessEnd>>,
}

impl Known {
    /// The process.
    pub fn pidfd(&self) -> &Pidfd {
        &self.pidfd
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<ProcessEnd> {
        *self.end.borrow()
    }

    /// Waits until it has ended and its status was taken.
    pub async fn wait(&self) -> ProcessEnd {
        let mut end = self.end.clone();
        let heard = end.wait_for(Option::is_some).await.map(|end| *end);
        match heard {
            Ok(end) => end.unwrap_or(ProcessEnd::Vanished),
            // The waiting task ended with its runtime: nobody can know any more.
            Err(_closed) => std::future::pending().await,
        }
    }
}

impl Process for Known {
    fn id(&self) -> ProcessId {
        self.pidfd.id()
    }

    fn ended(&mut self) -> BoxFuture<ProcessEnd> {
        let this = self.clone();
        Box::pin(async move { this.wait().await })
    }
}

/// All processes of a fleet. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Reaper(Arc<Tables>);

#[derive(Debug, Default)]
struct Tables {
    processes: DashMap<(LifeKey, Role), Known>,
    /// The OOM counters when each server was first watched: what rose since then may have ended it.
    baselines: DashMap<LifeKey, OomBaseline>,
}

impl Reaper {
    /// Takes charge of a process that was just started, or found again.
    ///
    /// # Errors
    /// The process is gone altogether.
    pub fn take(&self, life: &LifeKey, role: Role, pidfd: Pidfd) -> io::Result<Known> {
        let pidfd = Arc::new(pidfd);
        let (sender, end) = watch::channel(None);
        let known = Known { pidfd: Arc::clone(&pidfd), end };
        self.0.processes.insert((life.clone(), role), known.clone());
        // Lives as long as the process, or the runtime.
        tokio::spawn(async move {
            pidfd.ended().await;
            sender.send_replace(Some(pidfd.reap()));
        });
        Ok(known)
    }

    /// Notes the OOM counters of a server that is watched from now on; the first note of a life stays.
    pub fn note_oom(&self, life: &LifeKey, server: i32) {
        self.0.baselines.entry(life.clone()).or_insert_with(|| OomBaseline::of(server));
    }

    /// The OOM counters when a life's server was first watched.
    pub fn oom_baseline(&self, life: &LifeKey) -> OomBaseline {
        self.0.baselines.get(life).map(|baseline| baseline.clone()).unwrap_or_default()
    }

    /// A process of a life, alive or ended.
    pub fn get(&self, life: &LifeKey, role: Role) -> Option<Known> {
        self.0.processes.get(&(life.clone(), role)).map(|known| known.value().clone())
    }

    /// Forgets a life that is settled.
    pub fn forget(&self, life: &LifeKey) {
        for role in [Role::Server, Role::Canary] {
            self.0.processes.remove(&(life.clone(), role));
        }
        self.0.baselines.remove(life);
    }
}
