//! One fleet in a root of its own, and everything that a schedule can do to it.

use super::{
    census::{self, Kind, Member},
    ledger::Ledger,
    schedule::{Fault, PEERS, Step, Target, Verb},
    support::{Root, gone_within},
    tally::Tally,
};
use coalmine::{
    actors::fleet::request::CreatePeer, api::client::Client, io::fault, io::witness::proc_stat, paths::Paths,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    cell::RefCell,
    fs::File,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};
use tokio::task::LocalSet;

/// How long a request may wait for what it asked for.
const WAIT: Duration = Duration::from_secs(20);
/// How long a killed process may take to be gone.
const GONE_MAX: Duration = Duration::from_secs(5);
/// What every peer runs.
const PROGRAM: [&str; 2] = ["sleep", "36000"];
/// Restarts come at once, and no peer is ever put in quarantine: what is tried here is something else.
const CONFIG: &str = "[restart]\ndeaths_max = 1000\ndelay_first = \"1ms\"\ndelay_max = \"1ms\"\n";

/// The fleet, and what was done to it.
pub struct Yard {
    daemon: Option<Child>,
    /// The daemon does not run on: it was stopped.
    frozen: bool,
    pub ledger: Rc<RefCell<Ledger>>,
    /// Every step as it was carried out, for people.
    pub done: Vec<String>,
    pub tally: Tally,
    /// The fault that the present daemon is to die of.
    fault: Option<Fault>,
    /// Strangers, ended with the yard.
    kept: Vec<Child>,
    root: Root,
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.end_daemon();
        for stranger in &mut self.kept {
            let _ = stranger.kill();
            let _ = stranger.wait();
        }
    }
}

impl Yard {
    pub fn new() -> Self {
        let root = Root::with(&[("home/.config/coalmine/config.toml", CONFIG)]);
        Self {
            daemon: None,
            frozen: false,
            ledger: Rc::default(),
            done: Vec::new(),
            tally: Tally::default(),
            fault: None,
            kept: Vec::new(),
            root,
        }
    }

