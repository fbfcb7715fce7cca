//! Who is in which room of a server, and what waits for each of them.

use axum::extract::ws::Utf8Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The connections of one server, by their names.
#[derive(Default)]
pub(super) struct Rooms(Mutex<HashMap<String, Member>>);

/// One of them, as others see it.
struct Member {
    room: String,
    waiting: mpsc::Sender<Utf8Bytes>,
    is_slow: CancellationToken,
}

impl Member {
    /// Has it wait for the connection; one that does not keep up is to be closed, and gets nothing more.
    fn put(&self, text: &Utf8Bytes) -> bool {
        let put = self.waiting.try_send(text.clone());
        if let Err(mpsc::error::TrySendError::Full(_)) = &put {
            self.is_slow.cancel();
        }
        put.is_ok() && !self.is_slow.is_cancelled()
    }
}

/// One's own membership. Dropped, it is left.
pub(super) struct Membership {
    rooms: Arc<Rooms>,
    /// What `chat.send` takes: nobody guesses it.
    pub(super) id: String,
    /// What others have said.
    pub(super) heard: mpsc::Receiver<Utf8Bytes>,
    /// More was said than it took.
    pub(super) is_slow: CancellationToken,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.rooms.members().remove(&self.id);
    }
}

impl Rooms {
    /// For as long as it is looked at or changed.
    fn members(&self) -> MutexGuard<'_, HashMap<String, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a room under this name; `waiting_max` messages may wait there.
    pub(super) fn join(self: &Arc<Self>, id: String, room: String, waiting_max: usize) -> Membership {
        let (waiting, heard) = mpsc::channel(waiting_max);
        let is_slow = CancellationToken::new();
        self.members().insert(id.clone(), Member { room, waiting, is_slow: is_slow.clone() });
        Membership { rooms: Arc::clone(self), id, heard, is_slow }
    }

    /// Says it to all of a room; to how many.
    pub(super) fn broadcast(&self, room: &str, text: &str) -> usize {
        let text = Utf8Bytes::from(text);
        self.members().values().filter(|member| member.room == room && member.put(&text)).count()
    }

    /// Says it to one; whether there is such a one, and it keeps up.
    pub(super) fn send(&self, id: &str, text: &str) -> bool {
        self.members().get(id).is_some_and(|member| member.put(&text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_left_hears_nothing_and_is_not_counted() {
        let rooms = Arc::<Rooms>::default();
        let one = rooms.join("1".into(), "a".into(), 2);
        let _other = rooms.join("2".into(), "b".into(), 2);
        assert_eq!((rooms.broadcast("a", "x"), rooms.broadcast("b", "x"), rooms.broadcast("c", "x")), (1, 1, 0));
        drop(one);
        assert_eq!((rooms.broadcast("a", "x"), rooms.send("1", "x"), rooms.send("2", "x")), (0, false, true));
    }

    #[test]
    fn who_does_not_keep_up_is_marked_and_others_are_not_kept_waiting() {
        let rooms = Arc::<Rooms>::default();
        let slow = rooms.join("1".into(), "a".into(), 2);
        let mut other = rooms.join("2".into(), "a".into(), 2);
        for count in [2, 2, 1] {
            assert_eq!(rooms.broadcast("a", "x"), count);
            other.heard.try_recv().unwrap();
        }
        assert!(slow.is_slow.is_cancelled() && !other.is_slow.is_cancelled());
        assert!(!rooms.send("1", "x"));
    }
}
