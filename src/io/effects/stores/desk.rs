//! What a handle stands for, on a thread of its own: whoever asks for something long keeps nobody else waiting.

use crate::io::worker::Worker;
use coalmine_actors::effects::error::EffectError;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Calls that may wait at one handle.
pub(super) const WAITING_MAX: usize = 64;

/// One thread, and what it works on. Dropped, the thread ends after what it has begun.
pub(super) struct Desk<T> {
    worker: Worker,
    /// Locked by the thread alone, one call after the other: nobody waits for it.
    holds: Arc<Mutex<T>>,
}

impl<T: Send + 'static> Desk<T> {
    /// Makes what it is to hold, on its thread; nothing where that can not be had now.
    pub(super) async fn open(
        thread: &'static str,
        make: impl FnOnce() -> Result<Option<T>, EffectError> + Send + 'static,
    ) -> Result<Option<Self>, EffectError> {
        let worker = Worker::new(thread, WAITING_MAX);
        let made = answer(worker.run(make)).await??;
        Ok(made.map(|made| Self { worker, holds: Arc::new(Mutex::new(made)) }))
    }

    /// Has `work` done when it is its turn. Whoever no longer waits for it has it done all the same.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> Result<R, EffectError> + Send + 'static,
    ) -> Result<R, EffectError> {
        let holds = Arc::clone(&self.holds);
        let job = move || work(&mut holds.lock().unwrap_or_else(PoisonError::into_inner));
        answer(self.worker.run(job)).await?
    }
}

async fn answer<R>(given: io::Result<oneshot::Receiver<R>>) -> Result<R, EffectError> {
    let waiting = given.map_err(|error| match error.kind() {
        io::ErrorKind::ResourceBusy => EffectError::limit("calls waiting at a handle", WAITING_MAX as u64),
        kind => EffectError::Io { kind },
    })?;
    waiting.await.map_err(|_it_panicked| EffectError::Internal("a store panicked".into()))
}
