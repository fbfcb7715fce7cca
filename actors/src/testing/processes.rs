//! Processes that live and end as a test says.

use crate::ports::{BoxFuture, Process, ProcessEnd, ProcessId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

const FIRST_PID: i32 = 1_000;

/// The table of all processes of a world: like the reaper's, it keeps every end. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Processes(Arc<Mutex<HashMap<ProcessId, watch::Sender<Option<ProcessEnd>>>>>);

impl Processes {
    pub(super) fn spawn(&self) -> ProcessId {
        let mut table = self.0.lock().expect("nobody panics while holding the lock");
        let pid = FIRST_PID + i32::try_from(table.len()).expect("a test starts few processes");
        let id = ProcessId { pid, start_ticks: u64::from(pid.unsigned_abs()), pidfd_inode: None };
        table.insert(id, watch::Sender::new(None));
        id
    }

    pub(super) fn end(&self, id: ProcessId, end: ProcessEnd) {
        let table = self.0.lock().expect("nobody panics while holding the lock");
        table[&id].send_if_modified(|ended| ended.replace(end).is_none());
    }

    pub(super) fn ended(&self, id: ProcessId) -> Option<ProcessEnd> {
        *self.0.lock().expect("nobody panics while holding the lock")[&id].borrow()
    }

    pub(super) fn borrow(&self, id: ProcessId) -> Box<dyn Process> {
        let end = self.0.lock().expect("nobody panics while holding the lock")[&id].subscribe();
        Box::new(FakeProcess { id, end })
    }
}

struct FakeProcess {
    id: ProcessId,
    end: watch::Receiver<Option<ProcessEnd>>,
}

impl Process for FakeProcess {
    fn id(&self) -> ProcessId {
        self.id
    }

    fn ended(&mut self) -> BoxFuture<ProcessEnd> {
        let mut end = self.end.clone();
        Box::pin(async move {
            end.wait_for(Option::is_some).await.ok().and_then(|end| *end).unwrap_or(ProcessEnd::Vanished)
        })
    }
}
