//! The memory provider of a running fleet.

use super::handle::FleetHandle;
use coalmine_actors::{
    error::FleetError,
    fleet::resolve,
    provisioner::{
        Provisioning,
        errand::Subject,
        occasion::Direction,
        view::{SlotView, SweepView},
    },
    registry::document::PeerSpec,
};
use std::time::Duration;

/// How long what runs may take to be ended when the fleet ends: TERM, 2 s, KILL.
const CLOSE_DEADLINE: Duration = Duration::from_secs(4);

impl FleetHandle {
    /// The way to the memory provider.
    pub fn provisioning(&self) -> &Provisioning {
        &self.inner().provisioning
    }

    /// The memory slot as it is now; what is in the way of reading it is among its problems.
    pub async fn memory_slot(&self, patience: Duration) -> SlotView {
        let slow = || SlotView { provider: None, problems: vec![format!("declaration: not read within {patience:?}")] };
        tokio::time::timeout(patience, self.provisioning().slot()).await.unwrap_or_else(|_elapsed| slow())
    }

    /// Begins to bring the memory into the folder of `peer`, or of every peer, or to take it out again.
    ///
    /// # Errors
    /// No such peer, an empty slot, a provider that can not, or the same sweep runs already.
    pub async fn sweep_memory(&self, direction: Direction, peer: Option<&str>) -> Result<SweepView, FleetError> {
        let document = self.inner().registry.snapshot();
        let rules = self.inner().rules.borrow().clone();
        let subject = |spec: &PeerSpec| rules.subject(spec, &spec.runtimes);
        let (name, subjects): (_, Vec<Subject>) = match peer {
            None => (None, document.peers.iter().filter(|spec| spec.phase.is_none()).map(subject).collect()),
            Some(name) => {
                let spec = resolve::spec(&document, name).ok_or_else(|| unknown(&document, name))?;
                (Some(spec.personality.clone()), vec![subject(spec)])
            }
        };
        let id = self.provisioning().sweep(direction, name, subjects).await?;
        self.provisioning().follow(id, 0, Duration::ZERO).await
    }

    /// Ends the commands that run. Before the tree ends, and perhaps the process with it: they would run on.
    pub(super) async fn close_providers(&self) {
        if let Err(error) = self.provisioning().close(CLOSE_DEADLINE).await {
            tracing::warn!(error = error.chain(), "a provider's command may run on");
        }
    }
}

/// Whoever names a peer that is not there has mistyped an argument (spec 03 §2).
fn unknown(document: &coalmine_actors::registry::document::Document, name: &str) -> FleetError {
    match resolve::one(document, name) {
        Err(error) => FleetError::Usage { what: error.to_string(), hint: error.hint() },
        Ok(identity) => FleetError::Internal(format!("{identity} has no record")),
    }
}
