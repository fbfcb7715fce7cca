//! Owns the fleet's children: one entry a process, which waits for its end, keeps its status, and lends it out.
//!
//! An actor only borrows a process to hear of its end, and borrows it again after its own restart: no status is
//! lost to a fault in the fleet, and no actor's end ends a process.

use super::pidfd::Pidfd;
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
pub struct Reaper(Arc<DashMap<(LifeKey, Role), Known>>);

impl Reaper {
    /// Takes charge of a process that was just started, or found again.
    ///
    /// # Errors
    /// The process is gone altogether.
    pub fn take(&self, life: &LifeKey, role: Role, pidfd: Pidfd) -> io::Result<Known> {
        let pidfd = Arc::new(pidfd);
        let (sender, end) = watch::channel(None);
        let known = Known { pidfd: Arc::clone(&pidfd), end };
        self.0.insert((life.clone(), role), known.clone());
        // Lives as long as the process, or the runtime.
        tokio::spawn(async move {
            pidfd.ended().await;
            sender.send_replace(Some(pidfd.reap()));
        });
        Ok(known)
    }

    /// A process of a life, alive or ended.
    pub fn get(&self, life: &LifeKey, role: Role) -> Option<Known> {
        self.0.get(&(life.clone(), role)).map(|known| known.value().clone())
    }

    /// Forgets a life that is settled.
    pub fn forget(&self, life: &LifeKey) {
        for role in [Role::Server, Role::Canary] {
            self.0.remove(&(life.clone(), role));
        }
    }
}
