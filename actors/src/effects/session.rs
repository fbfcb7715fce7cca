//! What a peer, or a program that embeds the fleet, calls effects with.
//!
//! A call runs on its caller's task; what may block, on a thread for that. No mailbox is on its way: a session holds the
//! policy that was checked, its peer's ledger, and the audit log.

use super::{
    account::{Account, Authority, Narrowed},
    call::Begun,
    error::EffectError,
    handle::Shared,
    handles::Held,
    op::{Op, REDIRECTS_MAX, Request},
    output::Output,
    policy::Policy,
    port::{Call, Family, Outcome, Seat, Sink},
    session_log::SessionLog,
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedSemaphorePermit;

/// A session. Clones share it; with the last one it ends, and everything that it holds is closed.
#[derive(Clone)]
pub struct EffectSession(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) account: Arc<Account>,
    pub(super) seat: Arc<Seat>,
    pub(super) peer_text: String,
    pub(super) narrowed: Option<Narrowed>,
    pub(super) print: Arc<dyn Sink>,
    pub(super) log: Arc<SessionLog>,
    /// The numbers of the policy's seed, from its first on.
    pub(super) seeded: Mutex<Option<fastrand::Rng>>,
}

impl std::fmt::Debug for EffectSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EffectSession({} of {})", self.id(), self.peer())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        close(self.seat.end());
    }
}

/// What a session held goes on a thread that may block: the end of a program or of a database takes its time.
fn close(held: Vec<Held>) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) if !held.is_empty() => drop(runtime.spawn_blocking(move || drop(held))),
        _ => drop(held),
    }
}

impl Inner {
    /// What it may do now. Blocks where that has changed for a nested session.
    pub(super) fn authority(&self) -> Arc<Authority> {
        let whole = self.account.authority();
        match &self.narrowed {
            Some(narrowed) => narrowed.of(whole, &*self.shared.host),
            None => whole,
        }
    }

    /// All of a call that waits for nothing but a disk. Blocks.
    fn at_once(self: &Arc<Self>, request: Request) -> Result<Output, EffectError> {
        let (begun, call) = self.begin(request)?;
        let outcome = match call.request.op().family() {
            Family::Files => self.shared.host.files(call),
            _ => self.core(call),
        };
        begun.end(outcome)
    }

    /// What a family does with a call, until it is done, the session ends, or its time is used up.
    async fn in_time(&self, call: Call) -> Outcome {
        if let Request::TimeSleepMs { ms } = call.request {
            return self.sleep(&call, ms).await;
        }
        let time_left = call.time_left;
        let host = &self.shared.host;
        let work = match call.request.op().family() {
            Family::Programs => host.programs(call),
            Family::Net => host.net(call),
            Family::Servers => host.servers(call),
            Family::Stores => host.stores(call),
            Family::Agents => host.agents(call),
            Family::Core | Family::Files => unreachable!("these wait for nothing but a disk"),
        };
        let spent = async {
            match time_left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Dropped, a family's work is called off: the port says so.
            outcome = work => outcome,
            () = self.seat.ended() => Err(EffectError::Cancelled),
            () = spent => Err(EffectError::Timeout { phase: "budget" }),
        }
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EffectError> + Send + 'static,
) -> Result<T, EffectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) if ended.is_panic() => Err(EffectError::Internal(format!("an effect panicked: {ended}"))),
        Err(_the_runtime_is_ending) => Err(EffectError::Cancelled),
    }
}

impl EffectSession {
    /// Whose session.
    pub fn peer(&self) -> &str {
        &self.0.peer_text
    }

    /// Its number in the audit log.
    pub fn id(&self) -> u64 {
        self.0.seat.session
    }

