//! Starts a fleet: checks the host, takes the lock, wires the adapters to the actors. A start that fails half way ends
//! in order what it began, so that nothing of it works, or logs, behind its error.

use super::{
    attachments,
    builder::FleetBuilder,
    effects,
    handle::{FleetHandle, Inner, end_tree},
    mail, memory,
    shutdown::Gate,
};
use crate::{
    config::{
        Config, models,
        place::{Place, PlaceFlags},
    },
    io::{
        blocking,
        boot::boot_id,
        canary::Canaries,
        clock::HostClock,
        dice::HostDice,
        effects::{Keys, PeerPolicies, Policies},
        find,
        journal::JournalFolder,
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
    effects::port::PolicySource,
    error::FleetError,
    fleet::{actor::FleetActor, message::FleetMsg},
    journal::{Draft, JournalHandle},
    peer::{config::FleetRules, directory::Directory},
    ports::Ports,
    provisioner::Provisioning,
    registry::RegistryHandle,
    turns::Turns,
};
use jiff::Timestamp;
use ractor::{Actor, ActorRef, rpc::CallResult};
use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long the registry and the peers' files may take to be read.
const BOOT_DEADLINE: Duration = Duration::from_secs(30);

/// How long the peers of an earlier daemon may take to be found again, before the fleet serves without them.
const KNOWN_DEADLINE: Duration = Duration::from_secs(3);

/// Starts what was described.
pub(super) async fn start(wanted: FleetBuilder) -> Result<FleetHandle, FleetError> {
    let FleetBuilder { root, helper, config, limits_host, attachments, effects } = wanted;
    let root = match root {
        Some(root) => root,
        None => Place::find(PlaceFlags::default(), &|name| std::env::var(name).ok())?.root,
    };
    private_dir::root(&root)?;
    let paths = Paths::new(&root)?;
    let lock = take_root(&paths).await?;
    let (tmux, helper) = programs(helper).await?;
    lay_out(&paths)?;
    let store = attachments::store(attachments, &paths, &config).await?;
    let models = watch::Sender::new(Arc::new(config.providers.clone()));
    let policies = Policies::new(&paths).keeping(Keys::following(models.subscribe()));
    let bounds = Bounds { limits: limits_host, policies: policies.clone() };
    let (ports, servers) = adapters(&paths, tmux, helper, bounds, &config.pass_env)?;
    servers.release_limits().await;

    let tree = Tree::start(paths, ports, servers, &config).await?;
    let fleet = tree.fleet.get_cell();
    let handle = match tree.furnish(config, store, models, policies, effects, lock).await {
        Ok(handle) => handle,
        Err(error) => {
            end_tree(&fleet).await;
            return Err(error);
        }
    };
    match booted(&handle).await {
        Ok(()) => Ok(handle),
        Err(error) => {
            handle.shutdown().await;
            Err(error)
        }
    }
}

/// The supervision tree, which looks for what lives of an earlier daemon, before the subsystems around it.
struct Tree {
    paths: Paths,
    rules: watch::Sender<Arc<FleetRules>>,
    ports: Ports,
    servers: TmuxServers,
    journal: JournalHandle,
    registry: RegistryHandle,
    directory: Directory,
    providers: Providers,
    provisioning: Provisioning,
    fleet: ActorRef<FleetMsg>,
    since: Timestamp,
}

impl Tree {
    async fn start(paths: Paths, ports: Ports, servers: TmuxServers, config: &Config) -> Result<Self, FleetError> {
        let rules = watch::Sender::new(Arc::new(rules(config)?));
        let registry = RegistryHandle::new();
        let journal = JournalHandle::new(Arc::clone(&ports.clock));
        let directory = Directory::default();
        let providers = Providers::new(paths.clone(), &config.provision.env);
        providers.end_leftovers().await;
        let host = Arc::new(providers.clone());
        let provisioning = Provisioning::new(host, Some(journal.clone()), config.provision.rules);
        let actor = FleetActor {
            rules: rules.subscribe(),
            ports: ports.clone(),
            journal: journal.clone(),
            registry: registry.clone(),
            provisioning: provisioning.clone(),
            directory: directory.clone(),
        };
        let since = ports.clock.now().wall;
        let started = Draft::new("daemon-started").with("pid", std::process::id()).with("version", find::VERSION);
        let (fleet, _) = Actor::spawn(None, actor, started)
            .await
            .map_err(|error| FleetError::Internal(format!("the tree did not start: {error}")))?;
        Ok(Self { paths, rules, ports, servers, journal, registry, directory, providers, provisioning, fleet, since })
    }

    /// Memory, attachments, mail and effects, all below the tree's root.
    async fn furnish(
        self,
        config: Config,
        store: Arc<dyn AttachmentStore>,
        models: watch::Sender<Arc<models::Providers>>,
        policies: Policies,
        effects: effects::Said,
        lock: OwnedFd,
    ) -> Result<FleetHandle, FleetError> {
        let Self { paths, rules, ports, servers, journal, registry, directory, .. } = self;
        let root = || self.fleet.get_cell();
        let clock = Arc::clone(&ports.clock);
        let memory = memory::start(&paths, &config, Arc::clone(&clock), journal.clone(), root()).await?;
        let wiring = attachments::Wiring {
            clock: Arc::clone(&clock),
            journal: Some(journal.clone()),
            peers: attachments::peers_of(registry.clone()),
            supervisor: Some(root()),
        };
        let attachments = attachments::start(store, &paths, &config.attachments, wiring).await?;
        let gate = Gate::default();
        let wiring = mail::Wiring {
            ports: ports.clone(),
            servers: servers.clone(),
            journal: journal.clone(),
            registry: registry.clone(),
            directory: directory.clone(),
            rules: rules.subscribe(),
            attachments: attachments.clone(),
            gate: gate.clone(),
        };
        let mail = mail::start(&paths, config.mail, wiring, root()).await?;
        let wiring = effects::Wiring {
            clock,
            journal: journal.clone(),
            policies: Arc::new(PeerPolicies { policies, registry: registry.clone() }) as Arc<dyn PolicySource>,
            post: Arc::new(mail::Posting { mail: mail.clone(), registry: registry.clone() }),
            models: models.subscribe(),
            attachments: attachments.clone(),
        };
        let effects = effects::start(effects, &paths, wiring, root()).await?;
        Ok(FleetHandle::new(Inner {
            paths,
            rules,
            ports,
            servers,
            journal,
            registry,
            directory,
            fleet: self.fleet,
            memory,
            provisioning: self.provisioning,
            providers: self.providers,
            attachments,
            effects,
            models,
            mail,
            since: self.since,
            gate,
            lock,
        }))
    }
}

async fn booted(handle: &FleetHandle) -> Result<(), FleetError> {
    match handle.fleet().call(FleetMsg::Booted, Some(BOOT_DEADLINE)).await {
        Ok(CallResult::Success(booted)) => {
            booted?;
            // Whoever asks first must not be told that what runs is asleep.
            handle.know(KNOWN_DEADLINE).await;
            Ok(())
        }
        _ => Err(FleetError::TimedOut { what: "reading the fleet".into(), after: BOOT_DEADLINE }),
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
        one_task: config.one_task,
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
