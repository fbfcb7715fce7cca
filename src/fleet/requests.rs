//! What a fleet is asked to do with its peers: a name becomes identities here, and nothing below knows names.

use super::{
    admit,
    handle::{CONDUCT_DEADLINE, FleetHandle, answered, ask},
    wait,
};
use coalmine_actors::{
    error::FleetError,
    fleet::{
        message::{Born, FleetMsg},
        request::{CreatePeer, Created, Removed, Stopped},
        resolve,
    },
    names::Identity,
    peer::{
        beginning::Wanted,
        directory::Entry,
        message::{PeerMsg, Reply},
    },
    view::PeerView,
};
use std::time::Duration;

impl FleetHandle {
    /// Makes a peer, or adds a runtime to one. With `start` set, returns once it is up, needs attention, or failed.
    ///
    /// # Errors
    /// Bad input, of which nothing is left behind; a store that can not serve; a start that failed.
    pub async fn create(&self, peer: CreatePeer) -> Result<Created, FleetError> {
        self.create_within(peer, CONDUCT_DEADLINE).await
    }

    /// The same, with a wait of its own for the start.
    ///
    /// # Errors
    /// As `create`, or not up within `patience`: the peer is made and its start goes on.
    pub async fn create_within(&self, peer: CreatePeer, patience: Duration) -> Result<Created, FleetError> {
        let (start, name) = (peer.start, peer.name.clone());
        let (spec, identity) = admit::spec(peer, &self.inner().rules.borrow().clone(), &self.policies())?;
        self.inner().servers.limited_by(&spec.limits)?;
        let lives = || {
            let view = self.entry(&identity).ok()?.view.borrow().clone();
            view.phase.is_live().then_some(view.generation)
        };
        let lived = lives();
        let Born { changes, provision } = {
            // Not held meanwhile: the memory provider is called, and the fleet's end must not wait for it. What is made
            // is not begun.
            drop(self.open().await?);
            let deadline = CONDUCT_DEADLINE + self.provisioning().patience(spec.runtimes.len());
            let create = |reply| FleetMsg::Create(Box::new(spec), reply);
            let created = self.fleet().call(create, Some(deadline)).await;
            answered("create", &name, deadline, created)??
        };
        if changes.parts.contains(&"policy") {
            self.effects().policies_changed();
        }
        let peer = if start {
            self.bring_up(&identity, "start", PeerMsg::Start, patience).await?
        } else {
            self.entry(&identity)?.view.borrow().clone()
        };
        let changed: Vec<String> = changes.parts.iter().map(|part| (*part).to_owned()).collect();
        let from_next_life = !changed.is_empty() && lived == Some(peer.generation);
        Ok(Created { peer, new: changes.new, changed, from_next_life, provision })
    }

    /// Starts NAME (a personality's default runtime, or an identity) and waits until it is up or needs attention.
    /// A program that has ended by then with status 0 is no failure: the view says `stopped`.
    ///
    /// # Errors
    /// Unknown, quarantined, blocked, failed, or not up within `patience`.
    pub async fn start(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        self.bring_up(&self.identity(name)?, "start", PeerMsg::Start, patience).await
    }

    /// The same for what sleeps or comes back by itself: what was stopped stays down, for a stop wins over a wake. A
    /// peer that was put to sleep goes on with its last conversation.
    ///
    /// # Errors
    /// As `start`, or it was stopped.
    pub async fn wake(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        let wake = |reply| PeerMsg::Wake(Wanted::ByPerson, reply);
        self.bring_up(&self.identity(name)?, "wake", wake, patience).await
    }

    /// Ends NAME and starts its next life.
    ///
    /// # Errors
    /// As `start`.
    pub async fn restart(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        self.bring_up(&self.identity(name)?, "restart", PeerMsg::Restart, patience).await
    }

    /// The same, and the next life begins afresh: what was said is left behind. What waits for the peer stays.
    ///
    /// # Errors
    /// As `start`.
    pub async fn refresh(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        self.bring_up(&self.identity(name)?, "refresh", PeerMsg::Refresh, patience).await
    }

