//! A supervisor that lets its children die.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(()) // the default would end the parent with its first child
    }
}

/// Starts a supervisor that does nothing about the ends of its children; they end with it.
pub async fn parent() -> ActorCell {
    let (parent, _join) = Actor::spawn(None, Parent, ()).await.expect("it has no name and starts with nothing");
    parent.get_cell()
}
