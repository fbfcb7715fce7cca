//! Accepts connections, refuses strangers and crowds, and ends in order.

use super::{
    CONNECTIONS_MAX, Shared,
    bind::{Bound, bind_private, inherit},
    closed,
    guard::Guard,
    router,
    wire::ApiError,
};
use crate::{FleetHandle, metrics::Metrics, paths::Paths};
use axum::Router;
use coalmine_actors::{error::FleetError, view::Streamed};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use jiff::Timestamp;
use std::{io, os::fd::OwnedFd, path::PathBuf, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_stream::Stream;

/// Longest a client may take to send its request's head, and longest an idle connection is kept.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Clients beyond the limit that are told so at once; whoever comes on top of them is hung up on.
const REFUSALS_MAX: usize = 256;
/// Largest request head, bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long accepting rests when the process has no descriptor left: each open connection may give one back.
const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(50);

/// Somebody asked the daemon to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownRequest {
    /// Whether the peers were ended too.
    pub peers: bool,
}

/// A server that runs until it is stopped. Dropping it stops accepting at once and lets connections finish alone.
pub struct ApiServer {
    accepting: JoinHandle<()>,
    /// Follows the journal for `/metrics`; ended with the server.
    counting: JoinHandle<()>,
    closing: watch::Sender<bool>,
    requests: mpsc::Receiver<ShutdownRequest>,
}

/// Serves `fleet` on the daemon's socket below `paths`. The caller holds the fleet's lock, so a socket that lies
/// there is stale.
///
/// # Errors
/// The socket's folder is not private, or the socket can not be bound.
pub async fn serve(fleet: FleetHandle, paths: &Paths) -> Result<ApiServer, FleetError> {
    let bound = bind_private(&paths.daemon_socket())?;
    Ok(serve_at(bound, fleet, paths))
}

/// The same on a socket that listens there already, which stays when the server ends.
///
/// # Errors
/// The socket can not be used.
pub async fn serve_on(socket: OwnedFd, fleet: FleetHandle, paths: &Paths) -> Result<ApiServer, FleetError> {
    let bound = inherit(socket, &paths.daemon_socket())?;
    Ok(serve_at(bound, fleet, paths))
}

fn serve_at(bound: Bound, fleet: FleetHandle, paths: &Paths) -> ApiServer {
    let (closing, ended) = watch::channel(false);
    // Room for one: a second request to end adds nothing.
    let (shutdown, requests) = mpsc::channel(1);
    let (metrics, places) = (Arc::new(Metrics::default()), Places::new(CONNECTIONS_MAX, REFUSALS_MAX));
    let counting = tokio::spawn(count(Arc::clone(&metrics), fleet.events(), fleet.since(), paths.journal()));
    let free = Arc::clone(&places.served);
    let shared = Shared {
        fleet,
        journal: paths.journal(),
        closing: ended.clone(),
        shutdown,
        metrics,
        places: free,
        graph: Arc::default(),
    };
    let accepting = tokio::spawn(accept(bound, Guard::new(paths), router(shared), places, ended));
    ApiServer { accepting, counting, closing, requests }
}

/// Holds the events and not the fleet, which would otherwise never be dropped.
async fn count(
    metrics: Arc<Metrics>,
    events: impl Stream<Item = Streamed> + Unpin,
    since: Timestamp,
    journal: PathBuf,
) {
    metrics.follow(&journal, since, events).await;
}

impl ApiServer {
    /// Resolves when a client has asked the daemon to end. Cancel-safe.
    pub async fn shutdown_requested(&mut self) -> ShutdownRequest {
        match self.requests.recv().await {
            Some(request) => request,
            // All handlers are gone, so nobody can ask any more.
            None => std::future::pending().await,
        }
    }

    /// Stops accepting, ends streams, lets requests in flight finish for at most `grace`, and removes the socket.
    pub async fn stop(mut self, grace: Duration) {
        self.closing.send_replace(true);
        if tokio::time::timeout(grace, &mut self.accepting).await.is_err() {
            tracing::warn!(?grace, "requests were still running when the API ended");
        }
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.counting.abort();
    }
}

/// The places at the table: those who are served, and those who are told to come again.
struct Places {
    served: Arc<Semaphore>,
    refused: Arc<Semaphore>,
}

impl Places {
    fn new(served: usize, refused: usize) -> Self {
        Self { served: Semaphore::new(served).into(), refused: Semaphore::new(refused).into() }
    }

    /// A place, and whether it is at the table; nothing where even those who wait to be refused are too many.
    fn take(&self) -> Option<(bool, OwnedSemaphorePermit)> {
        let served = self.served.clone().try_acquire_owned().map(|permit| (true, permit));
        served.or_else(|_| self.refused.clone().try_acquire_owned().map(|permit| (false, permit))).ok()
    }
}

async fn accept(mut bound: Bound, guard: Guard, app: Router, places: Places, closing: watch::Receiver<bool>) {
    let full = Router::new().fallback(|| async { ApiError::Busy });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = bound.listener.accept() => match accepted {
                Ok((stream, _)) if is_ours(&stream) => {
                    let Some((served, permit)) = places.take() else { continue };
                    let app = if served { app.clone() } else { full.clone() };
                    let closing = closing.clone();
                    connections.spawn(async move {
                        converse(stream, app, closing).await;
                        drop(permit);
                    });
                }
                Ok(_stranger) => {}
                Err(error) => rest(&error).await,
            },
            again = guard.made_again(&bound) => bound = again,
            Some(ended) = connections.join_next() => {
                if let Err(panic) = ended {
                    tracing::error!(%panic, "a request's handler failed");
                }
            }
            () = closed(closing.clone()) => break,
        }
    }
    // New clients find nobody; those who are here finish.
    bound.remove();
    while connections.join_next().await.is_some() {}
}

/// Only this user, and root, may talk to the fleet. The socket's mode says so too; this does not rest on it.
fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == ours || peer.uid() == 0 => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "a stranger was refused at the API");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "a client without credentials was refused at the API");
            false
        }
    }
}

/// One connection, until the client hangs up, is too slow, or the server ends.
async fn converse(stream: UnixStream, app: Router, closing: watch::Receiver<bool>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closed(closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn rest(error: &io::Error) {
    tracing::warn!(%error, "can not accept a client");
    sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
}

#[cfg(test)]
mod tests;
