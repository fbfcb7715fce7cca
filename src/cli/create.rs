//! `coalmine create`: makes a peer, or adds a runtime to one.

use super::{
    context::Context,
    failure::{Failure, Outcome},
    output, provisioned,
    restart_flags::RestartFlags,
};
use crate::config::parse_policy;
use coalmine_actors::{
    fleet::request::{CreatePeer, Created},
    peer::{
        limits::{Limits, MemorySize},
        one_task::WakePolicy,
        restart_knobs::RestartKnobs,
        restart_policy::RestartPolicy,
        sandbox::Sandbox,
    },
    view::{PeerView, PhaseName},
};
use jiff::SignedDuration;
use std::{path::PathBuf, time::Duration};

/// Make a peer, or add a runtime to one
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name: a-z, 0-9 and dashes, a letter first, at most 32 characters
    #[arg(allow_hyphen_values = true, value_parser = name)]
    name: String,
    /// Its folder [default: this one]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    #[command(flatten)]
    wish: Wish,
}

/// What `create` and `init` can be told of a peer besides its name and its folder.
#[derive(Debug, clap::Args)]
pub(super) struct Wish {
    /// How it is present [default: shell with a COMMAND, else the one agent in PATH]
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
    /// What happens after a death: never, on-failure or always
    #[arg(long, value_name = "POLICY", value_parser = parse_policy)]
    restart: Option<RestartPolicy>,
    #[command(flatten)]
    restarts: RestartFlags,
    /// After how long without a sign of life it is put to sleep, 0s for never [default: its runtime's]
    #[arg(long, value_name = "TIME")]
    idle_after: Option<SignedDuration>,
    /// Whether a life of it takes whatever comes (persistent), or one message (ephemeral) [default: its runtime's]
    #[arg(long, value_name = "POLICY")]
    wake_policy: Option<WakePolicy>,
    /// Most memory of all its processes together, as in 512M or 2G
    #[arg(long, value_name = "SIZE")]
    memory_max: Option<MemorySize>,
    /// Most processes and threads of it at once
    #[arg(long, value_name = "N")]
    tasks_max: Option<u32>,
    /// A variable for its program; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The policy that governs its effects
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Hold its program to that policy by the kernel: required, best-effort (where the kernel can) or off
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "required")]
    sandbox: Option<Sandbox>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Start it at once
    #[arg(long)]
    start: bool,
    /// Longest wait for all of it, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = wait)]
    timeout: Duration,
    /// Do not start a daemon where none answers
    #[arg(long)]
    no_daemon: bool,
    /// Program and arguments, in place of the runtime's own
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    // Made absolute here: the daemon's own folder is another one. Whether it can be used, the fleet judges.
    let cwd = std::path::absolute(args.cwd.unwrap_or_else(|| ".".into())).map_err(|error| {
        Failure::usage(format!("the folder can not be resolved: {error}"), "give one with --cwd DIR")
    })?;
    args.wish.fulfil(context, args.name, cwd).await
}

impl Wish {
    /// Makes the peer.
    pub(super) async fn fulfil(self, context: &Context, name: String, cwd: PathBuf) -> Outcome {
        let peer = CreatePeer {
            name,
            runtime: self.runtime,
            cwd,
            description: self.description,
            command: self.command,
            env: self.env.into_iter().collect(),
            restart: self.restart,
            restart_knobs: Some(self.restarts.knobs()).filter(|knobs| *knobs != RestartKnobs::default()),
            idle_after: self.idle_after,
            wake_policy: self.wake_policy,
            limits: Limits { memory_max: self.memory_max, tasks_max: self.tasks_max },
            policy: self.policy,
            sandbox: self.sandbox,
            start: self.start,
        };
        let client = context.client_or_start(self.no_daemon).await?;
        // Also without a start: a memory provider is called, and takes its time.
        let created = client.create(&peer, self.timeout).await?;
        if !context.json {
            provisioned::warn_of_birth(&created.peer.personality, &created.provision);
        }
        context.answer(&created, |created| made(created, peer.start))
    }
}

fn made(created: &Created, started: bool) -> String {
    let peer = &created.peer;
    let what = match created.changed.as_slice() {
        _ if created.new => "created:".to_owned(),
        [] => "already there:".into(),
        parts => format!("changed {}:", parts.join(", ")),
    };
    let mut text = format!("{what} {}", if started { told(peer) } else { output::sentence(peer) });
    if created.from_next_life {
        let identity = &peer.identity;
        text.push_str(&format!("\nwhat changed holds from its next life: `coalmine restart {identity}`"));
    }
    if !started && matches!(peer.phase, PhaseName::Asleep | PhaseName::Stopped) {
        // The bare name means its first runtime.
        let name = if created.new { peer.personality.to_string() } else { peer.identity.to_string() };
        text.push_str(&format!("\nstart it with `coalmine start {name}`"));
    }
    text
}

/// A peer's state after a start, with what to type where it waits for somebody.
pub(super) fn told(peer: &PeerView) -> String {
    match output::advice(peer) {
        Some(advice) => format!("{}\nnext: `{advice}`", output::sentence(peer)),
        None => output::sentence(peer),
    }
}

/// A wait: `90s`, `2m`.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    let wait: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(wait).map_err(|_negative| "it must not be negative".to_owned())
}

/// A name with one dash first is for the fleet to refuse; two dashes are a flag with a slip in it.
fn name(text: &str) -> Result<String, &'static str> {
    if text.starts_with("--") {
        Err("there is no such flag; `coalmine create --help` lists them")
    } else {
        Ok(text.into())
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".into()),
    }
}