    pub fn paths(&self) -> Paths {
        self.root.paths()
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    pub fn client(&self) -> Client {
        Client::new(self.paths().daemon_socket())
    }

    /// Whether a daemon runs; one that has died is reaped.
    pub fn has_daemon(&mut self) -> bool {
        if let Some(daemon) = &mut self.daemon
            && daemon.try_wait().unwrap().is_some()
        {
            self.ledger.borrow_mut().blinded(daemon.id());
            match self.fault {
                Some(fault) => self.tally.count(format!("struck: {}", fault.point.name())),
                None => self.tally.count("daemon: ended by itself"),
            }
            self.daemon = None;
            self.frozen = false;
        }
        self.daemon.is_some()
    }

    /// Starts a daemon where none runs.
    pub fn start_daemon(&mut self, fault: Option<Fault>) {
        if self.has_daemon() {
            return;
        }
        let log = File::options().create(true).append(true).open(self.root.folder().join("daemon.err")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
        command.arg("daemon").env_clear().envs(self.root.env()).current_dir(self.root.folder());
        if let Some(fault) = fault {
            command.env(fault::VARIABLE, fault.to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        self.fault = fault;
        self.tally.count("daemon: started");
    }

    fn end_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
            self.ledger.borrow_mut().blinded(daemon.id());
            self.tally.count("kill: Daemon");
        }
        self.frozen = false;
    }

    /// Ends this process together with the yard.
    pub fn keep(&mut self, stranger: Child) {
        self.kept.push(stranger);
    }

    /// Holds what was done so far for not done.
    pub fn forget_kills(&mut self) {
        self.ledger.borrow_mut().killed.clear();
    }

    /// Holds this death for one that was meant.
    pub fn forget_kill(&mut self, identity: &str, generation: u64) {
        let mut ledger = self.ledger.borrow_mut();
        if let Some(killed) = ledger.killed.get_mut(&(identity.to_owned(), generation)) {
            killed.owed = false;
        }
    }

    /// Asks for every peer once, and waits as long as the daemon lives.
    pub async fn populate(&mut self, asking: &LocalSet) {
        while self.has_daemon() && self.client().status().await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        for peer in 0..PEERS.len() {
            self.ask(asking, peer, Verb::Create);
        }
        while self.has_daemon() && self.ledger.borrow().under_way() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Carries out one step.
    pub fn carry_out(&mut self, step: &Step, asking: &LocalSet) {
        let at = self.done.len();
        self.done.push(step.to_string());
        match step {
            Step::Daemon(fault) => self.start_daemon(*fault),
            Step::Ask(peer, verb) => self.ask(asking, *peer, *verb),
            Step::Kill(peer, targets) => {
                let census = self.census();
                for target in targets {
                    self.kill(&census, *peer, *target, at);
                }
            }
            Step::KillAll => {
                let census = self.census();
                (0..PEERS.len()).for_each(|peer| self.kill(&census, peer, Target::Server, at));
            }
            Step::Freeze(peer, target) => self.signal(*peer, *target, Signal::STOP),
            Step::Thaw(peer, target) => self.signal(*peer, *target, Signal::CONT),
        }
    }

    pub fn census(&self) -> Vec<Member> {
        census::take(&self.paths())
    }

    /// Lets everything go on that was stopped.
    pub fn thaw_all(&mut self) {
        if let Some(daemon) = &self.daemon {
            send(daemon.id().cast_signed(), Signal::CONT);
        }
        self.frozen = false;
        for member in self.census() {
            self.send(&member, Signal::CONT);
        }
    }

    fn ask(&mut self, asking: &LocalSet, peer: usize, verb: Verb) {
        let (client, ledger, cwd) = (self.client(), Rc::clone(&self.ledger), self.root.folder().to_owned());
        ledger.borrow_mut().asked(peer, verb);
        self.tally.count(format!("ask: {verb:?}"));
        asking.spawn_local(async move {
            let name = PEERS[peer];
            let command = PROGRAM.map(ToOwned::to_owned).to_vec();
            let new = CreatePeer { name: name.into(), cwd, command, start: true, ..CreatePeer::default() };
            let answer = match verb {
                Verb::Create => client.create(&new, WAIT).await.map(drop),
                Verb::Start => client.start(name, WAIT).await.map(drop),
                Verb::Stop => client.stop(name, WAIT).await.map(drop),
                Verb::Restart => client.restart(name, WAIT).await.map(drop),
                Verb::Remove => client.remove(name, true, WAIT).await.map(drop),
            };
            ledger.borrow_mut().answered(peer, verb, answer);
        });
    }

    fn kill(&mut self, census: &[Member], peer: usize, target: Target, at: usize) {
        if target == Target::Daemon {
            return self.end_daemon();
        }
        let Some(member) = find(census, peer, target) else { return };
        // Another one's child is reaped by whoever inherited it, perhaps too late for anybody to learn its status.
        let parent = proc_stat::read(member.pid).map_or(0, |stat| stat.ppid.cast_unsigned());
        let watches = self.has_daemon() && !self.frozen;
        let seen_by = self.daemon.as_ref().map(Child::id).filter(|daemon| watches && *daemon == parent);
        if !self.send(&member, Signal::KILL) {
            return;
        }
        self.tally.count(format!("kill: {target:?}"));
        let mut ledger = self.ledger.borrow_mut();
        match &member.kind {
            Kind::Server(life) => ledger.server_killed(life, seen_by),
            Kind::Program(life) => ledger.program_killed(life),
            _ => {}
        }
        self.done[at] += &format!(" [{target:?} {}]", member.pid);
    }

    fn signal(&mut self, peer: usize, target: Target, signal: Signal) {
        self.tally.count(format!("{}: {target:?}", if signal == Signal::STOP { "stop" } else { "continue" }));
        if target == Target::Daemon {
            if self.has_daemon() {
                let daemon = self.daemon.as_ref().expect("it was just seen");
                send(daemon.id().cast_signed(), signal);
                self.frozen = signal == Signal::STOP;
            }
            return;
        }
        if let Some(member) = find(&self.census(), peer, target) {
            self.send(&member, signal);
        }
    }

    /// Signals a process that is what it was taken for; after a KILL it is gone. Says whether it was there.
    fn send(&self, member: &Member, signal: Signal) -> bool {
        // Opened first, looked at then: nobody else is hit.
        let Ok(process) = pidfd_open(Pid::from_raw(member.pid).unwrap(), PidfdFlags::empty()) else { return false };
        if census::kind(member.pid, &self.paths()).as_ref() != Some(&member.kind) {
            return false;
        }
        let sent = pidfd_send_signal(&process, signal).is_ok();
        if sent && signal == Signal::KILL {
            assert!(gone_within(&process, GONE_MAX), "{member:?} survives SIGKILL");
        }
        sent
    }
}

/// The process of the peer's newest life.
fn find(census: &[Member], peer: usize, target: Target) -> Option<Member> {
    let of = |member: &&Member| {
        let life = match (&member.kind, target) {
            (Kind::Server(life), Target::Server)
            | (Kind::Canary(life), Target::Canary)
            | (Kind::Program(life), Target::Program) => life,
            _ => return None,
        };
        (life.identity.personality().as_str() == PEERS[peer]).then_some(life.generation)
    };
    census.iter().filter(|member| of(member).is_some()).max_by_key(|member| of(member)).cloned()
}

fn send(pid: i32, signal: Signal) {
    if let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
        let _ = pidfd_send_signal(process, signal); // a child of ours, not reaped yet
    }
}
