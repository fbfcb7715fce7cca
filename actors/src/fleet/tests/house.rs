//! A fleet in a world of fakes: the one place in which these tests touch the actors' API.

use crate::{
    error::FleetError,
    fleet::{
        actor::FleetActor,
        message::{Born, FleetMsg},
        request::Removed,
    },
    journal::{Draft, JournalHandle},
    names::{Identity, Runtime},
    peer::{
        beginning::Wanted,
        config::FleetRules,
        directory::{Directory, Entry},
        input::{Accepted, Input},
        message::{PeerMsg, Reply},
        restart_policy::{RestartLimit, RestartPolicy},
    },
    provisioner::{ProvisionRules, Provisioning},
    registry::{
        RegistryHandle,
        document::{Document, Intelligence, PeerSpec, RegistryPhase},
    },
    runtime::{Readiness, RuntimeDef, RuntimeKind, StopRecipe},
    testing::FakeWorld,
    view::{PeerView, PhaseName},
};
use jiff::SignedDuration;
use ractor::{Actor, ActorRef, RpcReplyPort};
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// Longer than every deadline and every wait in the fleet; on the paused clock it costs nothing.
const LONG: Duration = Duration::from_secs(600);
/// The boot in which these tests play.
pub(super) const BOOT: &str = "this-boot";

pub(super) struct House {
    pub(super) world: FakeWorld,
    pub(super) fleet: ActorRef<FleetMsg>,
    pub(super) registry: RegistryHandle,
    pub(super) directory: Directory,
    pub(super) ended: JoinHandle<()>,
}

pub(super) fn id(text: &str) -> Identity {
    text.parse().unwrap()
}

pub(super) fn spec(name: &str, phase: Option<RegistryPhase>) -> PeerSpec {
    let runtime: Runtime = "shell".parse().unwrap();
    PeerSpec {
        personality: name.parse().unwrap(),
        runtimes: vec![runtime.clone()],
        default_runtime: runtime,
        cwd: "/work".into(),
        description: String::new(),
        intelligence: Intelligence::Absent,
        command: None,
        commands: BTreeMap::new(),
        env: BTreeMap::new(),
        restart: None,
        restart_knobs: None,
        idle_after: None,
        wake_policy: None,
        limits: crate::peer::limits::Limits::default(),
        policy: None,
        sandbox: None,
        phase,
        extra: serde_json::Map::new(),
    }
}

pub(super) fn document(peers: Vec<PeerSpec>) -> Document {
    Document { peers, ..Document::default() }
}

fn rules() -> FleetRules {
    let shell = RuntimeDef {
        kind: RuntimeKind::Program,
        argv: vec!["sh".into()],
        env: BTreeMap::new(),
        readiness: Readiness::None,
        attention: Vec::new(),
        resume_args: Vec::new(),
        hook_args: Vec::new(),
        boot_deadline: SignedDuration::from_secs(60),
        idle_after: None,
        wake_policy: None,
        stop: StopRecipe::default(),
        composer: None,
        transcript: None,
        memory: Default::default(),
    };
    let agent = RuntimeDef {
        kind: RuntimeKind::Agent,
        argv: vec!["agent".into()],
        resume_args: vec!["--continue".into()],
        ..shell.clone()
    };
    FleetRules {
        runtimes: BTreeMap::from([("shell".parse().unwrap(), shell), ("agent".parse().unwrap(), agent)]),
        restart: RestartPolicy::OnFailure,
        limit: RestartLimit::default(),
        one_task: Default::default(),
        limits: crate::peer::limits::Limits::default(),
        held_by: None,
        parallel: 8,
        boot_id: BOOT.into(),
        helper_version: "0".into(),
        shell: "sh".into(),
    }
}

/// Fails the test instead of hanging; the deadline is virtual.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, what).await.expect("it happens some time")
}

/// Lets every task that can run do so.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

