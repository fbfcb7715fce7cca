//! The family of servers: what a session listens on, who answers there, and the rooms of those who stay connected.
//!
//! ```text
//! bind.rs tls.rs   the port, the certificate and its key
//! door.rs          who is let in: places, TLS, and how long anybody may take
//! front.rs         one request: its limits, its answer
//! answer.rs        who answers: a function, a program, a peer
//! origin.rs        which pages may open a connection to a room
//! rooms.rs talk.rs who is in which room; one connection of it
//! ```
//!
//! A server is a task. Its handle's last owner gone, the task ends: the port is free, and everybody is hung up on.

mod answer;
mod bind;
mod door;
mod front;
mod limits;
mod origin;
mod rooms;
mod talk;
#[cfg(test)]
mod tests;
mod tls;

use answer::Answerer;
use coalmine_actors::{
    effects::{
        argument::Handler,
        error::EffectError,
        handles::HandleKind,
        op::Request,
        output::{Done, Output},
        plan::Plan,
        port::{Answers, Call, Outcome, Seat},
    },
    ports::BoxFuture,
};
use door::Door;
use front::House;
use limits::Limits;
use rooms::Rooms;
use serde_json::json;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Functions of the embedder, by name.
pub type Functions = BTreeMap<String, Arc<dyn Answers>>;

/// Servers of a fleet's sessions. Clones share what they have.
#[derive(Clone)]
pub(super) struct Servers {
    functions: Arc<Functions>,
    limits: Limits,
    /// Of all servers together.
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Servers").field("functions", &self.functions.keys()).finish_non_exhaustive()
    }
}

/// A server, as its session holds it. Dropped, it closes.
struct Server {
    address: SocketAddr,
    rooms: Arc<Rooms>,
    closing: CancellationToken,
    /// Closed by the task's end.
    life: watch::Receiver<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Server {
    /// Closes it, and waits until it is.
    async fn close(&self) {
        self.closing.cancel();
        let mut life = self.life.clone();
        while life.changed().await.is_ok() {}
    }
}

/// What is spoken at a server.
enum Speech {
    /// Requests and answers.
    Http(Option<TlsAcceptor>),
    /// Connections that stay, in rooms.
    Rooms,
}

impl Servers {
    pub(super) fn new(functions: Functions) -> Self {
        Self::within(functions, Limits::default())
    }

    fn within(functions: Functions, limits: Limits) -> Self {
        Self { functions: Arc::new(functions), places: Arc::new(Semaphore::new(limits.connections_of_all)), limits }
    }

    /// Carries one operation out.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        let this = self.clone();
        Box::pin(async move { this.carry_out(call).await })
    }

    async fn carry_out(&self, call: Call) -> Outcome {
        let Call { seat, opened, request, plan, .. } = call;
        match (request, plan) {
            (Request::NetServe { port, handler }, Plan::Listen { address, .. }) => {
                self.serve(seat, (address, port.0).into(), handler, Speech::Http(None)).await
            }
            (Request::NetServeWs { port, handler }, Plan::Listen { address, .. }) => {
                self.serve(seat, (address, port.0).into(), handler, Speech::Rooms).await
            }
            (Request::NetServeTls { port, handler, .. }, Plan::Listen { address, tls: Some(files), .. }) => {
                let reading = tokio::task::spawn_blocking(move || tls::acceptor(&opened, &files.0, &files.1));
                let tls = reading.await.unwrap_or_else(|ended| Err(EffectError::Internal(ended.to_string())))?;
                self.serve(seat, (address, port.0).into(), handler, Speech::Http(Some(tls))).await
            }
            (Request::NetAddress { handle }, _) => {
                let at = seat.held::<Server>(handle, HandleKind::Server)?.address;
                Ok(Output::Json(json!({ "address": at.ip().to_string(), "port": at.port() })).into())
            }
            (Request::NetClose { handle }, _) => {
                let server = seat.held::<Server>(handle, HandleKind::Server)?;
                drop(seat.close(handle, HandleKind::Server)?);
                server.close().await;
                Ok(Output::Null.into())
            }
            (Request::ChatBroadcast { room, body }, _) => {
                let servers = seat.all::<Server>(HandleKind::Server);
                let count: usize = servers.iter().map(|server| server.rooms.broadcast(&room.0, &body.0)).sum();
                let bytes_out = Some((count * body.len()) as u64);
                Ok(Done { bytes_out, ..Output::Int(i64::try_from(count).unwrap_or(i64::MAX)).into() })
            }
            (Request::ChatSend { connection, body }, _) => {
                let servers = seat.all::<Server>(HandleKind::Server);
                let was_sent = servers.iter().any(|server| server.rooms.send(&connection.0, &body.0));
                let bytes_out = Some(if was_sent { body.len() as u64 } else { 0 });
                Ok(Done { bytes_out, ..Output::Bool(was_sent).into() })
            }
            (other, _) => Err(EffectError::Internal(format!("{} is nothing that is done with servers", other.op()))),
        }
    }

    async fn serve(&self, seat: Arc<Seat>, at: SocketAddr, handler: Handler, speech: Speech) -> Outcome {
        // Before anything is bound that would have to be let go of again.
        seat.room(HandleKind::Server)?;
        let answerer = Answerer::of(handler, &self.functions)?;
        let (listener, address) = bind::listen(at).await?;
        let (rooms, closing, (alive, life)) = (Arc::<Rooms>::default(), CancellationToken::new(), watch::channel(()));
        let server = Arc::new(Server { address, rooms: Arc::clone(&rooms), closing: closing.clone(), life });
        let handle = seat.keep(HandleKind::Server, server)?;
        let turns = Semaphore::new(self.limits.handlers);
        let house = House { seat, answerer, speech, rooms, address, limits: self.limits, closing, turns };
        let door = Door::new(house, self);
        tokio::spawn(async move {
            door.keep(listener).await;
            drop(alive);
        });
        Ok(Output::Handle(handle).into())
    }
}
