//! The broker's actor: it opens sessions, follows changed policies, and keeps the audit log durable. It waits for no
//! disk, and no effect passes through it.

use super::{handle::Shared, message::BrokerMsg};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::sleep};

/// How long a line of the audit log may be lost with the machine.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// How much of the log a start may have to read, in time.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(60);

/// Opens and closes sessions.
pub(super) struct Broker {
    pub(super) shared: Arc<Shared>,
}

/// Its tasks, ended with it.
pub(super) struct BrokerState(JoinSet<()>);

impl Actor for Broker {
    type Msg = BrokerMsg;
    type State = BrokerState;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<BrokerMsg>, (): ()) -> Result<BrokerState, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_durable(Arc::clone(&self.shared)));
        tasks.spawn(keep_short(Arc::clone(&self.shared)));
        let mut changes = self.shared.source.changes();
        tasks.spawn(async move {
            while changes.recv().await.is_some() {
                let _the_actor_has_ended = myself.cast(BrokerMsg::Changed);
            }
        });
        Ok(BrokerState(tasks))
    }

    async fn handle(
        &self,
        _: ActorRef<BrokerMsg>,
        message: BrokerMsg,
        state: &mut BrokerState,
    ) -> Result<(), ActorProcessingErr> {
        let shared = Arc::clone(&self.shared);
        let tasks = &mut state.0;
        while tasks.try_join_next().is_some() {}
        match message {
            BrokerMsg::Open(identity, reply) => tasks.spawn(async move {
                let opened = shared.open(identity).await;
                let _gave_up_waiting = reply.send(opened);
            }),
            BrokerMsg::Forget(peer, reply) => tasks.spawn(async move {
                shared.forget(peer).await;
                let _gave_up_waiting = reply.send(());
            }),
            BrokerMsg::Changed => tasks.spawn(async move { shared.follow_policies().await }),
        };
        Ok(())
    }
}

/// Makes durable what was written within the last second. A log that nobody writes costs no tick.
async fn keep_durable(shared: Arc<Shared>) {
    loop {
        shared.audit.dirty.notified().await;
        sleep(SYNC_AFTER).await;
        let audit = Arc::clone(&shared.audit);
        let synced = tokio::task::spawn_blocking(move || audit.sync(audit.last_seq())).await;
        if let Ok(Err(_the_audit_has_told_it)) = synced {
            shared.audit.dirty.notify_one();
        }
    }
}

/// Writes a checkpoint a minute after something was written.
async fn keep_short(shared: Arc<Shared>) {
    loop {
        shared.audit.grown.notified().await;
        sleep(CHECKPOINT_AFTER).await;
        let audit = Arc::clone(&shared.audit);
        let _the_audit_tells_it = tokio::task::spawn_blocking(move || audit.checkpoint()).await;
    }
}
