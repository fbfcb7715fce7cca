//! How much of everything there may be at a server.

use std::time::Duration;

/// Longest name of a room, bytes.
pub(super) const ROOM_BYTES_MAX: usize = 128;
/// Largest message of a room's connection, bytes: what `chat.send` takes.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages of a room's connection that wait for whoever answers; it is not listened to while there are more.
pub(super) const UNANSWERED_MAX: usize = 16;
/// Largest head of a request, bytes.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// The limits that a test may want to reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections of one server; whoever comes on top of them is hung up on.
    pub(super) connections: usize,
    /// Connections of all servers of the fleet, each of which has a descriptor.
    pub(super) connections_of_all: usize,
    /// Requests of one server that are answered at once; one more is told to come again.
    pub(super) handlers: usize,
    /// A TLS handshake; the head of a request; how long a connection is kept without one.
    pub(super) head_time: Duration,
    /// Largest body of a request, bytes.
    pub(super) body_bytes: usize,
    /// How long whoever answers may take.
    pub(super) handler_time: Duration,
    /// From a request's head until its answer has left.
    pub(super) exchange_time: Duration,
    /// How long what is under way goes on when the server closes, and a room's connection when it is to end.
    pub(super) grace: Duration,
    /// Messages that wait for a room's connection; one that does not keep up with them is closed.
    pub(super) waiting_messages: usize,
    /// How often a room's connection is asked whether it is there.
    pub(super) ping_every: Duration,
    /// How long nothing may be heard of it.
    pub(super) silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_of_all: 1_024,
            handlers: 64,
            head_time: Duration::from_secs(10),
            body_bytes: 1024 * 1024,
            handler_time: Duration::from_secs(60),
            exchange_time: Duration::from_secs(120),
            grace: Duration::from_secs(2),
            waiting_messages: 64,
            ping_every: Duration::from_secs(30),
            silence: Duration::from_secs(75),
        }
    }
}
