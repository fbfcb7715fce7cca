//! Carries out what the pacer of mass deaths decides: peers ask it, and are told when they may go.

use super::{
    incident::{Action, Input},
    input,
    supervisor::{Peers, PeersMemory, PeersMsg},
};
use ractor::ActorRef;
use std::time::Duration;

impl Peers {
    /// One decision of the pacer and everything that follows from it.
    pub(super) fn pace(&self, myself: &ActorRef<PeersMsg>, memory: &mut PeersMemory, input: Input) {
        let now = self.ports.clock.now();
        let parallel = self.rules.borrow().parallel;
        for action in memory.pacer.step(input, now, parallel) {
            match action {
                Action::Go(who, generation, incident) => self.tell(&who, input::Input::Go(generation, incident)),
                Action::Hold(who, generation, incident) => self.tell(&who, input::Input::Held(generation, incident)),
                Action::Tell(draft) => self.journal.record(draft),
                Action::WakeAt(at_boot_ms) => {
                    let wait = Duration::from_millis(at_boot_ms.saturating_sub(now.boot_ms));
                    myself.send_after(wait, move || PeersMsg::Pace(Input::Due(at_boot_ms)));
                }
            }
        }
    }
}
