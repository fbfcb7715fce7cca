//! Who serves a call: the daemon where one answers, else the file itself.

use super::Writing;
use crate::{
    api::client::{Client, ClientError},
    cli::{
        context::{Context, Offline, Read},
        failure::{Failure, Outcome},
    },
    io::{
        clock::HostClock,
        memory::{FtsCache, MemoryJsonl, OpenOptions, read_unlocked},
        private_dir,
    },
};
use coalmine_actors::{
    error::FleetError,
    memory::{Durability, Memory, MemoryParts, index::Index},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two tries where everybody is busy.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long the file's own lock is waited for before a daemon is looked for again: one may have started meanwhile.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// How long what was written may take to become durable and the lock to be let go.
const CLOSE_DEADLINE: Duration = Duration::from_secs(60);

/// Where the memory and its cache lie.
pub(super) fn places(context: &Context) -> (PathBuf, PathBuf) {
    let root = &context.place.root;
    (root.join("memory.jsonl"), root.join("memory-index.sqlite"))
}

/// Writes by the daemon, or with the lock. Refusals that pass by themselves are tried again for as long as the
/// caller waits: nothing was written then.
pub(super) async fn write<T>(
    context: &Context,
    writing: Writing,
    ask: impl AsyncFn(&Client) -> Result<T, ClientError>,
    act: impl AsyncFn(&Memory) -> Result<T, FleetError>,
) -> Outcome<T> {
    let deadline = Instant::now() + writing.wait;
    loop {
        match once(context, writing, &ask, &act).await {
            Ok(done) => return Ok(done),
            Err(miss) if miss.passes && Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            Err(miss) => return Err(miss.failure),
        }
    }
}

/// Why a try came to nothing.
struct Miss {
    failure: Failure,
    /// Nothing was written, and the next try may succeed.
    passes: bool,
}

impl From<Failure> for Miss {
    fn from(failure: Failure) -> Self {
        let passes = matches!(&failure, Failure::Error(error)
            if matches!(error.code.as_str(), "memory-held" | "unavailable" | "busy"));
        Self { failure, passes }
    }
}

impl From<ClientError> for Miss {
    fn from(error: ClientError) -> Self {
        // A daemon that is starting holds the memory already, and does not listen yet.
        let is_deaf = error.is_deaf();
        let miss = Self::from(Failure::from(error));
        Self { passes: miss.passes || is_deaf, ..miss }
    }
}

impl From<FleetError> for Miss {
    fn from(error: FleetError) -> Self {
        Failure::from(error).into()
    }
}

async fn once<T>(
    context: &Context,
    writing: Writing,
    ask: &impl AsyncFn(&Client) -> Result<T, ClientError>,
    act: &impl AsyncFn(&Memory) -> Result<T, FleetError>,
) -> Result<T, Miss> {
    match context.client() {
        Ok(client) => match ask(&client).await {
            Err(error) if error.is_unreachable() && context.place.socket.is_none() => {}
            result => return Ok(result?),
        },
        // Without a root there is no daemon; with --socket only the daemon is meant.
        Err(failure) if context.place.socket.is_some() => return Err(failure.into()),
        Err(_no_root_yet) => {}
    }
    let patience = LOCK_PATIENCE.min(writing.wait);
    let options = OpenOptions { patience, allow_unlocked: writing.allow_unlocked, begin_anew: false };
    let memory = own(context, options).await?;
    let done = act(&memory).await;
    memory.close(CLOSE_DEADLINE).await?;
    Ok(done?)
}

/// The memory in this process.
pub(super) async fn own(context: &Context, options: OpenOptions) -> Outcome<Memory> {
    private_dir::root(&context.place.root)?;
    let (path, cache) = places(context);
    let parts = MemoryParts {
        file: Arc::new(MemoryJsonl::new(path, cache.clone(), options)),
        search: Some(Arc::new(FtsCache::at(cache))),
        clock: Arc::new(HostClock),
        journal: None,
        durability: Durability::Commit,
        index_eagerly: false,
    };
    let memory = Memory::start(parts, None).await?;
    if let Err(why) = memory.stats().await {
        // Not left to itself: it would try again, and hold the lock that the next try waits for.
        memory.close(CLOSE_DEADLINE).await?;
        return Err(why.into());
    }
    Ok(memory)
}

/// Reads what the daemon holds, or what the file says.
pub(super) async fn read<T>(
    context: &Context,
    ask: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
    look: impl FnOnce(&Index) -> Result<T, FleetError>,
) -> Outcome<Read<T>> {
    let mut offline = Offline::NotRunning;
    if let Ok(client) = context.client() {
        match ask(client).await {
            Ok(data) => return Ok(Read { data, offline: None }),
            // A daemon whose memory is closed to it can not say what the file says.
            Err(ClientError::Refused(error))
                if error.exit_code == crate::error::exit_code(coalmine_actors::error::Kind::Held) => {}
            Err(error) if error.is_unreachable() => {}
            Err(error) if error.is_mute() => offline = Offline::Mute,
            Err(error) => return Err(error.into()),
        }
    }
    let index = read_unlocked(&places(context).0)?;
    Ok(Read { data: look(&index)?, offline: Some(offline) })
}
