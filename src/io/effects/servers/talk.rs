//! A connection of a room: what it says is answered in turn, and what is said in the room reaches it meanwhile.
//!
//! ```text
//! enter ─ origin, room ─▶ upgrade ─▶ Talk ─┬─ a text ─▶ whoever answers ─▶ its answer
//!                                          ├─ chat.send, chat.broadcast ─▶ queue ─▶ it
//!                                          └─ gone · slow · silent · the server closes ─▶ farewell
//! ```

use super::{
    answer::answer,
    door::Place,
    front::{House, asked, refusal},
    limits::{MESSAGE_BYTES_MAX, ROOM_BYTES_MAX, UNANSWERED_MAX},
    origin::is_home,
    rooms::Membership,
};
use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{Request, Response, StatusCode, request::Parts},
    response::IntoResponse,
};
use bytes::Bytes;
use coalmine_actors::effects::served::{Answered, Asked};
use hyper::body::Incoming;
use std::{collections::VecDeque, pin::Pin, sync::Arc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// Lets a request become a connection of the room that its path names.
pub(super) async fn enter(house: Arc<House>, place: Place, request: Request<Incoming>) -> Response<Body> {
    let (mut parts, _no_body) = request.into_parts();
    if !is_home(&parts.headers, house.address.ip().is_loopback()) {
        return refusal(StatusCode::FORBIDDEN, "foreign-origin", "pages of other hosts may not connect");
    }
    let Some(room) = room(parts.uri.path()) else {
        let why =
            format!("the path names a room: a slash, and 1 to {ROOM_BYTES_MAX} of a-z, A-Z, 0-9, `-`, `_`, `.`, `~`");
        return refusal(StatusCode::NOT_FOUND, "no-room", &why);
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(no_websocket) => return no_websocket.into_response(),
    };
    let id = match house.seat.token() {
        Ok(id) => id,
        Err(error) => return refusal(StatusCode::SERVICE_UNAVAILABLE, error.code(), "try again"),
    };
    let membership = house.rooms.join(id, room, house.limits.waiting_messages);
    upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX).on_upgrade(move |socket| async move {
        let _until_it_is_closed = place;
        Talk { socket, membership, house, parts }.go_on().await;
    })
}

/// The room that a path names.
fn room(path: &str) -> Option<String> {
    let name = path.strip_prefix('/')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let fits = (1..=ROOM_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain);
    fits.then(|| name.to_owned())
}

/// An answer that is being thought of.
type Answering = Pin<Box<dyn Future<Output = Result<Answered, String>> + Send>>;

/// How a talk ends.
enum End {
    /// The other side has gone.
    Gone,
    /// It is closed by us: the code, and the words.
    Closed(u16, String),
}

struct Talk {
    socket: WebSocket,
    membership: Membership,
    house: Arc<House>,
    /// The request that it began with.
    parts: Parts,
}

impl Talk {
    /// To its end, and says farewell where it is ours to say.
    async fn go_on(mut self) {
        let End::Closed(code, reason) = self.until_it_ends().await else { return };
        let grace = self.house.limits.grace;
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let farewell = async {
            // Behind what it was just being told; then until it has heard it.
            if self.socket.send(close).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        let _hung_up_on = timeout(grace, farewell).await;
    }

    async fn until_it_ends(&mut self) -> End {
        let limits = self.house.limits;
        let mut ping = interval_at(Instant::now() + limits.ping_every, limits.ping_every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        let mut unanswered = VecDeque::new();
        let mut answering: Option<Answering> = None;
        loop {
            // One after the other. Whoever leaves meanwhile calls off what was to answer.
            if answering.is_none() {
                answering = unanswered.pop_front().map(|text| self.think_of(text));
            }
            // What is to be said, if anything. All branches are cancel-safe: each waits, and takes at once.
            let said = tokio::select! {
                biased;
                () = self.membership.is_slow.cancelled() => return slow(),
                () = self.house.closing.cancelled() => return closed(close_code::AWAY, "the server closes"),
                answer = thought_of(&mut answering) => {
                    answering = None;
                    match answer {
                        Ok(answer) => words(answer),
                        Err(id) => return closed(close_code::ERROR, format!("failure {id}")),
                    }
                }
                Some(text) = self.membership.heard.recv() => Some(Message::Text(text)),
                message = self.socket.recv(), if unanswered.len() < UNANSWERED_MAX => {
                    heard_at = Instant::now();
                    match understood(message) {
                        Ok(text) => unanswered.extend(text),
                        Err(end) => return end,
                    }
                    None
                }
                _ = ping.tick() => {
                    let was_listened_to = unanswered.len() < UNANSWERED_MAX;
                    if was_listened_to && heard_at.elapsed() > limits.silence {
                        return closed(close_code::AWAY, "nothing was heard");
                    }
                    Some(Message::Ping(Default::default()))
                }
            };
            if let Some(said) = said
                && let Some(end) = self.say(said).await
            {
                return end;
            }
        }
    }

    /// Says something, and gives the end where that comes first: then what was begun is said before the farewell.
    async fn say(&mut self, message: Message) -> Option<End> {
        let silence = self.house.limits.silence;
        tokio::select! {
            biased;
            sent = timeout(silence, self.socket.send(message)) => match sent {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some(End::Gone),
                Err(_late) => Some(slow()),
            },
            () = self.membership.is_slow.cancelled() => Some(slow()),
            () = self.house.closing.cancelled() => Some(closed(close_code::AWAY, "the server closes")),
        }
    }

    fn think_of(&self, text: Bytes) -> Answering {
        let house = Arc::clone(&self.house);
        let connection = Some(self.membership.id.clone());
        let asked = Asked { connection, ..asked(&self.parts, "MESSAGE", text) };
        Box::pin(async move {
            let _turn = house.turns.acquire().await;
            answer(&house, asked).await
        })
    }
}

/// The text that was said, if any, or that nothing more is to be.
fn understood(message: Option<Result<Message, axum::Error>>) -> Result<Option<Bytes>, End> {
    match message {
        Some(Ok(Message::Text(text))) => Ok(Some(text.into())),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(closed(close_code::UNSUPPORTED, "only text is understood")),
        Some(Err(error)) if is_too_large(&error) => {
            Err(closed(close_code::SIZE, format!("a message has at most {MESSAGE_BYTES_MAX} bytes")))
        }
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
    }
}

async fn thought_of(answering: &mut Option<Answering>) -> Result<Answered, String> {
    match answering {
        Some(answering) => answering.await,
        None => std::future::pending().await,
    }
}

/// An answer as a message; one that is empty is none.
fn words(answer: Answered) -> Option<Message> {
    if answer.body.is_empty() {
        return None;
    }
    Some(match String::from_utf8(answer.body.into()) {
        Ok(text) => Message::Text(text.into()),
        Err(binary) => Message::Binary(binary.into_bytes().into()),
    })
}

fn closed(code: u16, why: impl Into<String>) -> End {
    End::Closed(code, why.into())
}

fn slow() -> End {
    closed(close_code::POLICY, "too slow: more was said than it took")
}

fn is_too_large(error: &axum::Error) -> bool {
    // The library's own error is not one that we name: its words are all there is.
    error.to_string().contains("too long")
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn a_path_names_a_room_or_nothing() {
        assert_eq!(room("/lobby-1").as_deref(), Some("lobby-1"));
        for path in ["/", "", "/a/b", "/a%20b", "/ä", &format!("/{}", "x".repeat(129))] {
            assert_eq!(room(path), None, "{path}");
        }
    }
}
