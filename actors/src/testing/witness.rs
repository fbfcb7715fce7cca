//! Canaries and records in memory.

use super::{Op, Script, lives::Lives};
use crate::ports::{Answer, DeathNotice, LifeKey, Process, ProcessId, Settlement, Witness, WitnessedBy};

/// The fake of [`Witness`]. Clones share it.
#[derive(Clone)]
pub struct FakeWitness {
    pub(super) script: Script,
    pub(super) lives: Lives,
}

impl Witness for FakeWitness {
    fn arm(&self, life: &LifeKey, server: ProcessId) -> Answer<Box<dyn Process>> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::Arm, format!("arm {life}"));
        Box::pin(async move {
            call.await?;
            assert_eq!(fake.lives.with(&life, |life| life.server), Some(server), "armed beside its own server");
            let canary = fake.lives.processes.spawn();
            fake.lives.with(&life, |life| life.canary = Some(canary));
            Ok(fake.lives.processes.borrow(canary))
        })
    }

    fn settle(&self, notice: DeathNotice) -> Answer<Settlement> {
        let fake = self.clone();
        let call = self.script.call(Op::Settle, format!("settle {} {}", notice.life, notice.end));
        Box::pin(async move {
            call.await?;
            assert!(fake.lives.server(&notice.life).is_none(), "only the dead are settled");
            let life = notice.life.clone();
            Ok(fake.lives.with(&life, |life| {
                life.notices.push(notice);
                if life.claim.is_some() {
                    return Settlement::Claimed;
                }
                life.recorded = true;
                Settlement::Recorded { witness: WitnessedBy::Canary, cause: "killed".into() }
            }))
        })
    }
}
