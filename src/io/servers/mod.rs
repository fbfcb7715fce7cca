//! Peers' tmux servers: started, looked at, ended. One file a verb; this one holds what they share.

mod composer;
mod confine;
mod end;
mod environment;
mod find;
mod heal;
mod idle;
mod mail;
mod output;
mod pane;
mod screen;
mod start;
mod sweep;
pub(crate) mod walls;

use super::{
    effects::Policies,
    limits::{LimitsHost, Mechanism},
    peer_store::PeerFiles,
    reaper::Reaper,
    tmux::Tmux,
    witness::life::LifePaths,
};
use crate::paths::Paths;
use coalmine_actors::{
    error::FleetError,
    names::Identity,
    peer::{
        file::{Life, PeerFile},
        limits::Limits,
    },
    ports::{
        Answer, BoxFuture, Claim, Found, FoundSession, IdleRules, LifeEnd, LifeKey, Process, Program, ScreenRules,
        ScreenSign, Servers, SweepReport,
    },
    runtime::StopRecipe,
    turns::Turns,
};
use dashmap::DashMap;
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Starts that may be under way at once: more would only make one another slow.
pub const STARTS_AT_ONCE_MAX: usize = 8;

/// The adapter. Clones share everything.
#[derive(Clone)]
pub struct TmuxServers(Arc<Shared>);

/// What servers are made of.
#[derive(Debug)]
pub struct Programs {
    /// The multiplexer.
    pub tmux: Tmux,
    /// Our own tools beside it.
    pub helper: PathBuf,
}

/// Who says how far servers and what runs in them may go.
#[derive(Debug)]
pub struct Bounds {
    /// Memory and tasks.
    pub limits: LimitsHost,
    /// Policies, for programs behind walls.
    pub policies: Policies,
}

struct Shared {
    paths: Paths,
    tmux: Tmux,
    helper: PathBuf,
    limits_host: LimitsHost,
    /// What programs behind walls may reach.
    policies: Policies,
    reaper: Reaper,
    files: PeerFiles,
    /// What every server's environment begins with.
    base_env: RwLock<Vec<(String, String)>>,
    turns: Turns<Identity>,
    starts: Arc<Semaphore>,
    /// The right to be starting: held from the server's start until its session is open.
    starting: DashMap<LifeKey, OwnedSemaphorePermit>,
    watcher: heal::RunFolder,
    outputs: output::Outputs,
    /// How the composers of runtimes are recognised.
    judges: composer::Judges,
    /// How long each pane log was when its present life began, bytes: only what follows is its output.
    log_before: DashMap<Identity, u64>,
}

impl TmuxServers {
    /// Servers of the fleet at `paths`.
    ///
    /// # Errors
    /// The socket folder can not be watched.
    pub fn new(
        paths: Paths,
        Programs { tmux, helper }: Programs,
        Bounds { limits, policies }: Bounds,
        reaper: Reaper,
        files: PeerFiles,
        turns: Turns<Identity>,
        pass_env: &[String],
    ) -> Result<Self, FleetError> {
        let watcher = heal::RunFolder::new(paths.run())?;
        Ok(Self(Arc::new(Shared {
            base_env: RwLock::new(environment::base(pass_env)),
            paths,
            tmux,
            helper,
            limits_host: limits,
            policies,
            reaper,
            files,
            turns,
            starts: Arc::new(Semaphore::new(STARTS_AT_ONCE_MAX)),
            starting: DashMap::new(),
            watcher,
            outputs: output::Outputs::default(),
            judges: composer::Judges::default(),
            log_before: DashMap::new(),
        })))
    }

    /// What would apply these limits to a server that starts now; nothing where nothing is limited.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`], with why and what to do.
    pub fn limited_by(&self, limits: &Limits) -> Result<Option<Mechanism>, FleetError> {
        self.0.limits_host.choose(limits)
    }

    /// Removes what limited lives that are over. For the beginning and the end of a fleet: in between, each life's
    /// end does it.
    pub async fn release_limits(&self) {
        confine::release_all(&self.0).await;
    }

    /// What a variable is that passes from this process's environment to servers.
    pub fn passed(&self, name: &str) -> Option<String> {
        self.0.base_env().iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// Changes what passes from this process's environment to servers that start from now on.
    pub fn pass_env(&self, names: &[String]) {
        *self.0.base_env.write().unwrap_or_else(PoisonError::into_inner) = environment::base(names);
    }
}

impl Shared {
    /// What every server's environment begins with.
    fn base_env(&self) -> RwLockReadGuard<'_, Vec<(String, String)>> {
        self.base_env.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn(&self, identity: &Identity) -> tokio::sync::OwnedMutexGuard<()> {
        self.turns.of(identity).await
    }

    fn life_paths(&self, life: &LifeKey) -> LifePaths {
        super::life_paths(&self.paths, life)
    }

    fn socket(&self, life: &LifeKey) -> PathBuf {
        self.paths.peer_socket(&life.identity)
    }
}

/// Runs one of the verbs on a task's own copy of what they share.
macro_rules! run {
    ($self:ident, $life:ident, $shared:ident, $body:expr) => {{
        let ($shared, $life) = (Arc::clone(&$self.0), $life.clone());
        Box::pin(async move { $body })
    }};
}

impl Servers for TmuxServers {
    fn start(&self, life: &LifeKey, file: PeerFile, limits: Limits) -> Answer<Box<dyn Process>> {
        run!(self, life, shared, start::start(&shared, &life, file, limits).await)
    }

    fn open_session(&self, life: &LifeKey, program: Program) -> Answer<()> {
        run!(self, life, shared, start::open_session(&shared, &life, &program).await)
    }

    fn session(&self, life: &LifeKey) -> BoxFuture<FoundSession> {
        run!(self, life, shared, {
            let _turn = shared.turn(&life.identity).await;
            pane::look_and_watch(&shared, &life).await
        })
    }

    fn watch_screen(&self, life: &LifeKey, rules: ScreenRules) -> mpsc::Receiver<ScreenSign> {
        screen::watch(Arc::clone(&self.0), life.clone(), rules)
    }

    fn idle(&self, life: &LifeKey, rules: IdleRules) -> BoxFuture<()> {
        run!(self, life, shared, idle::idle(&shared, &life, rules).await)
    }

    fn end(&self, life: &LifeKey, claim: Claim, recipe: StopRecipe) -> Answer<LifeEnd> {
        run!(self, life, shared, end::end(&shared, &life, &claim, &recipe).await)
    }

    fn sweep(&self, life: &LifeKey) -> BoxFuture<SweepReport> {
        run!(self, life, shared, sweep::sweep(&shared, &life).await)
    }

    fn find(&self, life: &LifeKey, known: &Life) -> BoxFuture<Found> {
        let known = known.clone();
        run!(self, life, shared, find::find(&shared, &life, &known).await)
    }

    fn lost_sockets(&self) -> mpsc::Receiver<Identity> {
        self.0.watcher.lost_sockets()
    }

    fn answers(&self, life: &LifeKey) -> BoxFuture<bool> {
        run!(self, life, shared, screen::answers(&shared, &life).await)
    }

    fn heal_socket(&self, life: &LifeKey) -> Answer<bool> {
        run!(self, life, shared, heal::heal(&shared, &life).await)
    }

    fn capture(&self, life: &LifeKey) -> Answer<String> {
        run!(self, life, shared, screen::capture(&shared, &life).await)
    }
}
