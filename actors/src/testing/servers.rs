//! tmux servers that start, answer and end in memory.

use super::{FakePeerStore, Op, Script, lives::Lives};
use crate::{
    error::FleetError,
    names::Identity,
    peer::{
        file::{Life, PeerFile},
        limits::Limits,
    },
    ports::{
        Answer, BoxFuture, Claim, EndReport, Found, FoundSession, IdleRules, LifeEnd, LifeKey, PeerStore, Process,
        ProcessEnd, Program, ScreenRules, ScreenSign, Servers, SweepReport,
    },
    runtime::StopRecipe,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{Notify, mpsc};

/// The fake of [`Servers`]. Clones share it.
#[derive(Clone)]
pub struct FakeServers {
    pub(super) script: Script,
    pub(super) store: FakePeerStore,
    pub(super) lives: Lives,
    pub(super) lost: Arc<Mutex<HashMap<usize, mpsc::Sender<Identity>>>>,
    /// Whether a program is ready as soon as its screen is watched.
    pub(super) ready_at_once: Arc<Mutex<bool>>,
}

impl Servers for FakeServers {
    fn start(&self, life: &LifeKey, file: PeerFile, _limits: Limits) -> Answer<Box<dyn Process>> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::Start, format!("start {life}"));
        Box::pin(async move {
            fake.store.save(&life.identity, file).await?;
            call.await?;
            if let Some(other) = fake.lives.alive(&life.identity) {
                return Err(FleetError::LockHeld { identity: life.identity.clone(), holder: other.to_string() });
            }
            let server = fake.lives.processes.spawn();
            fake.lives.with(&life, |life| {
                assert!(life.server.is_none(), "a generation is given out once");
                life.server = Some(server);
                life.session = Some(FoundSession::Missing);
            });
            fake.script.note(format!("started {life}"));
            Ok(fake.lives.processes.borrow(server))
        })
    }

    fn open_session(&self, life: &LifeKey, program: Program) -> Answer<()> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::OpenSession, format!("open-session {life} {}", program.argv.join(" ")));
        Box::pin(async move {
            call.await?;
            if fake.lives.server(&life).is_none() {
                return Err(FleetError::StartFailed { identity: life.identity.clone(), why: "no server".into() });
            }
            fake.lives.with(&life, |life| {
                assert_eq!(life.session, Some(FoundSession::Missing), "a life never gets a second session");
                life.session = Some(FoundSession::Open);
            });
            Ok(())
        })
    }

    fn session(&self, life: &LifeKey) -> BoxFuture<FoundSession> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::OpenSession, format!("session {life}"));
        Box::pin(async move {
            let _ = call.await; // a look can not fail
            let (session, silent) = fake.lives.with(&life, |life| (life.session, life.silent));
            if silent { FoundSession::Silent } else { session.unwrap_or(FoundSession::Missing) }
        })
    }

    fn watch_screen(&self, life: &LifeKey, _rules: ScreenRules) -> mpsc::Receiver<ScreenSign> {
        drop(self.script.call(Op::WatchScreen, format!("watch-screen {life}")));
        let (signs, receiver) = mpsc::channel(8);
        if *self.ready_at_once.lock().expect("nobody panics while holding the lock") {
            signs.try_send(ScreenSign::Ready).expect("it is empty");
        }
        self.lives.with(life, |life| life.screen = Some(signs));
        receiver
    }

    fn idle(&self, life: &LifeKey, IdleRules { after, .. }: IdleRules) -> BoxFuture<()> {
        drop(self.script.call(Op::Idle, format!("idle {life} {} s", after.as_secs())));
        let fell_idle = Arc::new(Notify::new());
        self.lives.with(life, |life| life.idle = Some(Arc::clone(&fell_idle)));
        Box::pin(async move { fell_idle.notified().await })
    }

    fn end(&self, life: &LifeKey, claim: Claim, _recipe: StopRecipe) -> Answer<LifeEnd> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::End, format!("end {life} why={} then={:?}", claim.why, claim.then));
        Box::pin(async move {
            call.await?;
            let Some(server) = fake.lives.server(&life) else {
                let claimed_before = fake.lives.with(&life, |life| life.claim.is_some());
                return Ok(if claimed_before { LifeEnd::Claimed(EndReport::default()) } else { LifeEnd::AlreadyDead });
            };
            let canary = fake.lives.with(&life, |life| {
                life.claim.get_or_insert(claim);
                life.canary
            });
            fake.script.note(format!("claim {life}"));
            if let Some(canary) = canary {
                fake.lives.processes.end(canary, ProcessEnd::Exited(0));
            }
            fake.script.note(format!("kill {life}"));
            fake.lives.processes.end(server, ProcessEnd::Exited(0));
            Ok(LifeEnd::Claimed(EndReport { rungs: vec!["kill-server".into()], sweep: SweepReport::default() }))
        })
    }

    fn sweep(&self, life: &LifeKey) -> BoxFuture<SweepReport> {
        let call = self.script.call(Op::Sweep, format!("sweep {life}"));
        Box::pin(async move {
            let _ = call.await; // a sweep can not fail
            SweepReport::default()
        })
    }

    fn find(&self, life: &LifeKey, _known: &Life) -> BoxFuture<Found> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::Find, format!("find {life}"));
        Box::pin(async move {
            let _ = call.await; // finding can not fail
            let processes = &fake.lives.processes;
            let (server, canary, session, silent, blocked) = fake
                .lives
                .with(&life, |life| (life.server, life.canary, life.session, life.silent, life.blocked.clone()));
            if let Some(why) = blocked {
                return Found::Blocked(why);
            }
            let Some(server) = server else { return Found::Dead(ProcessEnd::Vanished) };
            if let Some(end) = processes.ended(server) {
                return Found::Dead(end);
            }
            let session = if silent { FoundSession::Silent } else { session.unwrap_or(FoundSession::Missing) };
            let canary = canary.filter(|&canary| processes.ended(canary).is_none());
            let canary = canary.map(|id| processes.borrow(id));
            Found::Alive { server: processes.borrow(server), canary, session, lock_lost: false }
        })
    }

    fn lost_sockets(&self) -> mpsc::Receiver<Identity> {
        let (lost, receiver) = mpsc::channel(64);
        let mut listeners = self.lost.lock().expect("nobody panics while holding the lock");
        let at = listeners.len();
        listeners.insert(at, lost);
        receiver
    }

    fn answers(&self, life: &LifeKey) -> BoxFuture<bool> {
        let (fake, life) = (self.clone(), life.clone());
        let call = self.script.call(Op::Answers, format!("answers {life}"));
        Box::pin(async move { call.await.is_ok() && !fake.lives.with(&life, |life| life.silent) })
    }

    fn heal_socket(&self, life: &LifeKey) -> Answer<bool> {
        let call = self.script.call(Op::HealSocket, format!("heal-socket {life}"));
        Box::pin(async move { call.await.map(|()| true) })
    }

    fn capture(&self, life: &LifeKey) -> Answer<String> {
        let call = self.script.call(Op::Capture, format!("capture {life}"));
        Box::pin(async move { call.await.map(|()| "$ ".into()) })
    }
}
