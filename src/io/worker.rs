//! A thread of a store's own: a commit costs one wake-up there and one back, and never waits behind other blocking work.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Begins with its first job and ends when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    name: &'static str,
    waiting_max: usize,
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
}

impl Worker {
    /// A thread of this name, before which so many jobs may wait.
    pub(super) const fn new(name: &'static str, waiting_max: usize) -> Self {
        Self { name, waiting_max, jobs: Mutex::new(None) }
    }

    /// Hands a job over at once, whether or not somebody waits for the result. A result that never comes is a panic.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<oneshot::Receiver<T>> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move || drop(reply.send(work()))); // nobody waits any more: so be it
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &mut *jobs {
            Some(sender) => sender,
            none => none.insert(start(self.name, self.waiting_max)?),
        };
        sender.try_send(job).map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))?;
        Ok(result)
    }
}

fn start(name: &str, waiting_max: usize) -> io::Result<mpsc::SyncSender<Job>> {
    let (sender, jobs) = mpsc::sync_channel::<Job>(waiting_max);
    thread::Builder::new().name(name.into()).spawn(move || {
        for job in jobs {
            // Whoever waits hears of it; the next one is written all the same.
            let _panic = catch_unwind(AssertUnwindSafe(job));
        }
    })?;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_costs_nobody_else_the_writer() {
        let writer = Worker::new("test", 8);
        assert!(writer.run(|| panic!("on purpose")).unwrap().await.is_err());
        assert_eq!(writer.run(|| 7).unwrap().await, Ok(7));
    }

    #[tokio::test]
    async fn what_is_too_much_is_refused_at_once() {
        let writer = Worker::new("test", 8);
        let (go_on, wait) = mpsc::channel::<()>();
        let (begun, began) = oneshot::channel();
        let first = writer
            .run(move || {
                let _ = begun.send(());
                let _ = wait.recv();
            })
            .unwrap();
        began.await.unwrap();
        let waiting: Vec<_> = (0..8).map(|_| writer.run(|| ()).unwrap()).collect();
        assert_eq!(writer.run(|| ()).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(go_on);
        first.await.unwrap();
        for waiting in waiting {
            waiting.await.unwrap();
        }
    }
}