impl House {
    /// A fleet that was just started.
    pub(super) async fn start(world: FakeWorld) -> Self {
        let ports = world.ports();
        let (directory, registry) = (Directory::default(), RegistryHandle::new());
        let journal = JournalHandle::new(Arc::clone(&ports.clock));
        let host = Arc::new(world.provider.clone());
        let fleet = FleetActor {
            provisioning: Provisioning::new(host, Some(journal.clone()), ProvisionRules::default()),
            rules: tokio::sync::watch::Sender::new(Arc::new(rules())).subscribe(),
            journal,
            registry: registry.clone(),
            directory: directory.clone(),
            ports,
        };
        let (fleet, ended) = Actor::spawn(None, fleet, Draft::new("daemon-started")).await.unwrap();
        Self { world, fleet, registry, directory, ended }
    }

    /// A fleet with these peers, none of them started.
    pub(super) async fn with(names: &[&str]) -> Self {
        let peers = names.iter().map(|name| spec(name, None)).collect();
        let house = Self::start(FakeWorld::with(document(peers))).await;
        house.booted().await.unwrap();
        house
    }

    /// A fleet whose peer `shell-bob` is up in its first life.
    pub(super) async fn with_bob_up() -> Self {
        let house = Self::with(&["bob"]).await;
        house.ask("shell-bob", PeerMsg::Start).await.unwrap();
        house.until("shell-bob", PhaseName::Up).await;
        house
    }

    async fn call<T: Send + 'static>(
        &self,
        message: impl FnOnce(RpcReplyPort<Result<T, FleetError>>) -> FleetMsg,
    ) -> Result<T, FleetError> {
        let answer = soon(self.fleet.call(message, None)).await.expect("the fleet lives");
        answer.expect("it answers")
    }

    pub(super) async fn booted(&self) -> Result<(), FleetError> {
        self.call(FleetMsg::Booted).await
    }

    pub(super) async fn create(&self, name: &str) -> Result<bool, FleetError> {
        self.create_as(spec(name, None)).await
    }

    /// Makes a peer; says whether it is new.
    pub(super) async fn create_as(&self, spec: PeerSpec) -> Result<bool, FleetError> {
        self.make(spec).await.map(|born| born.changes.new)
    }

    pub(super) async fn make(&self, spec: PeerSpec) -> Result<Born, FleetError> {
        self.call(|reply| FleetMsg::Create(Box::new(spec), reply)).await
    }

    pub(super) async fn remove(&self, name: &str) -> Result<Removed, FleetError> {
        self.call(|reply| FleetMsg::Remove(name.parse().unwrap(), reply)).await
    }

    pub(super) fn entry(&self, identity: &str) -> Entry {
        self.directory.get(&id(identity)).expect("it is in the fleet")
    }

    /// Asks a peer. A peer that dies with the request gives no answer.
    pub(super) async fn ask(
        &self,
        identity: &str,
        request: impl FnOnce(Reply) -> PeerMsg,
    ) -> Result<Accepted, FleetError> {
        let answer = soon(self.entry(identity).actor.call(request, None)).await;
        answer.expect("its actor lives").expect("it answers")
    }

    pub(super) fn tell(&self, identity: &str, input: Input) {
        self.entry(identity).actor.cast(PeerMsg::Happened(input)).unwrap();
    }

    pub(super) fn view(&self, identity: &str) -> PeerView {
        self.entry(identity).view.borrow().clone()
    }

    pub(super) async fn until(&self, identity: &str, phase: PhaseName) -> PeerView {
        self.until_view(identity, |view| view.phase == phase).await
    }

    pub(super) async fn until_view(&self, identity: &str, wanted: impl Fn(&PeerView) -> bool) -> PeerView {
        let mut view = self.entry(identity).view.subscribe();
        let found =
            tokio::time::timeout(LONG, view.wait_for(|view| wanted(view))).await.map(|found| found.unwrap().clone());
        found.unwrap_or_else(|_| panic!("{:#?}\n{:#?}", self.view(identity), self.world.script.calls()))
    }

    /// Waits for something that no view shows.
    pub(super) async fn until_true(&self, what: impl Fn(&Self) -> bool) {
        soon(async {
            while !what(self) {
                settle().await;
            }
        })
        .await;
    }
}

/// The request `stop`.
pub(super) fn stop(reply: Reply) -> PeerMsg {
    PeerMsg::Stop("stop", reply)
}

/// The request `wake`, of a person.
pub(super) fn wake(reply: Reply) -> PeerMsg {
    PeerMsg::Wake(Wanted::ByPerson, reply)
}
