//! The memory of a running fleet.

use super::handle::FleetHandle;
use crate::{
    config::Config,
    io::memory::{FtsCache, MemoryJsonl, OpenOptions},
    paths::Paths,
};
use coalmine_actors::{
    error::FleetError,
    journal::JournalHandle,
    memory::{Memory, MemoryParts},
    ports::Clock,
    view::MemoryView,
};
use ractor::ActorCell;
use std::{sync::Arc, time::Duration};

/// How long what waits to be remembered may take to be written when the fleet ends.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// Starts the memory below the fleet's root actor. A file that can not be opened is no reason not to have a fleet.
pub(super) async fn start(
    paths: &Paths,
    config: &Config,
    clock: Arc<dyn Clock>,
    journal: JournalHandle,
    fleet: ActorCell,
) -> Result<Memory, FleetError> {
    let cache = paths.memory_index();
    let parts = MemoryParts {
        file: Arc::new(MemoryJsonl::new(paths.memory(), cache.clone(), OpenOptions::default())),
        search: Some(Arc::new(FtsCache::at(cache))),
        clock,
        journal: Some(journal),
        durability: config.memory_durability,
        index_eagerly: true,
    };
    Memory::start(parts, Some(fleet)).await
}

impl FleetHandle {
    /// What the fleet remembers.
    pub fn memory(&self) -> &Memory {
        &self.inner().memory
    }

    /// The memory in a few numbers; waits for nobody.
    pub(super) fn memory_view(&self) -> MemoryView {
        let stats = self.memory().stats_now();
        MemoryView {
            active: stats.active,
            forgotten: stats.forgotten,
            bytes: stats.bytes,
            bad_lines: stats.bad_lines,
            torn: stats.torn,
            waiting: self.memory().status().waiting as u64,
        }
    }

    /// Writes what waits. Before the tree ends: with it the actor dies, and what it was asked is lost.
    pub(super) async fn close_memory(&self) {
        if let Err(error) = self.memory().close(CLOSE_DEADLINE).await {
            tracing::warn!(error = error.chain(), "the memory's last records may be missing");
        }
    }
}