    /// The policy that holds for the next call. Blocks where that has changed for a nested session.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.0.authority().policy)
    }

    /// A session inside of this one: it may do what both this one and `policy` allow, and uses the same ledger.
    #[must_use]
    pub fn narrow(&self, policy: &Policy) -> Self {
        let inner = &self.0;
        let narrowed = match &inner.narrowed {
            Some(narrowed) => narrowed.further(policy),
            None => Narrowed::new(Arc::new(policy.clone())),
        };
        inner.shared.seat(Arc::clone(&inner.account), inner.seat.peer.clone(), Some(narrowed), Arc::clone(&inner.print))
    }

    /// A session beside this one, with the same rights, whose lines go to this sink.
    #[must_use]
    pub fn with_sink(&self, sink: Arc<dyn Sink>) -> Self {
        let inner = &self.0;
        let narrowed = inner.narrowed.as_ref().map(Narrowed::again);
        inner.shared.seat(Arc::clone(&inner.account), inner.seat.peer.clone(), narrowed, sink)
    }

    /// Ends it: what it holds is closed, and what it waits for is called off.
    pub fn end(&self) {
        close(self.0.seat.end());
    }

    /// Calls an operation by its name: one of the table, or one that the embedder added.
    ///
    /// # Errors
    /// As [`EffectSession::call`]; a name that is neither.
    pub async fn call_named(&self, op: &str, args: Value) -> Result<Output, EffectError> {
        match op.parse::<Op>() {
            Ok(op) => self.call(op, args).await,
            Err(_) if self.0.shared.added.contains_key(op) => self.call_added(op, args).await,
            Err(error) => self.misunderstood(op.to_owned(), error).await,
        }
    }

    /// Calls an operation: `args` is an object with the names of the table.
    ///
    /// # Errors
    /// Everything that an effect can fail with.
    pub async fn call(&self, op: Op, args: Value) -> Result<Output, EffectError> {
        match Request::read(op, args) {
            Ok(request) => self.perform(request).await,
            Err(error) => self.misunderstood(op.name().to_owned(), error).await,
        }
    }

    /// The same with arguments that were read. Dropped before it is done, it is called off where that can be.
    ///
    /// # Errors
    /// Everything that an effect can fail with.
    pub async fn perform(&self, request: Request) -> Result<Output, EffectError> {
        let place = self.0.shared.place()?;
        let inner = Arc::clone(&self.0);
        match (request.op(), request.op().family()) {
            (op, Family::Core | Family::Files) if op != Op::TimeSleepMs => {
                blocking(move || {
                    let _until_it_is_done = place;
                    inner.at_once(request)
                })
                .await
            }
            _ => self.perform_waiting(request, place).await,
        }
    }

    /// The same without a hop to another thread, for a caller whose own thread may block. What waits for others than
    /// the disk is refused.
    ///
    /// # Errors
    /// Everything that an effect can fail with; [`EffectError::Unsupported`] for what has to wait.
    pub fn perform_here(&self, request: Request) -> Result<Output, EffectError> {
        let _until_it_is_done = self.0.shared.place()?;
        match (request.op(), request.op().family()) {
            (op, Family::Core | Family::Files) if op != Op::TimeSleepMs => self.0.at_once(request),
            (op, _) => Err(self.0.misunderstood(op.name(), EffectError::unsupported("it waits: await it"))),
        }
    }

    /// A call, and what it leads to: each step is decided on anew, before anything of it happens.
    async fn perform_waiting(&self, mut request: Request, place: OwnedSemaphorePermit) -> Result<Output, EffectError> {
        for _ in 0..REDIRECTS_MAX {
            let (begun, mut outcome) = self.step(request).await?;
            let leads_to = outcome.as_mut().ok().and_then(|done| done.leads_to.take());
            let Some(next) = leads_to else { return end(begun, outcome, place).await };
            blocking(move || begun.end(outcome)).await?;
            request = *next;
        }
        let (begun, outcome) = self.step(request).await?;
        end(begun, outcome, place).await
    }

    async fn step(&self, request: Request) -> Result<(Begun, Outcome), EffectError> {
        let inner = Arc::clone(&self.0);
        let (begun, call) = blocking(move || inner.begin(request)).await?;
        let outcome = self.0.in_time(call).await;
        Ok((begun, outcome))
    }

    async fn call_added(&self, name: &str, args: Value) -> Result<Output, EffectError> {
        let place = self.0.shared.place()?;
        let added = Arc::clone(&self.0.shared.added[name]);
        let (inner, asked, name) = (Arc::clone(&self.0), Arc::clone(&added), name.to_owned());
        let (begun, args) = blocking(move || {
            let allowed = asked.allows(&inner.authority().policy, &args);
            Ok((inner.begin_added(&name, allowed, asked.cost())?, args))
        })
        .await?;
        let outcome = tokio::select! {
            // As with a family: dropped, it is called off.
            outcome = added.perform(Arc::clone(&self.0.seat), args) => outcome,
            () = self.0.seat.ended() => Err(EffectError::Cancelled),
        };
        end(begun, outcome.map(Into::into), place).await
    }

    async fn misunderstood(&self, op: String, error: EffectError) -> Result<Output, EffectError> {
        let inner = Arc::clone(&self.0);
        blocking(move || Err(inner.misunderstood(&op, error))).await
    }
}

async fn end(begun: Begun, outcome: Outcome, place: OwnedSemaphorePermit) -> Result<Output, EffectError> {
    blocking(move || {
        let _until_it_is_done = place;
        begun.end(outcome)
    })
    .await
}
