//! The family of stores: keys and values in redb, tables in SQLite.
//!
//! ```text
//! desk.rs   what a handle stands for, on a thread of its own
//! kv/       store.rs is one redb database, shared by all who opened it; memory.rs is a session's own
//! sql/      open.rs makes a connection that can not leave its file (vfs.rs, authorize.rs), statement.rs runs on it
//! ```

mod desk;
mod kv;
mod sql;

#[cfg(test)]
mod tests;

use coalmine_actors::{
    effects::{
        argument::Upto,
        error::EffectError,
        handles::{HandleId, HandleKind},
        kind::Kind,
        output::Output,
        port::{Call, Outcome, Seat},
    },
    ports::BoxFuture,
};

/// Entries of a page where nobody says how many.
const PAGE_ENTRIES: usize = 1_000;

/// Stores of this fleet. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Stores {
    kv: kv::Shared,
}

impl Stores {
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        match call.request.op().row().needs {
            [Kind::Kv] => Box::pin(kv::perform(self.kv.clone(), call)),
            _ => Box::pin(sql::perform(call)),
        }
    }
}

/// Closes a handle. The last one to close a store waits for its disk, where nobody else does.
async fn close(seat: &Seat, handle: HandleId, kind: HandleKind) -> Outcome {
    let held = seat.close(handle, kind)?;
    let closed = tokio::task::spawn_blocking(move || drop(held)).await;
    closed.map_err(|panic| EffectError::Internal(panic.to_string()))?;
    Ok(Output::Null.into())
}

/// How many entries a page is to have.
fn page_entries<const MAX: u64>(limit: Option<Upto<MAX>>) -> Result<usize, EffectError> {
    match limit {
        Some(Upto(0)) => Err(EffectError::bad("limit", "is 0: nothing would be given")),
        Some(Upto(limit)) => Ok(usize::try_from(limit).unwrap_or(PAGE_ENTRIES)),
        None => Ok(PAGE_ENTRIES),
    }
}
