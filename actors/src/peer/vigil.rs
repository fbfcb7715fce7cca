//! A task that watches something for one life, and ends with the reason for it.

use crate::names::Generation;
use tokio::task::AbortHandle;

/// At most one such task. Dropped with its owner, it ends.
#[derive(Default)]
pub(super) struct Vigil(Option<(Generation, AbortHandle)>);

impl Vigil {
    /// Ends the task unless it watches for `wanted`; a `new` one takes its place.
    pub(super) fn keep(&mut self, wanted: Option<Generation>, new: Option<AbortHandle>) {
        let stale = self.0.as_ref().is_some_and(|(generation, _)| new.is_some() || wanted != Some(*generation));
        if stale {
            self.end();
        }
        if let Some(task) = new {
            match wanted {
                Some(generation) => self.0 = Some((generation, task)),
                None => task.abort(),
            }
        }
    }

    fn end(&mut self) {
        if let Some((_, task)) = self.0.take() {
            task.abort();
        }
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vigil_ends_with_the_life_that_it_is_for_and_with_its_owner() {
        let task = || tokio::spawn(std::future::pending::<()>());
        let mut vigil = Vigil::default();
        let (first, second) = (task(), task());
        vigil.keep(Some(Generation(1)), Some(first.abort_handle()));
        vigil.keep(Some(Generation(1)), None);
        assert!(!first.is_finished());
        vigil.keep(Some(Generation(2)), Some(second.abort_handle()));
        assert!(first.await.unwrap_err().is_cancelled());
        vigil.keep(None, None);
        assert!(second.await.unwrap_err().is_cancelled());
        let third = task();
        vigil.keep(Some(Generation(3)), Some(third.abort_handle()));
        drop(vigil);
        assert!(third.await.unwrap_err().is_cancelled());
    }
}
