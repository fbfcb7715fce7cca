//! One process as an actor: it fails when the process ends, so the death arrives at its supervisor on the
//! supervision port, ahead of every queued message.

use crate::ports::{Process, ProcessEnd};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::AbortHandle;

/// The process ended. This is how a watch dies.
#[derive(Debug, thiserror::Error)]
#[error("process {pid} ended: {end}")]
pub struct ProcessEnded {
    /// Which process.
    pub pid: i32,
    /// How.
    pub end: ProcessEnd,
}

/// Watches the process that it is given; owns nothing of it.
pub struct ProcessWatch;

/// The only thing that a watch is told.
#[derive(Debug)]
pub struct Ended(ProcessEnd);

/// The waiting task. It holds a borrowed view of the process: aborting it ends nothing.
pub struct WatchState {
    pid: i32,
    waiter: AbortHandle,
}

impl Drop for WatchState {
    fn drop(&mut self) {
        self.waiter.abort();
    }
}

impl Actor for ProcessWatch {
    type Msg = Ended;
    type State = WatchState;
    type Arguments = Box<dyn Process>;

    async fn pre_start(
        &self,
        myself: ActorRef<Ended>,
        mut process: Box<dyn Process>,
    ) -> Result<WatchState, ActorProcessingErr> {
        let pid = process.id().pid;
        let ended = process.ended();
        let waiter = tokio::spawn(async move {
            let end = ended.await;
            let _ = myself.cast(Ended(end)); // the watch is gone: nobody is left to be told
        });
        Ok(WatchState { pid, waiter: waiter.abort_handle() })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Ended>,
        Ended(end): Ended,
        state: &mut WatchState,
    ) -> Result<(), ActorProcessingErr> {
        Err(Box::new(ProcessEnded { pid: state.pid, end }))
    }
}
