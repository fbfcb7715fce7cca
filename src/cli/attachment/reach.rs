//! Who serves a call: the daemon, or this process with the fleet's lock for as long as the call takes.
//!
//! ```text
//! the fleet's lock is free ─▶ taken: the files, as a daemon would use them
//! held                     ─▶ its holder is asked; one that does not listen (yet, or any more) is waited for
//! ```

use crate::{
    api::client::{Client, ClientError},
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    config::{self, Overrides},
    fleet::attachments,
    io::{lock, private_dir},
    offline,
    paths::Paths,
};
use coalmine_actors::{
    attachments::{Attachments, tier::Persistence},
    error::FleetError,
};
use std::{os::fd::OwnedFd, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two looks at a lock whose holder does not listen.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long one such holder is waited for: a daemon that starts or ends, or another call without one.
const HOLDER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long what was said last may take to be written.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(60);

/// Who serves.
pub(super) enum Server {
    Daemon(Client),
    Own(Own),
}

/// The attachments in this process.
pub(super) struct Own {
    pub(super) attachments: Attachments,
    /// Let go when the call is over; nothing where there is no fleet yet.
    _lock: Option<OwnedFd>,
}

impl Own {
    /// Has everything written that was said.
    pub(super) async fn close(self) -> Outcome {
        Ok(self.attachments.flush(CLOSE_TIME_MAX).await?)
    }
}

/// One question, to whoever serves.
pub(super) async fn served<T>(
    context: &Context,
    ask: impl AsyncFnOnce(&Client) -> Result<T, ClientError>,
    act: impl AsyncFnOnce(&Attachments) -> Result<T, FleetError>,
) -> Outcome<T> {
    match server(context, false).await? {
        Server::Daemon(client) => Ok(ask(&client).await?),
        Server::Own(own) => {
            let done = act(&own.attachments).await;
            own.close().await?;
            Ok(done?)
        }
    }
}

/// Who serves this call; one that `stores` makes the fleet's folder where there is none.
pub(super) async fn server(context: &Context, stores: bool) -> Outcome<Server> {
    // With --socket only the daemon is meant.
    if context.place.socket.is_some() {
        return Ok(Server::Daemon(context.client()?));
    }
    let (mut waits_for, mut deadline) = (String::new(), Instant::now() + HOLDER_WAIT_MAX);
    loop {
        if let Some(own) = own(context, stores).await? {
            return Ok(Server::Own(own));
        }
        let client = context.client()?;
        match client.is_there().await {
            Ok(()) => return Ok(Server::Daemon(client)),
            // Let go meanwhile.
            Err(error) if error.is_unreachable() && Instant::now() < deadline => {}
            // The next one has the same time: of many who take turns none is refused.
            Err(ClientError::Deaf { holder, .. }) if holder != waits_for => {
                (waits_for, deadline) = (holder, Instant::now() + HOLDER_WAIT_MAX);
            }
            Err(ClientError::Deaf { .. }) if Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// The attachments in this process; nothing where somebody else holds the fleet.
async fn own(context: &Context, stores: bool) -> Outcome<Option<Own>> {
    let place = &context.place;
    if stores {
        private_dir::root(&place.root)?;
    }
    let Ok(paths) = Paths::new(&place.root) else {
        return Ok(Some(Own { attachments: attachments::none().await?, _lock: None }));
    };
    let path = paths.daemon_lock();
    let lock = match lock::try_lock(&path) {
        Ok(lock) => lock,
        Err(lock::NotLocked::Held) => return Ok(None),
        Err(lock::NotLocked::Io(source)) => return Err(FleetError::io("lock", path, source).into()),
    };
    let config = config::load(&place.config, &|name| std::env::var(name).ok(), &Overrides::default())?;
    if config.attachments.persistence == Persistence::Ephemeral {
        return Err(Failure::no_daemon("attachments are ephemeral here: without a daemon there are none"));
    }
    // What was never made is empty, and is not made by who only looks.
    let attachments = if stores || paths.attachments().exists() {
        attachments::alone(&paths, &config, offline::document(&paths).ok()).await?
    } else {
        attachments::none().await?
    };
    Ok(Some(Own { attachments, _lock: Some(lock) }))
}
