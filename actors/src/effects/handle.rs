//! What everybody else holds of the effects: it opens sessions, and these carry their calls themselves.

use super::{
    account::{Account, Authority, Narrowed},
    audit::{Audit, AuditFile, Counts, entry::Entry},
    error::EffectError,
    keeper::KeptBroker,
    ledger::Ledger,
    message::BrokerMsg,
    nested::WeakSession,
    op::Op,
    policy::Policy,
    port::{Added, Chance, EffectHost, Environment, PolicySource, Seat, Sink, Sinks},
    session::{EffectSession, Inner},
    session_log::{Remarks, SessionLog},
    view::EffectsView,
};
use crate::{
    error::FleetError,
    journal::{Draft, JournalHandle},
    keeper::Keeper,
    names::{Generation, Identity, Personality},
    ports::Clock,
};
use ractor::{Actor, ActorCell, ActorRef};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Calls that may be under way at once, of all peers.
pub const CALLS_AT_ONCE_MAX: usize = 1_024;
/// How long a session may take to be opened, or a peer to be forgotten.
const ASK_DEADLINE: Duration = Duration::from_secs(15);

/// What the effects are made of.
pub struct EffectsParts {
    /// Who carries them out.
    pub host: Arc<dyn EffectHost>,
    /// Which policies there are.
    pub source: Arc<dyn PolicySource>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditFile>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// The daemon's variables.
    pub environment: Arc<dyn Environment>,
    /// Where lines go.
    pub sinks: Arc<dyn Sinks>,
    /// Operations that the embedder adds, by name.
    pub added: BTreeMap<String, Arc<dyn Added>>,
    /// Where to note what becomes of policies.
    pub journal: Option<JournalHandle>,
}

/// What handles, sessions and the actor share.
pub(super) struct Shared {
    pub(super) host: Arc<dyn EffectHost>,
    pub(super) source: Arc<dyn PolicySource>,
    pub(super) audit: Arc<Audit>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    pub(super) environment: Arc<dyn Environment>,
    sinks: Arc<dyn Sinks>,
    pub(super) added: BTreeMap<String, Arc<dyn Added>>,
    journal: Option<JournalHandle>,
    places: Arc<Semaphore>,
    numbers: AtomicU64,
    table: Mutex<Table>,
    /// The actor that serves now; nothing before the first one.
    actor: RwLock<Option<ActorRef<BrokerMsg>>>,
}

/// Who is here. Held for as long as it is looked at or changed.
#[derive(Default)]
struct Table {
    accounts: HashMap<Personality, Arc<Account>>,
    /// Every open session, to be ended with its peer.
    open: Vec<Weak<Inner>>,
    /// The session that a life of a peer has.
    standing: HashMap<Identity, (Generation, EffectSession)>,
    /// Peers whose policy can not be read, and why; each goes on by the one it had.
    troubles: BTreeMap<Personality, String>,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn serve(&self, actor: ActorRef<BrokerMsg>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    pub(super) fn note(&self, draft: Draft) {
        if let Some(journal) = &self.journal {
            journal.record(draft);
        }
    }

    /// A place for one call.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, EffectError> {
        let full = |_| EffectError::limit("calls at once", CALLS_AT_ONCE_MAX as u64);
        Arc::clone(&self.places).try_acquire_owned().map_err(full)
    }

    /// A new session of this account.
    pub(super) fn seat(
        self: &Arc<Self>,
        account: Arc<Account>,
        peer: Identity,
        narrowed: Option<Narrowed>,
        print: Arc<dyn Sink>,
    ) -> EffectSession {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let log = Arc::new(SessionLog::new(self.sinks.log(&peer)));
        let remarks = Remarks { log: Arc::clone(&log), clock: Arc::clone(&self.clock) };
        let inner = Arc::new(Inner {
            shared: Arc::clone(self),
            account,
            peer_text: peer.to_string(),
            log,
            seat: Arc::new(Seat::new(peer, number, Arc::clone(&self.chance)).with_log(Arc::new(remarks))),
            narrowed,
            print,
            seeded: Mutex::default(),
        });
        inner.seat.sits(WeakSession::of(&inner));
        let mut table = self.table();
        table.open.retain(|session| session.strong_count() > 0);
        table.open.push(Arc::downgrade(&inner));
        EffectSession(inner)
    }

