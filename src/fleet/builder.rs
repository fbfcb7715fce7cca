//! Starts a fleet: checks the host, takes the lock, wires the adapters to the actors.

use super::{
    attachments, effects,
    handle::{FleetHandle, Inner},
    mail, memory,
    shutdown::Gate,
};
use crate::{
    config::{
        Config,
        place::{Place, PlaceFlags},
    },
    io::{
        blocking,
        boot::boot_id,
        canary::Canaries,
        clock::HostClock,
        dice::HostDice,
        effects::{PeerPolicies, Policies},
        find,
        journal::JournalFolder,
        limits::LimitsHost,
        lock,
        peer_store::PeerFiles,
        private_dir, private_file,
        provisioner::Providers,
        reaper::Reaper,
        registry_file::JsonRegistry,
        sandbox,
        servers::{Bounds, Programs, TmuxServers},
        socket_folder, tmux,
    },
    paths::Paths,
};
use coalmine_actors::{
    attachments::AttachmentStore,
    effects::port::{Added, EffectHost, PolicySource},
    error::FleetError,
    fleet::{actor::FleetActor, message::FleetMsg},
    journal::{Draft, JournalHandle},
    names::Runtime,
    peer::{
        config::FleetRules,
        directory::Directory,
        restart_policy::{RestartLimit, RestartPolicy},
    },
    ports::Ports,
    provisioner::Provisioning,
    registry::RegistryHandle,
    runtime::RuntimeDef,
    turns::Turns,
};
use ractor::{Actor, rpc::CallResult};
use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long the registry and the peers' files may take to be read.
const BOOT_DEADLINE: Duration = Duration::from_secs(30);

/// How long the peers of an earlier daemon may take to be found again, before the fleet serves without them.
const KNOWN_DEADLINE: Duration = Duration::from_secs(3);

/// The entry to everything: see [`Fleet::builder`].
pub struct Fleet;

impl Fleet {
    /// Describes a fleet to be started.
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }
}

/// What a fleet is to be like.
#[derive(Default)]
pub struct FleetBuilder {
    root: Option<PathBuf>,
    helper: Option<PathBuf>,
    config: Config,
    limits_host: LimitsHost,
    attachments: Option<Arc<dyn AttachmentStore>>,
    effects: effects::Said,
}

impl std::fmt::Debug for FleetBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetBuilder").field("root", &self.root).field("config", &self.config).finish_non_exhaustive()
    }
}

impl FleetBuilder {
    /// The state root; made 0700 where it is missing. Without it, the one that the command line uses.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// The helper's path. Without it: beside the current executable, else in PATH.
    #[must_use]
    pub fn helper(mut self, helper: impl Into<PathBuf>) -> Self {
        self.helper = Some(helper.into());
        self
    }

    /// Everything that a configuration file can say, in place of what was said so far.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Defines a runtime, or replaces a built-in one.
    #[must_use]
    pub fn runtime(mut self, name: Runtime, def: RuntimeDef) -> Self {
        self.config.runtimes.insert(name, def);
        self
    }

