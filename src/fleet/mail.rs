//! The mailroom of a running fleet.

use super::{
    handle::{FleetHandle, ask, restarting},
    shutdown::Gate,
};
use crate::{
    io::{
        effects::agents::a2a::Post,
        mail::{SqliteMail, Transcripts},
        servers::TmuxServers,
        session_token,
    },
    paths::Paths,
};
use coalmine_actors::{
    attachments::{Attachments, Session},
    error::FleetError,
    fleet::resolve,
    journal::JournalHandle,
    mail::{
        Entries, Mail, MailError, MailParts, MailRules, MailView, MessageId, NewMessage, Recipients, Sender, Terminals,
        Typing,
    },
    names::Identity,
    peer::{
        beginning::Wanted,
        config::FleetRules,
        directory::Directory,
        input::{Accepted, Input},
        message::PeerMsg,
    },
    ports::{Answer, LifeKey, Ports},
    registry::RegistryHandle,
    view::{PeerView, PhaseName},
};
use ractor::ActorCell;
use std::sync::Arc;
use tokio::sync::watch;

/// What the mailroom needs of the rest of the fleet.
pub(super) struct Wiring {
    pub(super) ports: Ports,
    pub(super) servers: TmuxServers,
    pub(super) journal: JournalHandle,
    pub(super) registry: RegistryHandle,
    pub(super) directory: Directory,
    pub(super) rules: watch::Receiver<Arc<FleetRules>>,
    pub(super) attachments: Attachments,
    pub(super) gate: Gate,
}

/// Starts it below the fleet's root actor.
pub(super) async fn start(
    paths: &Paths,
    rules: MailRules,
    wiring: Wiring,
    fleet: ActorCell,
) -> Result<Mail, FleetError> {
    let Wiring { ports, servers, journal, registry, directory, rules: fleet_rules, attachments, gate } = wiring;
    let recipients =
        Peers { registry: registry.clone(), directory, rules: fleet_rules, servers: servers.clone(), gate };
    let parts = MailParts {
        store: Arc::new(SqliteMail::new(paths.mail())),
        terminals: Arc::new(servers),
        recipients: Arc::new(recipients),
        registry,
        attachments,
        clock: ports.clock,
        dice: ports.dice,
        journal: Some(journal),
        rules,
    };
    Mail::start(parts, Some(fleet)).await
}

/// Peers as the mailroom sees them. It wakes them as anybody else does, and never once the fleet ends with its peers.
struct Peers {
    registry: RegistryHandle,
    directory: Directory,
    rules: watch::Receiver<Arc<FleetRules>>,
    servers: TmuxServers,
    gate: Gate,
}

impl Recipients for Peers {
    fn view(&self, identity: &Identity) -> Option<watch::Receiver<PeerView>> {
        self.directory.get(identity).map(|entry| entry.view.subscribe())
    }

    fn exists(&self, identity: &Identity) -> bool {
        // Unknown is not gone: a registry that was not read proves nothing.
        !self.registry.is_read() || resolve::one(&self.registry.snapshot(), &identity.to_string()).is_ok()
    }

    fn typing(&self, identity: &Identity) -> Option<Arc<Typing>> {
        let rules = self.rules.borrow();
        let def = rules.runtimes.get(identity.runtime())?;
        let composer = def.composer.clone()?;
        Some(Arc::new(Typing { composer, dialogs: def.attention.clone() }))
    }

    fn entries(&self, identity: &Identity) -> Option<Arc<dyn Entries>> {
        let rules = self.rules.borrow();
        let def = rules.runtimes.get(identity.runtime())?;
        let transcript = def.transcript.clone()?;
        let document = self.registry.snapshot();
        let spec = resolve::spec(&document, &identity.to_string())?;
        // In the order in which its program is given them.
        let own = |name: &str| spec.env.get(name).or_else(|| def.env.get(name)).cloned();
        let folder = transcript.folder(|name| own(name).or_else(|| self.servers.passed(name)));
        let Some(folder) = folder else {
            tracing::warn!(%identity, folders = ?transcript.folders, "no variable says where its transcripts are");
            return None;
        };
        match Transcripts::new(folder, transcript) {
            Ok(transcripts) => Some(Arc::new(transcripts)),
            Err(error) => {
                tracing::warn!(%identity, %error, "its runtime's transcript.files is no pattern");
                None
            }
        }
    }

    fn wake(&self, identity: &Identity, wanted: Wanted) -> Answer<Accepted> {
        let (entry, servers, gate) = (self.directory.get(identity), self.servers.clone(), self.gate.clone());
        let entry = entry.ok_or_else(|| restarting(identity));
        Box::pin(async move {
            let entry = entry?;
            let _open = gate.open().await?;
            // Refused at once what every start of this peer would fail with.
            let (is_live, limits) = {
                let view = entry.view.borrow();
                (view.phase.is_live(), view.limits)
            };
            if !is_live {
                servers.limited_by(&limits)?;
            }
            ask(&entry, |reply| PeerMsg::Wake(wanted, reply)).await
        })
    }

    fn given(&self, life: &LifeKey, topic: Option<String>) {
        self.tell(&life.identity, |_| Input::Given(life.generation, topic));
    }

    fn delivered(&self, life: &LifeKey) {
        self.tell(&life.identity, |_| Input::Delivered(life.generation));
    }

    fn replied(&self, identity: &Identity) {
        self.tell(identity, |view| Input::Replied(view.generation));
    }
}

