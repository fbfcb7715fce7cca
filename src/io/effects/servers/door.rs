//! Lets connections in: as many as there are places, each for no longer than it may take, until the server closes.

use super::{
    Servers, Speech,
    front::{self, House},
    limits::HEAD_BYTES_MAX,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How long accepting rests when the process has no descriptor left: each open connection may give one back.
const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(50);

/// One connection's places: at its server, and among all of the fleet. Given back with the last who has it.
pub(super) type Place = Arc<(OwnedSemaphorePermit, OwnedSemaphorePermit)>;

/// See the module.
pub(super) struct Door {
    house: Arc<House>,
    places: Arc<Semaphore>,
    places_of_all: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(house: House, servers: &Servers) -> Self {
        let places = Arc::new(Semaphore::new(house.limits.connections));
        Self { house: Arc::new(house), places, places_of_all: Arc::clone(&servers.places) }
    }

    /// Accepts until the server closes; ends when everybody is gone.
    pub(super) async fn keep(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    // Without a place it is hung up on.
                    Ok((stream, _)) => if let Some(place) = self.place() {
                        connections.spawn(converse(stream, Arc::clone(&self.house), place));
                    },
                    Err(error) => {
                        tracing::warn!(%error, address = %self.house.address, "can not accept a connection");
                        sleep(OUT_OF_DESCRIPTORS_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = self.house.closing.cancelled() => break,
            }
        }
        // From here on the port is free.
        drop(listener);
        let gone = async { while connections.join_next().await.is_some() {} };
        if timeout(self.house.limits.grace, gone).await.is_err() {
            connections.shutdown().await;
        }
        // Connections of rooms are nobody's tasks but their own, and have the same grace.
        let all = u32::try_from(self.house.limits.connections).unwrap_or(u32::MAX);
        let _never_closed = self.places.acquire_many(all).await;
    }

    fn place(&self) -> Option<Place> {
        let here = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Arc::new((here, Arc::clone(&self.places_of_all).try_acquire_owned().ok()?)))
    }
}

async fn converse(stream: TcpStream, house: Arc<House>, place: Place) {
    // Answers are small, and wait for nothing.
    let _slower_at_worst = stream.set_nodelay(true);
    match &house.speech {
        Speech::Http(Some(tls)) => {
            let handshake = timeout(house.limits.head_time, tls.accept(stream));
            tokio::select! {
                shaken = handshake => if let Ok(Ok(stream)) = shaken {
                    speak(stream, Arc::clone(&house), place).await;
                },
                () = house.closing.cancelled() => {}
            }
        }
        Speech::Http(None) | Speech::Rooms => speak(stream, house, place).await,
    }
}

/// One connection, until it is hung up, too slow, or the server closes.
async fn speak<S>(stream: S, house: Arc<House>, place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let exchange_time = house.limits.exchange_time;
    let (begun, mut latest) = watch::channel(Instant::now());
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(house.limits.head_time);
    // Read whole before it is refused, so that whoever sent it is there to be told.
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(2 * HEAD_BYTES_MAX);
    let service = service_fn(|request| {
        begun.send_replace(Instant::now());
        let (house, place) = (Arc::clone(&house), Arc::clone(&place));
        async move { Ok::<_, Infallible>(front::receive(house, place, request).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    // Who sends its body, or takes its answer, too slowly is hung up on.
    let overdue = async {
        loop {
            let deadline = *latest.borrow_and_update() + exchange_time;
            tokio::select! {
                () = sleep_until(deadline) => return,
                Ok(()) = latest.changed() => {}
            }
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = overdue => return,
        () = house.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