    /// What happens after a death where a peer does not say; `on-failure` by default.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.config.restart = policy;
        self
    }

    /// How often a peer may die, and how long it waits between its lives; see [`RestartLimit`] for the defaults.
    #[must_use]
    pub fn restart_limit(mut self, limit: RestartLimit) -> Self {
        self.config.limit = limit;
        self
    }

    /// How many peers may be coming back at once after a mass death; 8 by default.
    #[must_use]
    pub fn restart_parallel(mut self, peers: usize) -> Self {
        self.config.parallel = peers;
        self
    }

    /// Variables of this process that peers get besides PATH, HOME, LANG and the like.
    #[must_use]
    pub fn pass_env(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.config.pass_env.extend(names);
        self
    }

    /// Where limits of memory and tasks are applied, in place of this host's own cgroup file systems.
    #[must_use]
    pub fn limits_host(mut self, host: LimitsHost) -> Self {
        self.limits_host = host;
        self
    }

    /// Where attachments are kept, in place of what the configuration says.
    #[must_use]
    pub fn attachments(mut self, store: Arc<dyn AttachmentStore>) -> Self {
        self.attachments = Some(store);
        self
    }

    /// Who carries effects out, in place of this host.
    #[must_use]
    pub fn effect_host(mut self, host: Arc<dyn EffectHost>) -> Self {
        self.effects.host = Some(host);
        self
    }

    /// An operation that peers can call beside those of the table, by a name of its own: `shop.order`.
    #[must_use]
    pub fn effect(mut self, name: impl Into<String>, operation: Arc<dyn Added>) -> Self {
        self.effects.added.insert(name.into(), operation);
        self
    }

    /// Starts it, on the current tokio runtime (multi-thread, with I/O and time).
    ///
    /// # Errors
    /// tmux or the helper is missing or of the wrong version; the root can not be used, or another fleet runs there.
    pub async fn start(self) -> Result<FleetHandle, FleetError> {
        let root = match self.root {
            Some(root) => root,
            None => Place::find(PlaceFlags::default(), &|name| std::env::var(name).ok())?.root,
        };
        private_dir::root(&root)?;
        let paths = Paths::new(&root)?;
        let lock = take_root(&paths).await?;
        let (tmux, helper) = programs(self.helper).await?;
        lay_out(&paths)?;
        let store = attachments::store(self.attachments, &paths, &self.config).await?;

        let rules = watch::Sender::new(Arc::new(rules(&self.config)?));
        let registry = RegistryHandle::new();
        let policies = Policies::new(&paths);
        let bounds = Bounds { limits: self.limits_host, policies: policies.clone() };
        let policies: Arc<dyn PolicySource> = Arc::new(PeerPolicies { policies, registry: registry.clone() });
        let (ports, servers) = adapters(&paths, tmux, helper, bounds, &self.config.pass_env)?;
        servers.release_limits().await;
        let journal = JournalHandle::new(Arc::clone(&ports.clock));
        let directory = Directory::default();
        let providers = Providers::new(paths.clone(), &self.config.provision.env);
        providers.end_leftovers().await;
        let host = Arc::new(providers.clone());
        let provisioning = Provisioning::new(host, Some(journal.clone()), self.config.provision.rules);
        let actor = FleetActor {
            rules: rules.subscribe(),
            ports: ports.clone(),
            journal: journal.clone(),
            registry: registry.clone(),
            provisioning: provisioning.clone(),
            directory: directory.clone(),
        };
        let (fleet, _) = Actor::spawn(None, actor, ())
            .await
            .map_err(|error| FleetError::Internal(format!("the tree did not start: {error}")))?;
        let clock = Arc::clone(&ports.clock);
        let memory = memory::start(&paths, &self.config, Arc::clone(&clock), journal.clone(), fleet.get_cell()).await?;
        let wiring = attachments::Wiring {
            clock,
            journal: Some(journal.clone()),
            peers: attachments::peers_of(registry.clone()),
            supervisor: Some(fleet.get_cell()),
        };
        let attachments = attachments::start(store, &paths, &self.config.attachments, wiring).await?;
        let models = watch::Sender::new(Arc::new(self.config.providers));
        let wiring = effects::Wiring {
            clock: Arc::clone(&ports.clock),
            journal: journal.clone(),
            policies,
            models: models.subscribe(),
            attachments: attachments.clone(),
        };
        let effects = effects::start(self.effects, &paths, wiring, fleet.get_cell()).await?;
        let gate = Gate::default();
        let mail = mail::start(
            &paths,
            self.config.mail,
            mail::Wiring {
                ports: ports.clone(),
                servers: servers.clone(),
                journal: journal.clone(),
                registry: registry.clone(),
                directory: directory.clone(),
                rules: rules.subscribe(),
                attachments: attachments.clone(),
                gate: gate.clone(),
            },
            fleet.get_cell(),
        )
        .await?;
        let since = ports.clock.now().wall;
        journal.record(Draft::new("daemon-started").with("pid", std::process::id()).with("version", find::VERSION));
        let handle = FleetHandle::new(Inner {
            paths,
            rules,
            ports,
            servers,
            journal,
            registry,
            directory,
            fleet,
            memory,
            provisioning,
            providers,
            attachments,
            effects,
            models,
            mail,
            since,
            gate,
            lock,
        });
        match handle.fleet().call(FleetMsg::Booted, Some(BOOT_DEADLINE)).await {
            Ok(CallResult::Success(booted)) => {
                booted?;
                // Whoever asks first must not be told that what runs is asleep.
                handle.know(KNOWN_DEADLINE).await;
                Ok(handle)
            }
            _ => Err(FleetError::TimedOut { what: "reading the fleet".into(), after: BOOT_DEADLINE }),
        }
    }
}