    pub(super) async fn open(self: &Arc<Self>, identity: Identity) -> Result<EffectSession, FleetError> {
        let account = self.account(identity.personality()).await?;
        let print = self.sinks.print(&identity);
        Ok(self.seat(account, identity, None, print))
    }

    /// The account of a peer: its policy, and what it has used by the audit log.
    async fn account(self: &Arc<Self>, peer: &Personality) -> Result<Arc<Account>, FleetError> {
        if let Some(account) = self.table().accounts.get(peer) {
            return Ok(Arc::clone(account));
        }
        let policy = self.policy_of(peer).await?;
        let (shared, peer) = (Arc::clone(self), peer.clone());
        let made = tokio::task::spawn_blocking(move || {
            let ledger = Ledger::with(shared.audit.used(&peer)?);
            Ok::<_, FleetError>(Account::new(peer, ledger, Authority::open(&*shared.host, policy)))
        });
        let account = made.await.map_err(|panic| FleetError::Internal(panic.to_string()))??;
        let mut table = self.table();
        // Of two that were made at once the first one counts.
        let account = table.accounts.entry(account.peer.clone()).or_insert_with(|| Arc::new(account));
        Ok(Arc::clone(account))
    }

    async fn policy_of(&self, peer: &Personality) -> Result<Arc<Policy>, FleetError> {
        match self.source.name_of(peer) {
            None => Ok(Policy::none()),
            Some(name) => self.source.load(name).await,
        }
    }

    /// Gives every account the policy that holds for it now.
    pub(super) async fn follow_policies(self: &Arc<Self>) {
        let accounts: Vec<_> = self.table().accounts.values().map(Arc::clone).collect();
        for account in accounts {
            let read = self.policy_of(&account.peer).await;
            let now = account.authority().policy.clone();
            let policy = match read {
                Ok(policy) => policy,
                // A policy that is gone allows nothing; one that is damaged is somebody's slip, and what ran goes on.
                Err(FleetError::UnknownPolicy { .. }) => Policy::none(),
                Err(error) => {
                    self.trouble(&account.peer, error.chain());
                    continue;
                }
            };
            self.table().troubles.remove(&account.peer);
            if *policy != *now {
                let draft = Draft::new("policy-changed").with("peer", &account.peer).with("policy", &policy.name);
                self.note(draft.with("digest", &policy.digest()[..16]));
                let host = Arc::clone(&self.host);
                let opened = tokio::task::spawn_blocking(move || Authority::open(&*host, policy)).await;
                if let Ok(authority) = opened {
                    account.replace(authority);
                }
            }
        }
    }

    fn trouble(&self, peer: &Personality, why: String) {
        let news = self.table().troubles.insert(peer.clone(), why.clone()).is_none_or(|before| before != why);
        if news {
            tracing::warn!(%peer, why, "a policy can not be read: the peer goes on by the one it had");
            self.note(Draft::new("policy-unreadable").with("peer", peer).with("why", why));
        }
    }