impl Peers {
    fn tell(&self, identity: &Identity, what: impl FnOnce(&PeerView) -> Input) {
        if let Some(entry) = self.directory.get(identity) {
            let what = what(&entry.view.borrow());
            // An actor that has ended is followed by one that begins to count anew.
            let _ended = entry.actor.cast(PeerMsg::Happened(what));
        }
    }
}

/// The mailroom for effects: a session sends as its own peer.
pub(super) struct Posting {
    pub(super) mail: Mail,
    pub(super) registry: RegistryHandle,
}

impl Post for Posting {
    fn recipient(&self, name: &str) -> Result<Identity, FleetError> {
        resolve::one(&self.registry.snapshot(), name)
    }

    fn send(&self, from: Identity, message: NewMessage) -> Answer<MailView> {
        let (mail, sender) = (self.mail.clone(), sender_of(&self.registry, from.to_string()));
        Box::pin(async move { mail.send(sender, from.to_string().parse()?, message).await })
    }
}

/// A peer as a sender.
fn sender_of(registry: &RegistryHandle, name: String) -> Sender {
    let document = registry.snapshot();
    let kind = resolve::spec(&document, &name).map(|spec| spec.intelligence).unwrap_or_default();
    Sender { name, kind }
}

impl FleetHandle {
    /// Messages between peers and people.
    pub fn mail(&self) -> &Mail {
        &self.inner().mail
    }

    /// Who sends, as far as a request proves it: the peer whose present life has this token, else the operator, for
    /// nobody else may use the socket. With the session whose attachments that sender has.
    ///
    /// # Errors
    /// [`MailError::NotAttested`]: a token was given, and it is of no life that lives.
    pub fn sender(&self, token: Option<&str>) -> Result<(Sender, Session), FleetError> {
        let Some(token) = token else { return Ok((Sender::operator(), Session::operator())) };
        let life = self.life_of(token).ok_or_else(|| MailError::NotAttested { claimed: claimed(token) })?;
        let name = life.identity.to_string();
        let session = name.parse()?;
        Ok((sender_of(&self.inner().registry, name), session))
    }

    /// The life whose token this is, where it lives.
    fn life_of(&self, token: &str) -> Option<LifeKey> {
        let lives = |life: &LifeKey| {
            let view = self.entry(&life.identity).ok().map(|entry| entry.view.borrow().clone());
            view.is_some_and(|view| view.generation == life.generation && view.phase.is_live())
        };
        session_token::life_of(self.paths(), token).filter(lives)
    }

    /// The recipient says that it has a message: by its session's token, or whoever may use the socket for it.
    ///
    /// # Errors
    /// [`MailError::NotInSession`] or [`MailError::NotYours`]: the token is of no life that lives, or of another peer's;
    /// there is no such message, or it was not delivered.
    pub async fn seen(&self, token: Option<&str>, id: MessageId) -> Result<MailView, FleetError> {
        if let Some(token) = token {
            let life = self.life_of(token).ok_or_else(|| MailError::NotInSession { claimed: claimed(token) })?;
            let message = self.mail().get(id).await?.message;
            if message.to != life.identity {
                return Err(MailError::NotYours { id, recipient: message.to.to_string() }.into());
            }
        }
        self.mail().seen(id).await
    }

    /// The task of the life that has this token, or of NAME's present one, is done: the life ends, and the next message
    /// gets another one. Answered as soon as that is accepted, so that whoever says it from inside still hears.
    ///
    /// # Errors
    /// Unknown; a token of no life of that peer which lives; it is not up, or takes whatever comes.
    pub async fn done(&self, token: Option<&str>, name: &str) -> Result<PeerView, FleetError> {
        let identity = self.identity(name)?;
        let of_this = |life: &LifeKey| life.identity == identity;
        let by = match token {
            Some(token) => {
                let life = self.life_of(token).filter(of_this);
                Some(life.ok_or_else(|| MailError::NotInSession { claimed: claimed(token) })?.generation)
            }
            None => None,
        };
        let entry = self.entry(&identity)?;
        ask(&entry, |reply| PeerMsg::Done(by, reply)).await?;
        Ok(entry.view.borrow().clone())
    }

    /// Interrupts what a peer's program is doing, with the keys of its runtime.
    ///
    /// # Errors
    /// Unknown, not up, its runtime names no keys, or its server does not answer.
    pub async fn interrupt(&self, name: &str) -> Result<PeerView, FleetError> {
        let identity = self.identity(name)?;
        let view = self.entry(&identity)?.view.borrow().clone();
        if view.phase != PhaseName::Up {
            let hint = format!("there is nothing to interrupt; `coalmine show {identity}` says how it is");
            return Err(FleetError::WrongPhase { identity, phase: view.phase.to_string(), hint });
        }
        let runtime = identity.runtime();
        let rules = Arc::clone(&self.inner().rules.borrow());
        let composer = rules.runtimes.get(runtime).and_then(|def| def.composer.as_ref());
        let keys = composer.map(|composer| composer.interrupt.clone()).unwrap_or_default();
        if keys.is_empty() {
            return Err(FleetError::Unsupported {
                what: format!("the runtime {runtime} names no keys that interrupt it"),
                hint: format!("`coalmine attach {identity}`, or name them as [runtime.{runtime}.composer] interrupt"),
            });
        }
        let life = LifeKey { identity, generation: view.generation };
        self.inner().servers.press(&life, keys, None).await?;
        Ok(view)
    }
}

/// Whose a token says that it is, made short: nothing of its secret.
fn claimed(token: &str) -> String {
    token.split('.').next().unwrap_or_default().chars().take(64).collect()
}
