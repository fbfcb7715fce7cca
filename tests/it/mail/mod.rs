//! The mailroom on real tmux, with a program that logs what it reads.
mod agent;
mod campaign;
mod crash;
mod deliver;
mod disk;
mod ephemeral;
mod faces;
mod numbers;
mod real;
mod resume;
mod rows;
mod session;
mod transcript;
mod wake;

pub use crash::{peer, root};

use crate::support::{Daemon, Rig, eventually};
use coalmine::{FleetBuilder, actors::fleet::request::CreatePeer, paths::Paths};
use coalmine_actors::{
    attachments::Session,
    error::FleetError,
    mail::{
        MailRules, MailView, MessageId, NewMessage, Sender, State,
        envelope::{Block, blocks},
    },
    registry::document::Intelligence,
    runtime::RuntimeDef,
    view::PeerView,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest that a message may take to land on a loaded machine.
const LANDS_IN: Duration = Duration::from_secs(30);

/// A fleet whose peers run the scripted program.
pub struct Post {
    pub rig: Rig,
}

impl Post {
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// One that tells after a second that a message waits.
    pub async fn impatient() -> Self {
        let rules = MailRules { queue_max: Duration::from_secs(1), ..MailRules::default() };
        let config = coalmine::config::Config { mail: rules, ..Default::default() };
        Self::with(|builder| builder.config(config)).await
    }

    pub async fn with(shape: impl FnOnce(FleetBuilder) -> FleetBuilder) -> Self {
        Self::of(agent::runtime(), shape).await
    }

    /// One whose definition of the program is this.
    pub async fn of(runtime: RuntimeDef, shape: impl FnOnce(FleetBuilder) -> FleetBuilder) -> Self {
        Self { rig: Rig::with(|builder| shape(builder).runtime("agent".parse().unwrap(), runtime)).await }
    }

    /// Where this peer's program looks.
    pub fn home(&self, name: &str) -> PathBuf {
        home(self.rig.root(), name)
    }

    /// Has the program behave so from now on.
    pub fn set(&self, name: &str, file: &str, text: &str) {
        std::fs::write(self.home(name).join(file), text).unwrap();
    }

    /// Lets a peer that is up work, and waits until its screen says so: before that it is idle, and gets what is sent.
    pub async fn works(&self, name: &str) {
        self.set(name, "busy", "");
        self.shows(name, agent::WORKING).await;
    }

    /// The same with its dialog.
    pub async fn asks(&self, name: &str) {
        self.set(name, "dialog", "");
        self.shows(name, agent::DIALOG).await;
    }

    async fn shows(&self, name: &str, words: &str) {
        eventually(&format!("{name} shows {words}"), || async {
            let screen = self.rig.fleet.capture(name).await.ok()?;
            screen.contains(words).then_some(())
        })
        .await;
    }

    pub fn unset(&self, name: &str, file: &str) {
        std::fs::remove_file(self.home(name).join(file)).unwrap();
    }

    /// A peer that sleeps.
    pub async fn asleep(&self, name: &str) -> PeerView {
        self.peer(name, false).await
    }

    /// A peer that is up.
    pub async fn up(&self, name: &str) -> PeerView {
        self.peer(name, true).await
    }

    async fn peer(&self, name: &str, start: bool) -> PeerView {
        self.make(name, CreatePeer { start, ..CreatePeer::default() }).await
    }

    /// A peer that runs the program, and is otherwise as it is wished.
    pub async fn make(&self, name: &str, wish: CreatePeer) -> PeerView {
        let request = CreatePeer {
            name: name.into(),
            runtime: Some("agent".into()),
            cwd: self.rig.root().into(),
            env: [(agent::HOME.to_owned(), self.home(name).to_str().unwrap().to_owned())].into(),
            ..wish
        };
        self.rig.fleet.create(request).await.unwrap().peer
    }

    /// What proves that a peer's present life asks.
    pub fn token(&self, name: &str) -> String {
        let view = self.rig.view(name);
        token(self.rig.fleet.paths(), &view.identity.to_string(), view.generation.0)
    }

    pub async fn send_new(&self, new: NewMessage) -> Result<MailView, FleetError> {
        self.rig.fleet.mail().send(Sender::operator(), Session::operator(), new).await
    }

    /// From another agent.
    pub async fn send_about(&self, to: &str, topic: Option<&str>) -> MailView {
        let sender = Sender { name: "agent-ann".into(), kind: Intelligence::Artificial };
        let new = NewMessage { topic: topic.map(Into::into), ..new(to, topic.unwrap_or("no topic")) };
        self.rig.fleet.mail().send(sender, Session::operator(), new).await.unwrap()
    }

    pub async fn send(&self, to: &str, body: &str) -> MailView {
        self.send_new(new(to, body)).await.unwrap()
    }

    /// The message once it has landed, or will not.
    pub async fn over(&self, sent: &MailView) -> MailView {
        self.rig.fleet.mail().follow(sent.message.id, false, LANDS_IN).await.unwrap()
    }

    /// The message once it has landed.
    pub async fn landed(&self, sent: &MailView) -> MailView {
        let view = self.over(sent).await;
        assert_eq!(view.progress.state, State::Submitted, "{view:#?}\n{}", self.screen(&view));
        view
    }

    /// Waits until the message waits for this.
    pub async fn until_it_waits(&self, sent: &MailView, why: &str) -> MailView {
        eventually(&format!("it waits because {why}"), || async {
            let view = self.rig.fleet.mail().get(sent.message.id).await.unwrap();
            assert!(view.progress.state.is_open(), "{view:#?}");
            view.waits_because.as_ref().is_some_and(|because| because.contains(why)).then_some(view)
        })
        .await
    }

    /// What the peer has read, as blocks with the life that read them.
    pub fn read(&self, name: &str) -> Vec<(u64, Block)> {
        read(&self.home(name))
    }

    /// What happened to the program besides.
    pub fn events(&self, name: &str) -> Vec<String> {
        let events = std::fs::read_to_string(self.home(name).join("events")).unwrap_or_default();
        events.lines().map(ToOwned::to_owned).collect()
    }

    fn screen(&self, view: &MailView) -> String {
        let peer = self.rig.fleet.show(&view.message.to.to_string()).unwrap().remove(0);
        let screen = self.rig.outsider(&peer, &["capture-pane", "-p", "-e", "-t", "%0"]);
        format!("{peer:#?}\n{}", String::from_utf8_lossy(&screen.stdout))
    }
}

/// As [`Post::works`], for a peer of the real daemon.
pub async fn works(daemon: &Daemon, name: &str) {
    std::fs::write(home(daemon.folder(), name).join("busy"), "").unwrap();
    eventually(&format!("{name} works"), || async {
        daemon.coalmine(&["capture", name]).out.contains(agent::WORKING).then_some(())
    })
    .await;
}

/// The token of a peer's life.
pub fn token(paths: &Paths, identity: &str, generation: u64) -> String {
    let file = paths.peer(&identity.parse().unwrap()).join(format!("token-g{generation}"));
    format!("{identity}.{generation}.{}", std::fs::read_to_string(file).unwrap())
}

pub fn new(to: &str, body: &str) -> NewMessage {
    NewMessage { to: to.into(), body: body.into(), ..NewMessage::default() }
}

/// The home of a peer's program, made.
pub fn home(root: &Path, name: &str) -> PathBuf {
    let home = root.join("homes").join(name);
    std::fs::create_dir_all(&home).unwrap();
    home
}

/// What a program has read, in order; each must be exactly one whole block.
pub fn read(home: &Path) -> Vec<(u64, Block)> {
    let read = agent::read(home).into_iter().map(|line| {
        let text = line["text"].as_str().unwrap();
        let mut found = blocks(text);
        assert_eq!(found.len(), 1, "one whole block: {text:?}");
        (line["gen"].as_str().unwrap().parse().unwrap(), found.remove(0))
    });
    read.collect()
}

/// The bodies, in order.
pub fn bodies(read: &[(u64, Block)]) -> Vec<&str> {
    read.iter().map(|(_, block)| block.body.as_str()).collect()
}

/// No message was read twice in one life, and none a second time without its mark.
pub fn at_most_once_a_life(read: &[(u64, Block)]) {
    let mut seen: Vec<(u64, MessageId)> = Vec::new();
    for (life, block) in read {
        assert!(!seen.contains(&(*life, block.id)), "{} was read twice in life {life}", block.id);
        let before = seen.iter().any(|(_, id)| *id == block.id);
        assert!(!before || block.redelivered, "{} came again without its mark", block.id);
        seen.push((*life, block.id));
    }
}