    async fn bring_up(
        &self,
        identity: &Identity,
        verb: &'static str,
        request: impl FnOnce(Reply) -> PeerMsg,
        patience: Duration,
    ) -> Result<PeerView, FleetError> {
        let (entry, accepted) = {
            let _open = self.open().await?;
            let entry = self.entry(identity)?;
            self.can_limit(&entry)?;
            let accepted = ask(&entry, request).await?;
            (entry, accepted)
        };
        let up = wait::until_up(&entry.view, verb, &accepted, patience).await;
        // Overruled by the end of the fleet, which is nobody's later wish.
        if matches!(up, Err(FleetError::Overruled { .. })) {
            drop(self.open().await?);
        }
        up
    }

    /// Refuses at once what every start of this peer would fail with, later each time.
    fn can_limit(&self, entry: &Entry) -> Result<(), FleetError> {
        let view = entry.view.borrow();
        if view.phase.is_live() { Ok(()) } else { self.inner().servers.limited_by(&view.limits).map(drop) }
    }

    /// Ends every identity that NAME means, and waits for it.
    ///
    /// # Errors
    /// Unknown name, blocked, or not ended within `patience`.
    pub async fn stop(&self, name: &str, patience: Duration) -> Result<Vec<Stopped>, FleetError> {
        let identities = resolve::all(&self.inner().registry.snapshot(), name)?;
        self.bring_down(&identities, "stop", patience).await
    }

    /// Ends all of these: asked one after the other, waited for together.
    pub(super) async fn bring_down(
        &self,
        identities: &[Identity],
        why: &'static str,
        patience: Duration,
    ) -> Result<Vec<Stopped>, FleetError> {
        let mut asked = Vec::with_capacity(identities.len());
        for identity in identities {
            let entry = self.entry(identity)?;
            let accepted = ask(&entry, |reply| PeerMsg::Stop(why, reply)).await?;
            asked.push((identity, entry, accepted));
        }
        let mut stopped = Vec::with_capacity(asked.len());
        for (identity, entry, accepted) in asked {
            let view = wait::until_down(&entry.view, why, &accepted, patience).await?;
            let report = view.last_end.filter(|_| accepted.was.is_live());
            stopped.push(Stopped { identity: identity.clone(), was: accepted.was, phase: view.phase, report });
        }
        Ok(stopped)
    }

    /// Forgives the deaths of NAME: a quarantined peer becomes stopped.
    ///
    /// # Errors
    /// Unknown name.
    pub async fn reset(&self, name: &str) -> Result<Vec<PeerView>, FleetError> {
        let mut views = Vec::new();
        for identity in resolve::all(&self.inner().registry.snapshot(), name)? {
            let entry = self.entry(&identity)?;
            ask(&entry, PeerMsg::Reset).await?;
            views.push(entry.view.borrow().clone());
        }
        Ok(views)
    }

    /// Removes a peer with all its runtimes and everything but its folder. A name that no peer has is a success
    /// that says so.
    ///
    /// # Errors
    /// It lives and `force` is not set; its end took too long; the name is one runtime of several.
    pub async fn remove(&self, name: &str, force: bool) -> Result<Removed, FleetError> {
        let document = self.inner().registry.snapshot();
        let Some(spec) = resolve::spec(&document, name) else {
            let name = name.chars().take(64).collect();
            return Ok(Removed { name, existed: false, kept_folder: None, unprovision: Vec::new() });
        };
        let personality = spec.personality.clone();
        if personality.as_str() != name && spec.runtimes.len() > 1 {
            return Err(FleetError::Usage {
                what: format!("{name} is one of several runtimes of {personality}, which are removed together"),
                hint: format!("`coalmine remove {personality}` removes all of them"),
            });
        }
        let identities: Vec<_> = spec.identities().collect();
        for identity in &identities {
            let Ok(entry) = self.entry(identity) else { continue };
            let phase = entry.view.borrow().phase;
            if phase.is_live() && !force {
                let hint = format!("`coalmine stop {personality}` first, or add --force");
                return Err(FleetError::WrongPhase { identity: identity.clone(), phase: phase.to_string(), hint });
            }
        }
        self.bring_down(&identities, "remove", CONDUCT_DEADLINE).await?;
        let deadline = CONDUCT_DEADLINE + self.provisioning().patience(identities.len());
        let removed = self.fleet().call(|reply| FleetMsg::Remove(personality.clone(), reply), Some(deadline)).await;
        let removed = answered("remove", name, deadline, removed)??;
        self.mail().removed(&identities).await;
        self.release_attachments(&identities).await;
        self.forget_effects(&personality).await;
        Ok(removed)
    }
}