    /// Ends what a peer that is gone had open, and lets a namesake begin anew.
    pub(super) async fn forget(self: &Arc<Self>, peer: Personality) {
        let ended: Vec<_> = {
            let mut table = self.table();
            table.accounts.remove(&peer);
            table.troubles.remove(&peer);
            table.standing.retain(|identity, _| *identity.personality() != peer);
            let open = table.open.iter().filter_map(Weak::upgrade);
            open.filter(|session| *session.seat.peer.personality() == peer).collect()
        };
        ended.into_iter().for_each(|session| EffectSession(session).end());
        let shared = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            // A peer that never called anything leaves nothing to be forgotten.
            if shared.audit.used(&peer)? == Default::default() {
                return Ok(0);
            }
            shared.audit.enter(Entry::Forgotten { peer: peer.as_str().into() })
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "what a removed peer used of its budget is not forgotten");
        }
    }

    fn ask(&self, message: BrokerMsg) -> Result<(), FleetError> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.as_ref().and_then(|actor| actor.cast(message).ok()).ok_or_else(restarting)
    }
}

fn restarting() -> FleetError {
    FleetError::Unavailable { store: "effects", why: "their actor is being restarted".into() }
}

/// The effects. Clones share them, and they outlive their actor: a restarted one takes its place. With the last clone
/// the actor ends; sessions that are open go on.
#[derive(Clone)]
pub struct Effects {
    shared: Arc<Shared>,
    life: Arc<Life>,
}

/// The effects, as long as somebody holds them.
pub struct WeakEffects {
    shared: Weak<Shared>,
    life: Weak<Life>,
}

impl WeakEffects {
    /// The effects, if somebody still holds them.
    pub fn upgrade(&self) -> Option<Effects> {
        Some(Effects { shared: self.shared.upgrade()?, life: self.life.upgrade()? })
    }
}

/// Ends the keeper, and with it the actor, when it is dropped.
struct Life(ActorCell);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

impl Effects {
    /// Starts them, linked to `supervisor` where there is one.
    ///
    /// # Errors
    /// The supervisor is stopping; an operation that is added has the name of one that is there.
    pub async fn start(parts: EffectsParts, supervisor: Option<ActorCell>) -> Result<Self, FleetError> {
        let EffectsParts { host, source, audit, clock, chance, environment, sinks, added, journal } = parts;
        if let Some(name) = added.keys().find(|name| Op::ALL.iter().any(|op| op.name() == *name)) {
            let hint = "give the operation a name of its own, as in shop.order".into();
            return Err(FleetError::Usage { what: format!("the operation {name} is there already"), hint });
        }
        let shared = Arc::new(Shared {
            host,
            source,
            audit: Arc::new(Audit::new(audit, Arc::clone(&clock))),
            clock,
            chance,
            environment,
            sinks,
            added,
            journal,
            places: Arc::new(Semaphore::new(CALLS_AT_ONCE_MAX)),
            numbers: AtomicU64::new(0),
            table: Mutex::default(),
            actor: RwLock::new(None),
        });
        let keeper = Keeper(KeptBroker(Arc::clone(&shared)));
        let started = match supervisor {
            Some(supervisor) => Actor::spawn_linked(None, keeper, (), supervisor).await,
            None => Actor::spawn(None, keeper, ()).await,
        };
        let (keeper, _join) =
            started.map_err(|error| FleetError::Internal(format!("the effects did not start: {error}")))?;
        Ok(Self { shared, life: Arc::new(Life(keeper.get_cell())) })
    }

    /// A new session of this peer.
    ///
    /// # Errors
    /// Its policy can not be read, or the audit log.
    pub async fn session(&self, peer: &Identity) -> Result<EffectSession, FleetError> {
        let (reply, answer) = oneshot::channel();
        self.shared.ask(BrokerMsg::Open(peer.clone(), reply))?;
        within_deadline(answer, "opening a session").await?
    }

    /// The session that this life of a peer has. One of an earlier life is ended.
    ///
    /// # Errors
    /// As [`Effects::session`].
    pub async fn standing(&self, peer: &Identity, life: Generation) -> Result<EffectSession, FleetError> {
        if let Some((of, session)) = self.shared.table().standing.get(peer)
            && *of == life
            && !session.0.seat.has_ended()
        {
            return Ok(session.clone());
        }
        let session = self.session(peer).await?;
        let before = {
            let mut table = self.shared.table();
            // Of two that were opened at once the first one stands: calls are under way in it.
            match table.standing.get(peer) {
                Some((of, first)) if *of == life && !first.0.seat.has_ended() => return Ok(first.clone()),
                _ => table.standing.insert(peer.clone(), (life, session.clone())),
            }
        };
        if let Some((_, before)) = before {
            before.end();
        }
        Ok(session)
    }

