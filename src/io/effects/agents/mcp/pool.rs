//! Which server stands where: a berth a session and a name, found again by whoever calls next.

use super::{
    Times,
    attend::{Server, attend},
    berth::{Berth, Use},
};
use coalmine_actors::effects::{
    error::EffectError,
    handles::{HandleId, HandleKind},
    port::{Opened, Seat},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// The number of a session, and the name of a server in its policy.
type Key = (u64, String);

/// A berth, and the handle by which its session holds it.
type Found = (HandleId, Weak<Berth>);

/// The berths that there are. A session holds its own, by handles that nobody is told; here they are only found.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<HashMap<Key, Found>>>);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    /// A call of this server under this policy, opened: of the one that is there, or of one that it starts.
    ///
    /// # Errors
    /// [`EffectError::TooManyHandles`] where the session has as many servers as it may; it has ended.
    pub(super) fn enter(
        &self,
        seat: &Arc<Seat>,
        opened: &Opened,
        server: Server,
        times: Times,
    ) -> Result<Use, EffectError> {
        // Held to look and to note: a server starts without it, and of two first calls the second one finds the first.
        let mut berths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        berths.retain(|_, (_, berth)| berth.strong_count() > 0);
        let key = (seat.session, server.name.clone());
        if let Some((handle, there)) = berths.get(&key)
            && let Some(berth) = there.upgrade()
        {
            if berth.is_under(opened)
                && let Some(entered) = berth.enter()
            {
                return Ok(entered);
            }
            // It is over, or was started behind other walls: it has the calls that it has, and no new ones.
            let _closed_by_its_attendant = seat.close(*handle, HandleKind::Mcp);
        }
        let (berth, post) = Berth::new(Arc::clone(opened));
        let entered = berth.enter().ok_or_else(|| EffectError::Internal("a new berth is shut".into()))?;
        let handle = seat.keep(HandleKind::Mcp, Arc::clone(&berth) as _)?;
        berths.insert(key, (handle, Arc::downgrade(&berth)));
        let seat = Arc::downgrade(seat);
        let leave = move || {
            if let Some(seat) = seat.upgrade() {
                let _closed_by_the_next_call = seat.close(handle, HandleKind::Mcp);
            }
        };
        tokio::spawn(attend(server, post, leave, times));
        Ok(entered)
    }
}
