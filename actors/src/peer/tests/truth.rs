//! The world beside a peer as it really is: what was asked of it and has not landed, who lives, who was claimed,
//! who is on record.

use crate::{
    error::FleetError,
    names::Generation,
    peer::{
        file::Life,
        input::{Action, FoundLife, Input, SessionExit},
    },
    ports::{EndReport, FoundSession, LifeEnd, Settlement, SweepReport, WitnessedBy},
};
use std::collections::{BTreeMap, BTreeSet};

use super::lab::{KILLED, process};

/// What was asked of the world and has not been reported yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pending {
    Start(u64),
    Arm(u64),
    Open(u64),
    Look(u64),
    End(u64),
    /// Carried out; only its report is under way.
    Ended(u64, bool),
    Sweep(u64),
    Settle(u64),
    Find(Life),
    /// Whether this life may begin.
    Ask(u64),
}

#[derive(Debug, Default, Clone)]
pub(super) struct Server {
    pub(super) alive: bool,
    pub(super) session: bool,
    pub(super) exited: Option<SessionExit>,
    pub(super) canary: bool,
    pub(super) claimed: bool,
    /// What it left behind was ended.
    pub(super) clean: bool,
    /// Its death was not claimed, and is on nobody's record yet.
    pub(super) unrecorded: bool,
    pub(super) records: usize,
}

#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) servers: BTreeMap<u64, Server>,
    pub(super) pending: Vec<Pending>,
    /// Ends of processes that nobody was told of yet.
    pub(super) untold: Vec<(u64, bool)>,
    pub(super) wakes: BTreeSet<u64>,
    /// Whose program is watched for signs of life, and for how long it must show none, milliseconds.
    pub(super) idle: Option<(u64, u64)>,
    /// Somebody is in the way of what is looked for, or started.
    pub(super) stranger: bool,
}

impl Truth {
    pub(super) fn alive(&self) -> Option<u64> {
        let mut alive = self.servers.iter().filter(|(_, server)| server.alive);
        let one = alive.next().map(|(&g, _)| g);
        assert!(alive.next().is_none(), "two servers live at once");
        one
    }

    fn server(&mut self, g: u64) -> &mut Server {
        self.servers.get_mut(&g).expect("it was started")
    }

    /// Takes an action in.
    pub(super) fn take(&mut self, action: Action) {
        let pending = match action {
            Action::StartServer(g, _) => Pending::Start(g.0),
            Action::ArmCanary(g, _) => Pending::Arm(g.0),
            Action::LookAtSession(g) if self.pending.contains(&Pending::Look(g.0)) => return,
            Action::LookAtSession(g) => Pending::Look(g.0),
            Action::OpenSession { generation, .. } => Pending::Open(generation.0),
            Action::AskToStart(g) => Pending::Ask(g.0),
            Action::WatchIdle { generation, after_ms } => {
                self.idle = Some((generation.0, after_ms));
                return;
            }
            Action::EndLife(g, _) => Pending::End(g.0),
            Action::Sweep(g) => Pending::Sweep(g.0),
            Action::Settle { generation, .. } => Pending::Settle(generation.0),
            // Every start of a blocked peer looks again; one look is as good as two.
            Action::Find(life) if self.pending.contains(&Pending::Find(life.clone())) => return,
            Action::Find(life) => Pending::Find(life),
            Action::WakeAt { until_boot_ms } => {
                self.wakes.insert(until_boot_ms);
                return;
            }
            _ => return,
        };
        assert!(!self.pending.contains(&pending), "asked for twice: {pending:?}");
        self.pending.push(pending);
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, g: u64) {
        let server = self.server(g);
        if std::mem::take(&mut server.alive) {
            server.unrecorded = !server.claimed;
            self.untold.push((g, true));
        }
    }

    pub(super) fn kill_canary(&mut self, g: u64) {
        if std::mem::take(&mut self.server(g).canary) {
            self.untold.push((g, false));
        }
    }

