//! One server from its start to its end: greeted, served, and let go of; a program is started before, and ended after it
//! with all that it started.

use super::{
    Times,
    berth::Post,
    client::{Client, introduction},
    fault::Fault,
    notes::{Notes, Said},
    replies::Replies,
    site::Site,
    wire::Wire,
};
use crate::io::{
    child::{Drain, Leader, Pipes, end},
    effects::{
        net::Net,
        proc::{Programs, Started, told},
    },
};
use coalmine_actors::{
    effects::{
        argument::Argv,
        error::EffectError,
        origin::Target,
        output::Sandbox,
        plan::ProgramPlan,
        port::{Opened, Sink},
        program::ProgramGrant,
    },
    ports::ProcessEnd,
};
use rmcp::{
    RoleClient,
    service::{ClientInitializeError, serve_client},
    transport::Transport,
};
use rustix::process::Signal;
use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};

/// How long a server may take to end by itself once its stdin is closed, as the protocol asks of it.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How long what a program said last is read after its end, where somebody still holds its stdout.
const REST_MAX: Duration = Duration::from_millis(100);

/// One server of a policy.
pub(super) struct Server {
    /// Its name in the policy.
    pub(super) name: String,
    pub(super) way: Way,
    /// Its session's log.
    pub(super) log: Option<Arc<dyn Sink>>,
}

/// How it is reached.
pub(super) enum Way {
    /// It is started.
    Program(Launch),
    /// It is elsewhere.
    Site {
        net: Net,
        target: Target,
        /// The longest that a call may take.
        longest: Duration,
    },
}

/// How its program is started.
pub(super) struct Launch {
    pub(super) path: PathBuf,
    pub(super) args: Vec<String>,
    /// All of its environment.
    pub(super) env: BTreeMap<String, String>,
    /// The policy that grants it, opened.
    pub(super) opened: Opened,
    pub(super) programs: Programs,
}

impl Launch {
    async fn start(self) -> Result<Started, EffectError> {
        let Self { path, args, env, opened, programs } = self;
        // As it was named: an interpreter looks beside its own path for what comes with it.
        let name = path.to_string_lossy().into_owned();
        let grant = ProgramGrant { path, sha256: None, args: Vec::new(), env, timeout: Duration::MAX };
        programs.start(ProgramPlan { name, grant, cwd: None }, Argv(args), BTreeMap::new(), true, opened).await
    }
}

/// Attends one server until it is over; `leave` gives its place in the session to another one.
pub(super) async fn attend(server: Server, post: Post, leave: impl FnOnce() + Send, times: Times) {
    let Server { name, way, log } = server;
    let attended = Attended { name, post, times, fault: Fault::default() };
    match way {
        Way::Program(launch) => attended.program(launch, log, leave).await,
        Way::Site { net, target, longest } => {
            let site = Site::new(net, target, longest, attended.fault.clone());
            let served = attended.serve(site, None).await;
            attended.shut(leave);
            attended.post.over(attended.fault.told().or(served.err()).unwrap_or(EffectError::Cancelled));
        }
    }
}

/// A server that is attended.
struct Attended {
    name: String,
    post: Post,
    times: Times,
    fault: Fault,
}

impl Attended {
    async fn program(&self, launch: Launch, log: Option<Arc<dyn Sink>>, leave: impl FnOnce() + Send) {
        let Self { name, post, fault, .. } = self;
        let started = match launch.start().await {
            Ok(started) => started,
            Err(error) => {
                self.shut(leave);
                return post.over(not_started(name, error));
            }
        };
        let Started { leader, stdin, stdout, stderr, sandbox } = started;
        let stdin = stdin.expect("a server is started with an input");
        let notes = Notes::to(log, name);
        let wire = Wire::new(stdout, stdin, notes.clone(), fault.clone());
        let mut program = Program { leader, pipes: Pipes::stderr_alone(Drain::new(stderr, Said::to(notes))) };
        let served = program.beside(self.serve(wire, Some(Sandbox(sandbox)))).await;
        self.shut(leave);
        match fault.told().or(served.and_then(Result::err)) {
            Some(why) => {
                post.over(why);
                program.end().await;
            }
            // It ended, or closed its stdout and is about to: its status is the reason.
            None => {
                let end = program.end().await;
                post.over(ended(name, end));
            }
        }
    }