/// What a configuration means for every peer.
pub(crate) fn rules(config: &Config) -> Result<FleetRules, FleetError> {
    let boot_id = boot_id().map_err(|source| FleetError::io("read", "/proc/sys/kernel/random/boot_id", source))?;
    let shell = std::env::var("SHELL").ok().filter(|shell| !shell.is_empty());
    Ok(FleetRules {
        runtimes: config.runtimes.clone(),
        restart: config.restart,
        limit: config.limit,
        limits: config.limits,
        held_by: sandbox::abi().map(|abi| sandbox::name_of(Some(abi))),
        parallel: config.parallel,
        boot_id: boot_id.into(),
        helper_version: find::VERSION.into(),
        shell: shell.unwrap_or_else(|| "/bin/sh".into()),
    })
}

/// One fleet a root: the lock is the truth, and it is let go by the kernel whatever becomes of us.
async fn take_root(paths: &Paths) -> Result<OwnedFd, FleetError> {
    let path = paths.daemon_lock();
    lock::lock(&path).await.map_err(|why| match why {
        lock::NotLocked::Held => FleetError::Held { root: paths.root().to_owned(), holder: lock::holder(&path) },
        lock::NotLocked::Io(source) => FleetError::io("lock", path, source),
    })
}

/// tmux and the helper, which are run to be asked for their versions: not on a thread that serves.
async fn programs(helper: Option<PathBuf>) -> Result<(PathBuf, PathBuf), FleetError> {
    blocking::answer(move || Ok((find::tmux()?, find::helper(helper.as_deref())?))).await
}

/// Makes the folders and the servers' configuration.
fn lay_out(paths: &Paths) -> Result<(), FleetError> {
    socket_folder::ensure(paths, &paths.daemon_socket())?;
    for folder in [paths.run(), &paths.journal(), &paths.journal().join("server-deaths"), &paths.peers()] {
        private_dir::ensure(folder)?;
    }
    let conf = paths.tmux_conf();
    private_file::write(&conf, tmux::CONF.as_bytes()).map_err(|source| FleetError::io("write", conf, source))
}

fn adapters(
    paths: &Paths,
    tmux: PathBuf,
    helper: PathBuf,
    bounds: Bounds,
    pass_env: &[String],
) -> Result<(Ports, TmuxServers), FleetError> {
    let reaper = Reaper::default();
    let files = PeerFiles::new(paths.clone());
    let programs = Programs { tmux: tmux::Tmux::new(tmux), helper: helper.clone() };
    let turns = Turns::default();
    let servers =
        TmuxServers::new(paths.clone(), programs, bounds, reaper.clone(), files.clone(), turns.clone(), pass_env)?;
    let ports = Ports {
        clock: Arc::new(HostClock),
        dice: Arc::new(HostDice::default()),
        store: Arc::new(files),
        servers: Arc::new(servers.clone()),
        witness: Arc::new(Canaries::new(paths.clone(), helper, reaper, turns)),
        registry: Arc::new(JsonRegistry::new(paths.registry())),
        journal: Arc::new(JournalFolder::new(paths.journal())),
    };
    Ok((ports, servers))
}
