//! The family of programs: started by the descriptor that was checked, behind walls, and ended with all that they start.
//!
//! ```text
//! file.rs   the program's file: opened, looked at, its hash compared with the policy's
//! start.rs  a thread goes behind the walls and starts it from there
//! run.rs    a run to its end: both pipes drained, a deadline, everything of it ended
//! held.rs   a program that a session holds: read line by line, waited for, signalled
//! leftovers.rs  ends what a daemon that was killed left running
//! ```

mod file;
mod held;
mod leftovers;
mod run;
mod start;
#[cfg(test)]
mod tests;

use super::fs::grants;
use crate::io::child::Marks;
use coalmine_actors::{
    effects::{
        argument,
        error::EffectError,
        handles::HandleKind,
        op::Request,
        output::{Done, Output, Sandbox},
        plan::{Plan, ProgramPlan},
        port::{Call, Opened, Outcome, Seat},
    },
    ports::{BoxFuture, ProcessEnd},
};
use held::{Running, Stream};
pub(super) use leftovers::end_leftovers;
use rustix::process::Signal;
use serde_json::{Value, json};
use start::Order;
pub(super) use start::Started;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// What the marks of programs of effects say that they are.
const KIND: &str = "effect";

/// Runs programs for effects. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Programs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root_hash: String,
    marks: Marks,
}

impl Programs {
    /// Those of the fleet whose root has this hash: all that they start bears it in its mark.
    pub(super) fn new(root_hash: String) -> Self {
        Self(Arc::new(Shared { root_hash, marks: Marks::default() }))
    }

    /// Carries one operation out.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        let this = self.clone();
        Box::pin(async move { this.carry_out(call).await })
    }

    async fn carry_out(&self, call: Call) -> Outcome {
        let Call { seat, opened, request, plan, time_left, .. } = call;
        let deadline = |plan: &ProgramPlan| {
            Instant::now() + time_left.map_or(plan.grant.timeout, |left| left.min(plan.grant.timeout))
        };
        match (request, plan) {
            (Request::ProcSpawn { args, .. }, Plan::Program(plan)) => {
                let deadline = deadline(&plan);
                let started = self.start(*plan, args, BTreeMap::new(), false, opened).await?;
                run::to_its_end(started, None, deadline).await
            }
            (Request::ProcessRun { args, stdin, .. }, Plan::Program(plan)) => {
                let deadline = deadline(&plan);
                let started = self.start(*plan, args, BTreeMap::new(), stdin.is_some(), opened).await?;
                run::to_its_end(started, stdin.map(|stdin| stdin.0), deadline).await
            }
            (Request::ProcessSpawn { args, env, stdin, .. }, Plan::Program(plan)) => {
                // Before anything is started that would have to be ended again.
                seat.room(HandleKind::Process)?;
                let deadline = deadline(&plan);
                let started = self.start(*plan, args, env.0, stdin.is_some(), opened).await?;
                let running = Running::new(started, stdin.map(|stdin| stdin.0), deadline);
                let sandbox = Some(Sandbox(running.sandbox.clone()));
                let handle = seat.keep(HandleKind::Process, Arc::new(running))?;
                Ok(Done { sandbox, ..Output::Handle(handle).into() })
            }
            (request, _) => on_handle(&seat, &request).await,
        }
    }

    /// Starts a program behind the walls of the policy that was `opened`.
    ///
    /// # Errors
    /// It can not be started; its file is not what the policy says.
    pub(super) async fn start(
        &self,
        plan: ProgramPlan,
        args: argument::Argv,
        env: BTreeMap<String, String>,
        has_input: bool,
        opened: Opened,
    ) -> Result<Started, EffectError> {
        let mark = self.0.marks.next(&self.0.root_hash, KIND);
        // On a thread for it: a file system that hangs holds up nobody else. One that is started too late finds nobody to
        // take it, and is ended by its drop.
        let starting = tokio::task::spawn_blocking(move || {
            let grants = grants(&opened)?;
            let folder = plan.cwd.as_ref().map(|cwd| grants.place(cwd)?.open_folder()).transpose()?;
            let mut environment = plan.grant.env.clone();
            environment.extend(env);
            start::start(&Order {
                name: plan.name,
                file: file::open_granted(&plan.grant)?,
                args: args.0,
                env: environment,
                folder,
                has_input,
                rules: grants.rules.clone(),
                mark,
            })
        });
        starting.await.unwrap_or_else(|ended| Err(EffectError::Internal(ended.to_string())))
    }
}

/// What is asked of a program that the session holds.
async fn on_handle(seat: &Seat, request: &Request) -> Outcome {
    let held = |handle| seat.held::<Running>(handle, HandleKind::Process);
    let output = match request {
        Request::ProcessReadStdoutLine { handle } => line(&*held(*handle)?, Stream::Stdout).await,
        Request::ProcessReadStderrLine { handle } => line(&*held(*handle)?, Stream::Stderr).await,
        Request::ProcessWait { handle } => {
            let running = held(*handle)?;
            let (end, truncated) = running.wait().await;
            let (code, signal) = told(end);
            let signaled = matches!(end, ProcessEnd::Signaled { .. });
            Output::Json(json!({ "code": code, "signaled": signaled, "signal": signal, "truncated": truncated }))
        }
        Request::ProcessKill { handle, signal } => {
            held(*handle)?.signal(signal.map_or(Signal::TERM, number_of))?;
            Output::Null
        }
        other => return Err(EffectError::Internal(format!("{} is nothing that is done with programs", other.op()))),
    };
    Ok(output.into())
}

async fn line(running: &Running, stream: Stream) -> Output {
    running.line(stream).await.map_or(Output::Null, Output::Text)
}

fn number_of(signal: argument::Signal) -> Signal {
    use argument::Signal as Word;
    match signal {
        Word::Hup => Signal::HUP,
        Word::Int => Signal::INT,
        Word::Quit => Signal::QUIT,
        Word::Kill => Signal::KILL,
        Word::Usr1 => Signal::USR1,
        Word::Usr2 => Signal::USR2,
        Word::Term => Signal::TERM,
        Word::Cont => Signal::CONT,
        Word::Stop => Signal::STOP,
    }
}

/// Its status and the name of the signal that ended it, as they are asked for: `TERM`.
pub(super) fn told(end: ProcessEnd) -> (Option<i32>, Option<String>) {
    match end {
        ProcessEnd::Exited(status) => (Some(status), None),
        ProcessEnd::Signaled { signal, .. } => (None, Some(name_of(signal))),
        ProcessEnd::Vanished => (None, None),
    }
}

fn name_of(number: i32) -> String {
    let known = nix::sys::signal::Signal::try_from(number);
    known.map_or_else(|_of_real_time| number.to_string(), |known| known.as_str().trim_start_matches("SIG").to_owned())
}

/// What a program said: text where it is that, bytes where not.
fn said(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(binary) => Output::Bytes(binary.into_bytes().into()).into_json(),
    }
}