    /// A life of a peer is over: the session that it had ends.
    pub fn life_ended(&self, peer: &Identity, life: Generation) {
        let ended = {
            let mut table = self.shared.table();
            let is_its = table.standing.get(peer).is_some_and(|(of, _)| *of <= life);
            if is_its { table.standing.remove(peer) } else { None }
        };
        if let Some((_, session)) = ended {
            session.end();
        }
    }

    /// The actor that serves now.
    #[cfg(test)]
    pub(super) fn actor(&self) -> ActorCell {
        let actor = self.shared.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.as_ref().expect("started with the effects").get_cell()
    }

    /// The effects for whoever must not keep them alive.
    pub fn downgrade(&self) -> WeakEffects {
        WeakEffects { shared: Arc::downgrade(&self.shared), life: Arc::downgrade(&self.life) }
    }

    /// A peer is gone: its sessions end, and what it used is forgotten.
    ///
    /// # Errors
    /// The actor does not answer.
    pub async fn forget(&self, peer: &Personality) -> Result<(), FleetError> {
        let (reply, answer) = oneshot::channel();
        self.shared.ask(BrokerMsg::Forget(peer.clone(), reply))?;
        within_deadline(answer, "forgetting a peer").await
    }

    /// Says that policies, or who has which, may have changed.
    pub fn policies_changed(&self) {
        let _a_restarted_actor_reads_them_anew = self.shared.ask(BrokerMsg::Changed);
    }

    /// The effects in a few numbers; waits for nobody.
    pub fn view(&self) -> EffectsView {
        let table = self.shared.table();
        let Counts { allowed, denied, refused } = self.shared.audit.counts();
        EffectsView {
            sessions: table.open.iter().filter(|session| session.strong_count() > 0).count() as u64,
            calls_now: (CALLS_AT_ONCE_MAX - self.shared.places.available_permits()) as u64,
            allowed,
            denied,
            refused,
            problems: table.troubles.iter().map(|(peer, why)| format!("the policy of {peer}: {why}")).collect(),
        }
    }

    /// Why the audit log can not be written now.
    pub fn unaudited(&self) -> Option<String> {
        self.shared.audit.trouble()
    }

    /// Ends all sessions, and makes durable what is used.
    ///
    /// # Errors
    /// [`FleetError::TimedOut`] after `deadline`; the audit log can not be written.
    pub async fn close(&self, deadline: Duration) -> Result<(), FleetError> {
        let open: Vec<_> = {
            let mut table = self.shared.table();
            table.standing.clear();
            table.open.iter().filter_map(Weak::upgrade).collect()
        };
        open.into_iter().for_each(|session| EffectSession(session).end());
        let audit = Arc::clone(&self.shared.audit);
        let written = tokio::task::spawn_blocking(move || {
            audit.checkpoint()?;
            audit.sync(audit.last_seq())
        });
        let late = |_| FleetError::TimedOut { what: "writing the audit log".into(), after: deadline };
        let written = tokio::time::timeout(deadline, written).await.map_err(late)?;
        Ok(written.map_err(|panic| FleetError::Internal(panic.to_string()))??)
    }
}

async fn within_deadline<T>(answer: oneshot::Receiver<T>, what: &str) -> Result<T, FleetError> {
    let late = |_| FleetError::TimedOut { what: what.to_owned(), after: ASK_DEADLINE };
    tokio::time::timeout(ASK_DEADLINE, answer).await.map_err(late)?.map_err(|_ended| restarting())
}