    /// In this order: who finds it shut finds room for the next one.
    fn shut(&self, leave: impl FnOnce()) {
        leave();
        self.post.shut();
    }

    /// Greets the server and serves calls, until nobody calls it, or its messages end.
    async fn serve<T: Transport<RoleClient> + 'static>(
        &self,
        way: T,
        sandbox: Option<Sandbox>,
    ) -> Result<(), EffectError> {
        let way = Replies::of(way, self.fault.clone());
        tokio::select! {
            served = self.greet_and_serve(way, sandbox) => served,
            () = self.post.unused(self.times.idle) => Err(EffectError::Cancelled),
        }
    }

    async fn greet_and_serve<T: Transport<RoleClient> + 'static>(
        &self,
        way: Replies<T>,
        sandbox: Option<Sandbox>,
    ) -> Result<(), EffectError> {
        let service = match timeout(self.times.start, serve_client(introduction(), way)).await {
            Ok(Ok(service)) => service,
            // Why, its end or its fault says.
            Ok(Err(ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::TransportError { .. })) => {
                return Ok(());
            }
            Ok(Err(error)) => {
                let what = format!("the tool server {} does not begin as the protocol says: {error}", self.name);
                return Err(EffectError::Protocol { what });
            }
            Err(_elapsed) => return Err(EffectError::Timeout { phase: "start" }),
        };
        let condemned = Arc::new(Notify::new());
        let (peer, fault) = (service.peer().clone(), self.fault.clone());
        self.post.up(Client::new(peer, sandbox, fault, Arc::clone(&condemned)));
        tokio::select! {
            // Dropped, the service ends, and lets go of its way: a program's stdin is closed.
            _quit = service.waiting() => {}
            () = condemned.notified() => {}
        }
        Ok(())
    }
}

/// What a program's errors say of their arguments is not about those of a tool.
fn not_started(server: &str, error: EffectError) -> EffectError {
    let why = match error {
        EffectError::NotFound => "the program that the policy names is not there",
        EffectError::BadArgs { .. } => "what the policy names can not be executed",
        other => return other,
    };
    EffectError::unsupported(format!("the tool server {server} can not be started: {why}"))
}

fn ended(server: &str, end: ProcessEnd) -> EffectError {
    let how = match told(end) {
        (Some(status), _) => format!("ended with exit status {status}"),
        (None, Some(signal)) => format!("was ended by SIG{signal}"),
        (None, None) => "ended".to_owned(),
    };
    EffectError::Protocol { what: format!("the tool server {server} {how}; what it said is in the session's log") }
}

/// A server's program. Dropped, it is ended at once.
struct Program {
    leader: Leader,
    /// Its stderr, which is read at all times.
    pipes: Pipes<Said>,
}

impl Program {
    /// What comes of `work` while the program runs; nothing where the program ended before that.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            // The program and its pipes are cancel-safe, and the work goes on.
            tokio::select! {
                done = &mut work => return Some(done),
                () = self.leader.ended() => break,
                () = self.pipes.some() => {}
            }
        }
        // What it left in its group holds its stdout; what it said last is in it.
        self.leader.signal_group(Signal::KILL);
        timeout(REST_MAX, work).await.ok()
    }

    /// Ends it with all that it started. Its stdin is closed by now.
    async fn end(mut self) -> ProcessEnd {
        let _by_itself = timeout(CLOSE_GRACE, self.beside(std::future::pending::<()>())).await;
        let left = end(&self.leader, &mut self.pipes).await;
        if !left.is_empty() {
            tracing::error!(?left, "what a tool server started can not be ended");
        }
        self.leader.reap()
    }
}