    /// Lets something land, well or not, and reports it.
    pub(super) fn land(&mut self, pending: Pending, well: bool) -> Option<Input> {
        let failed = || FleetError::Internal("as drawn".into());
        Some(match pending {
            Pending::Start(g) if well && !self.stranger => {
                assert!(self.alive().is_none(), "a second server");
                assert!(
                    self.servers.insert(g, Server { alive: true, ..Server::default() }).is_none(),
                    "given out twice"
                );
                Input::ServerStarted(Generation(g), process(10 * g))
            }
            Pending::Start(g) if self.stranger => {
                let identity = "claude-bob".parse().unwrap();
                Input::StartFailed(Generation(g), FleetError::LockHeld { identity, holder: "a stranger".into() })
            }
            Pending::Start(g) => Input::StartFailed(Generation(g), failed()),
            Pending::Arm(g) if well => {
                self.server(g).canary = true;
                Input::CanaryArmed(Generation(g), process(10 * g + 1))
            }
            Pending::Arm(g) => Input::CanaryFailed(Generation(g), failed()),
            Pending::Open(g) if well && self.server(g).alive => {
                assert!(!self.server(g).session, "a life never gets a second session");
                self.server(g).session = true;
                Input::SessionOpened(Generation(g))
            }
            Pending::Open(g) if self.server(g).alive && g % 3 > 0 => {
                // No answer in time; the server may have heard all the same.
                self.server(g).session |= g % 3 == 1;
                let identity = "claude-bob".parse().unwrap();
                Input::StartFailed(Generation(g), FleetError::ServerSilent { identity })
            }
            Pending::Open(g) => Input::StartFailed(Generation(g), failed()),
            Pending::Look(g) => {
                let seen = match self.find(g) {
                    FoundLife::Alive { session, .. } if well => session,
                    _ => FoundSession::Silent,
                };
                Input::SessionSeen(Generation(g), seen)
            }
            Pending::End(g) if well => {
                let server = self.server(g);
                if server.alive {
                    (server.claimed, server.clean) = (true, true);
                    self.kill_canary(g);
                    self.kill(g);
                }
                let claimed = self.server(g).claimed;
                self.pending.push(Pending::Ended(g, claimed));
                return None;
            }
            Pending::End(g) => {
                self.kill_canary(g); // it may have come as far as that
                Input::Ended(Generation(g), Err(failed()))
            }
            Pending::Ended(g, true) => Input::Ended(Generation(g), Ok(LifeEnd::Claimed(EndReport::default()))),
            Pending::Ended(g, false) => Input::Ended(Generation(g), Ok(LifeEnd::AlreadyDead)),
            Pending::Sweep(g) => {
                if let Some(server) = self.servers.get_mut(&g) {
                    server.clean = true;
                }
                Input::Swept(Generation(g), SweepReport::default())
            }
            Pending::Settle(g) if well => Input::Settled(Generation(g), self.settle(g)),
            Pending::Settle(g) => {
                self.pending.push(Pending::Settle(g)); // tried again
                Input::RecordOwed(Generation(g), "as drawn".into())
            }
            Pending::Ask(g) if well => Input::Go(Generation(g), None),
            Pending::Ask(g) => {
                self.pending.push(Pending::Ask(g)); // its turn comes
                Input::Held(Generation(g), "incident-1".into())
            }
            Pending::Find(life) => Input::Found(life.generation, self.find(life.generation.0)),
        })
    }

    fn settle(&mut self, g: u64) -> Settlement {
        let Some(server) = self.servers.get_mut(&g) else {
            // Nobody knows whether it ever was: on the safe side.
            return Settlement::Recorded { witness: WitnessedBy::Recovery, cause: "unwitnessed".into() };
        };
        assert!(!server.alive, "only the dead are settled");
        if server.claimed {
            return Settlement::Claimed;
        }
        server.records += usize::from(std::mem::take(&mut server.unrecorded)); // another look finds the record
        Settlement::Recorded { witness: WitnessedBy::Daemon, cause: "killed".into() }
    }

    pub(super) fn find(&self, g: u64) -> FoundLife {
        match self.servers.get(&g) {
            _ if self.stranger => FoundLife::Blocked("a stranger".into()),
            Some(server) if server.alive => FoundLife::Alive {
                server: process(10 * g),
                canary: server.canary.then(|| process(10 * g + 1)),
                session: match server.exited {
                    Some(exit) => FoundSession::Exited(exit),
                    None if server.session => FoundSession::Open,
                    None => FoundSession::Missing,
                },
                lock_lost: false,
            },
            Some(_) => FoundLife::Dead(KILLED),
            None => FoundLife::NeverLived,
        }
    }
}
