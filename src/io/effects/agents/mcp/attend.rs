//! One server from its start to its end: its program is started, greeted, served, and ended with all that it started.

use super::{
    Times,
    berth::Post,
    client::{Client, introduction},
    fault::Fault,
    notes::{Notes, Said},
    replies::Replies,
    wire::Wire,
};
use crate::io::{
    child::{Drain, Leader, Pipes, end},
    effects::proc::{Programs, Started, told},
};
use coalmine_actors::{
    effects::{
        argument::Argv,
        error::EffectError,
        output::Sandbox,
        plan::ProgramPlan,
        port::{Opened, Sink},
        program::ProgramGrant,
    },
    ports::ProcessEnd,
};
use rmcp::service::{ClientInitializeError, serve_client};
use rustix::process::Signal;
use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};

/// How long a server may take to end by itself once its stdin is closed, as the protocol asks of it.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How long what a program said last is read after its end, where somebody still holds its stdout.
const REST_MAX: Duration = Duration::from_millis(100);

/// How a server is started, and where it may write.
pub(super) struct Launch {
    /// Its name in the policy.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) args: Vec<String>,
    /// All of its environment.
    pub(super) env: BTreeMap<String, String>,
    /// The policy that grants it, opened.
    pub(super) opened: Opened,
    pub(super) programs: Programs,
    /// Its session's log.
    pub(super) log: Option<Arc<dyn Sink>>,
}

impl Launch {
    async fn start(self) -> Result<Started, EffectError> {
        let Self { path, args, env, opened, programs, .. } = self;
        // As it was named: an interpreter looks beside its own path for what comes with it.
        let name = path.to_string_lossy().into_owned();
        let grant = ProgramGrant { path, sha256: None, args: Vec::new(), env, timeout: Duration::MAX };
        programs.start(ProgramPlan { name, grant, cwd: None }, Argv(args), BTreeMap::new(), true, opened).await
    }
}

/// Attends one server until it is over; `leave` gives its place in the session to another one.
pub(super) async fn attend(launch: Launch, post: Post, leave: impl FnOnce() + Send, times: Times) {
    let server = launch.name.clone();
    let notes = Notes::to(launch.log.clone(), &server);
    let started = match launch.start().await {
        Ok(started) => started,
        Err(error) => {
            leave();
            post.shut();
            return post.over(not_started(&server, error));
        }
    };
    let Started { leader, stdin, stdout, stderr, sandbox } = started;
    let stdin = stdin.expect("a server is started with an input");
    let fault = Fault::default();
    let wire = Replies::of(Wire::new(stdout, stdin, notes.clone(), fault.clone()), fault.clone());
    let mut program = Program { leader, pipes: Pipes::stderr_alone(Drain::new(stderr, Said::to(notes))) };
    let served = program
        .beside(async {
            tokio::select! {
                served = serve(&server, wire, &post, times, Sandbox(sandbox), &fault) => served,
                () = post.unused(times.idle) => Err(EffectError::Cancelled),
            }
        })
        .await;
    // In this order: who finds it shut finds room for the next one.
    leave();
    post.shut();
    match (fault.told(), served) {
        (Some(why), _) | (None, Some(Err(why))) => {
            post.over(why);
            program.end().await;
        }
        // It ended, or closed its stdout and is about to: its status is the reason.
        (None, Some(Ok(())) | None) => {
            let end = program.end().await;
            post.over(ended(&server, end));
        }
    }
}

/// Greets the server and serves calls, until it closes its stdout.
async fn serve(
    server: &str,
    wire: Replies<Wire>,
    post: &Post,
    times: Times,
    sandbox: Sandbox,
    fault: &Fault,
) -> Result<(), EffectError> {
    let service = match timeout(times.start, serve_client(introduction(), wire)).await {
        Ok(Ok(service)) => service,
        Ok(Err(ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::TransportError { .. })) => {
            return Ok(());
        }
        Ok(Err(error)) => {
            let what = format!("the tool server {server} does not begin as the protocol says: {error}");
            return Err(EffectError::Protocol { what });
        }
        Err(_elapsed) => return Err(EffectError::Timeout { phase: "start" }),
    };
    let condemned = Arc::new(Notify::new());
    post.up(Client::new(service.peer().clone(), Some(sandbox), fault.clone(), Arc::clone(&condemned)));
    tokio::select! {
        // Dropped, the service ends, and closes the server's stdin.
        _quit = service.waiting() => {}
        () = condemned.notified() => {}
    }
    Ok(())
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
