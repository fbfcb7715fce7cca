//! Keys and values: one redb database a file, shared by all handles on it, whoever opened them.
//!
//! A session's own store is in memory, and there for as long as the session has a handle on it.

mod memory;
mod store;

use super::{close, desk::Desk, page_entries};
use crate::io::{effects::fs::grants, sandbox::hidden::Id};
use coalmine_actors::effects::{
    error::EffectError,
    handles::{HandleId, HandleKind},
    op::Request,
    output::Output,
    plan::{Beneath, Plan},
    port::{Call, Opened, Outcome, Seat},
};
use serde_json::json;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use store::{Page, Store};
use tokio::time::{Instant, sleep};

/// How long a file that somebody else has open is asked for. Our own are closed in less: the last write is synced.
const BUSY_TIME_MAX: Duration = Duration::from_secs(2);
/// How long between two attempts.
const BUSY_STEP: Duration = Duration::from_millis(10);

type Kv = Desk<Arc<Store>>;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    /// The one in this file.
    File(Id),
    /// The own one of this session.
    Own(u64),
}

/// The stores that are open. A file is one database, and redb opens it once.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<HashMap<Which, Weak<Store>>>>);

impl Shared {
    /// Held to look and to note, never while a store is opened.
    fn open(&self) -> MutexGuard<'_, HashMap<Which, Weak<Store>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, which: Which) -> Option<Arc<Store>> {
        self.open().get(&which)?.upgrade()
    }

    fn keep(&self, which: Which, store: Store) -> Arc<Store> {
        let mut open = self.open();
        open.retain(|_, store| store.strong_count() > 0);
        // Of two that a session made at once the first one counts; of a file there can be no second one.
        if let Some(first) = open.get(&which).and_then(Weak::upgrade) {
            return first;
        }
        let store = Arc::new(store);
        open.insert(which, Arc::downgrade(&store));
        store
    }

    fn own(&self, session: u64) -> Result<Arc<Store>, EffectError> {
        let which = Which::Own(session);
        match self.find(which) {
            Some(store) => Ok(store),
            None => Ok(self.keep(which, Store::in_memory()?)),
        }
    }

    /// The store in a file; nothing where it is open elsewhere, or being closed.
    fn in_file(&self, opened: &Opened, at: &Beneath) -> Result<Option<Arc<Store>>, EffectError> {
        let (file, id) = grants(opened)?.place(at)?.open_database()?;
        let which = Which::File(id);
        match self.find(which) {
            Some(store) => Ok(Some(store)),
            None => Ok(Store::in_file(file)?.map(|store| self.keep(which, store))),
        }
    }
}

/// Carries one operation out.
pub(super) async fn perform(shared: Shared, call: Call) -> Outcome {
    let Call { seat, opened, request, plan, .. } = call;
    let kv = |handle: HandleId| seat.held::<Kv>(handle, HandleKind::Kv);
    let output = match request {
        Request::KvOpen { .. } => open(shared, &seat, opened, plan).await?,
        Request::KvClose { handle } => return close(&seat, handle, HandleKind::Kv).await,
        Request::KvGet { handle, key } => {
            let value = kv(handle)?.ask(move |store| store.get(&key)).await?;
            value.map_or(Output::Null, Output::Bytes)
        }
        Request::KvPut { handle, key, value } => {
            kv(handle)?.ask(move |store| store.put(&key, &value.0)).await?;
            Output::Null
        }
        Request::KvDelete { handle, key } => Output::Bool(kv(handle)?.ask(move |store| store.delete(&key)).await?),
        Request::KvContains { handle, key } => Output::Bool(kv(handle)?.ask(move |store| store.contains(&key)).await?),
        Request::KvListPrefix { handle, prefix, cursor, limit } => {
            let count = page_entries(limit)?;
            let cursor = cursor.map(|cursor| cursor.0);
            if cursor.as_ref().is_some_and(|cursor| !cursor.starts_with(&*prefix)) {
                return Err(EffectError::bad("cursor", "it is none that was given for this prefix"));
            }
            let page = kv(handle)?.ask(move |store| store.list(&prefix, cursor.as_deref(), count)).await?;
            listed(page)
        }
        other => return Err(EffectError::Internal(format!("{} is nothing of keys and values", other.op()))),
    };
    Ok(output.into())
}

async fn open(shared: Shared, seat: &Seat, opened: Opened, plan: Plan) -> Result<Output, EffectError> {
    let Plan::Store(at) = plan else { return Err(EffectError::Internal("a store by another plan".into())) };
    // Before anything is made that would have to be undone.
    seat.room(HandleKind::Kv)?;
    let session = seat.session;
    let at = at.map(Arc::new);
    let until = Instant::now() + BUSY_TIME_MAX;
    loop {
        let (shared, opened, at) = (shared.clone(), Arc::clone(&opened), at.clone());
        let found = Desk::open("effect-kv", move || match at {
            None => shared.own(session).map(Some),
            Some(at) => shared.in_file(&opened, &at),
        });
        match found.await? {
            Some(kv) => return Ok(Output::Handle(seat.keep(HandleKind::Kv, Arc::new(kv))?)),
            None if Instant::now() > until => return Err(EffectError::Io { kind: io::ErrorKind::ResourceBusy }),
            None => sleep(BUSY_STEP).await,
        }
    }
}

/// The last key of a page is the cursor of the next one.
fn listed(Page { keys, more }: Page) -> Output {
    let cursor = keys.last().filter(|_| more).cloned();
    Output::Json(json!({ "keys": keys, "cursor": cursor }))
}
