//! `/v1/events`: what happened and what happens, as server-sent events.
//!
//! The reader is subscribed first and then gets the journal, so nothing falls between the two; what comes twice is
//! dropped by its number. A reader who falls behind is served from the journal again, and where the journal has
//! turned over meanwhile, a `lagged` mark says how many events are missing.

use super::{
    Shared, closed,
    extract::Params,
    follow::{Follow, Step},
    wire::{ApiError, ErrorBody, ErrorEnvelope, SCHEMA_VERSION},
};
use axum::{
    extract::State,
    response::sse::{Event as Sent, Sse},
};
use coalmine_actors::{error::FleetError, view::Streamed};
use serde::Deserialize;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};

/// Events that are read from the journal at once.
const PAGE_EVENTS: usize = 1000;
/// Events that wait for a slow reader; beyond them the subscription's own bound decides.
const WAITING_EVENTS_MAX: usize = 64;

/// `?after=SEQ&follow=false`
#[derive(Deserialize)]
pub(super) struct From {
    after: Option<u64>,
    follow: Option<bool>,
}

/// `GET /v1/events`
pub(super) async fn stream(
    State(shared): State<Shared>,
    Params(from): Params<From>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, ApiError> {
    let live = shared.fleet.events();
    let (out, sent) = mpsc::channel(WAITING_EVENTS_MAX);
    let reader = Reader { shared: shared.clone(), place: Follow::new(from.after), out };
    // Ends when the reader hangs up, the fleet ends or the server stops; it holds nothing else.
    tokio::spawn(reader.run(live, from.follow.unwrap_or(true)));
    Ok(Sse::new(ReceiverStream::new(sent).map(Ok)))
}

/// The reader hung up, or got an error that ends its stream.
struct Ended;

/// One reader and where it stands.
struct Reader {
    shared: Shared,
    place: Follow,
    out: mpsc::Sender<Sent>,
}

impl Reader {
    async fn run(mut self, live: impl Stream<Item = Streamed> + Unpin, follow: bool) {
        let closing = self.shared.closing.clone();
        let served = async {
            self.replay().await?;
            if follow { self.follow(live).await } else { Ok(()) }
        };
        // Whichever ends first, the stream is over, so nothing that the other held matters.
        tokio::select! {
            _ended = served => {}
            () = closed(closing) => {}
        }
    }

    async fn follow(&mut self, mut live: impl Stream<Item = Streamed> + Unpin) -> Result<(), Ended> {
        loop {
            // Cancel-safe: a stream's `next` loses nothing, and a reader who has hung up wants nothing.
            let next = tokio::select! {
                next = live.next() => next,
                () = self.out.closed() => None,
            };
            match next.ok_or(Ended)? {
                // What was dropped is in the journal.
                Streamed::Lagged { .. } => self.replay().await?,
                Streamed::Event(event) => {
                    if matches!(self.place.judge(event.seq), Step::Gap(_)) {
                        self.replay().await?;
                    }
                    self.hand_over(event).await?;
                }
            }
        }
    }

    /// Everything that the journal has after the reader's last event.
    async fn replay(&mut self) -> Result<(), Ended> {
        while let Some(last) = self.place.last() {
            match self.shared.fleet.events_after(last, PAGE_EVENTS).await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => {
                    for event in page {
                        self.hand_over(event).await?;
                    }
                    // A page that moves nobody forward must not be asked for again.
                    if self.place.last() == Some(last) {
                        break;
                    }
                }
                Err(error) => return self.fail(&error).await,
            }
        }
        Ok(())
    }

    async fn hand_over(&mut self, event: coalmine_actors::view::Event) -> Result<(), Ended> {
        for item in self.place.take(event) {
            self.out.send(message(&item)).await.map_err(|_hung_up| Ended)?;
        }
        Ok(())
    }

    async fn fail(&mut self, error: &FleetError) -> Result<(), Ended> {
        let body = ErrorEnvelope { schema_version: SCHEMA_VERSION, error: ErrorBody::from(error) };
        let _hung_up = self.out.send(Sent::default().event("error").data(json(&body))).await;
        Err(Ended)
    }
}

fn message(item: &Streamed) -> Sent {
    match item {
        Streamed::Event(event) => Sent::default().id(event.seq.to_string()).data(json(item)),
        Streamed::Lagged { .. } => Sent::default().event("lagged").data(json(item)),
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("these values have no map with keys other than text")
}
