//! The command line: one file a verb, each with its `Args` and its `run`.
//!
//! ```text
//! parse ─ place ─┬─ daemon: hardened first, many threads      src/daemon.rs
//!                └─ others: one thread ─┬─ a daemon answers    src/api/client.rs
//!                                       └─ none: the files     src/offline.rs
//! ```
//!
//! What a verb did goes to stdout, as text or as one JSON document; everything else goes to stderr. A failure is
//! told once, at the end, by `failure.rs`.

mod attach;
mod attachment;
mod background;
mod capture;
mod completions;
mod context;
mod create;
mod daemon;
mod deaths;
mod demo;
mod doctor;
mod done;
mod down;
mod effect;
mod events;
mod explain;
mod failure;
mod findings;
mod init;
mod install;
mod interrupt;
mod list;
mod logs;
mod mail;
mod man;
mod many;
mod mcp;
mod memory;
mod memory_plugin;
mod output;
mod policy;
mod provisioned;
mod ready;
mod refresh;
mod remove;
mod reset;
mod restart;
mod restart_flags;
mod send;
mod show;
mod start;
mod status;
mod stop;
mod up;
mod verify;
mod wait;

use crate::{
    config::place::{Place, PlaceFlags},
    error::EXIT_CODES_HELP,
};
use clap::{ArgAction, Parser, Subcommand};
use context::Context;
use failure::{Failure, Outcome};
use std::{ffi::OsStr, path::PathBuf, process::ExitCode};

/// Keeps a fleet of AI agents alive, each in its own tmux server, and says how each one died.
#[derive(Debug, Parser)]
#[command(name = "coalmine", version, after_help = EXIT_CODES_HELP, disable_help_subcommand = true)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
struct Cli {
    /// Folder of the fleet's state [default: $COALMINE_ROOT, else $XDG_STATE_HOME/coalmine]
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Socket of the daemon [default: $COALMINE_SOCKET, else the one of the state folder]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Write one JSON document (streams: JSON lines)
    #[arg(long, global = true)]
    json: bool,
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(create::Args),
    Init(init::Args),
    List(list::Args),
    Show(show::Args),
    Status(status::Args),
    Start(start::Args),
    Stop(stop::Args),
    Restart(restart::Args),
    Refresh(refresh::Args),
    Reset(reset::Args),
    Remove(remove::Args),
    Attach(attach::Args),
    Capture(capture::Args),
    Send(send::Args),
    Mail(mail::Args),
    Mcp(mcp::Args),
    Interrupt(interrupt::Args),
    Logs(logs::Args),
    Events(events::Args),
    Deaths(deaths::Args),
    Memory(memory::Args),
    MemoryPlugin(memory_plugin::Args),
    Attachment(attachment::Args),
    #[command(visible_alias = "effects")]
    Effect(effect::Args),
    Policy(policy::Args),
    Ready(ready::Args),
    Done(done::Args),
    Up(up::Args),
    Down(down::Args),
    Daemon(daemon::Args),
    Verify(verify::Args),
    Doctor(doctor::Args),
    Wait(wait::Args),
    Explain(explain::Args),
    Install(install::Args),
    Completions(completions::Args),
    Man(man::Args),
    Demo(demo::Args),
}

/// Runs the program with this process's arguments; the whole of `main`.
pub fn run() -> ExitCode {
    // Before clap has spoken only the raw arguments say how an error is to be written.
    let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == OsStr::new("--json"));
    let outcome = match Cli::try_parse() {
        Ok(cli) => act(cli),
        Err(error) => Err(failure::of_clap(error, json)),
    };
    failure::end(outcome, json)
}

fn act(cli: Cli) -> Outcome {
    let env = |name: &str| std::env::var(name).ok();
    let place = Place::find(PlaceFlags { root: cli.root, socket: cli.socket }, &env)?;
    if let Verb::Daemon(args) = cli.verb {
        return daemon::run(&place, args, cli.verbose);
    }
    crate::trace::to_stderr(tracing::Level::WARN, cli.verbose);
    let context = Context { place, json: cli.json, verbose: cli.verbose };
    // One thread: a verb asks one thing, and starting more would cost more than the answer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed("runtime", error))?.block_on(perform(&context, cli.verb))
}

async fn perform(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Create(args) => create::run(context, args).await,
        Verb::Init(args) => init::run(context, args).await,
        Verb::List(args) => list::run(context, args).await,
        Verb::Show(args) => show::run(context, args).await,
        Verb::Status(args) => status::run(context, args).await,
        Verb::Start(args) => start::run(context, args).await,
        Verb::Stop(args) => stop::run(context, args).await,
        Verb::Restart(args) => restart::run(context, args).await,
        Verb::Refresh(args) => refresh::run(context, args).await,
        Verb::Reset(args) => reset::run(context, args).await,
        Verb::Remove(args) => remove::run(context, args).await,
        Verb::Attach(args) => attach::run(context, args).await,
        Verb::Capture(args) => capture::run(context, args).await,
        Verb::Send(args) => send::run(context, args).await,
        Verb::Mail(args) => mail::run(context, args).await,
        Verb::Mcp(args) => mcp::run(context, args).await,
        Verb::Interrupt(args) => interrupt::run(context, args).await,
        Verb::Logs(args) => logs::run(context, args).await,
        Verb::Events(args) => events::run(context, args).await,
        Verb::Deaths(args) => deaths::run(context, args).await,
        Verb::Memory(args) => memory::run(context, args).await,
        Verb::MemoryPlugin(args) => memory_plugin::run(context, args).await,
        Verb::Attachment(args) => attachment::run(context, args).await,
        Verb::Effect(args) => effect::run(context, args).await,
        Verb::Policy(args) => policy::run(context, args),
        Verb::Ready(args) => ready::run(context, args).await,
        Verb::Done(args) => done::run(context, args).await,
        Verb::Up(args) => up::run(context, args).await,
        Verb::Down(args) => down::run(context, args).await,
        Verb::Verify(args) => verify::run(context, args),
        Verb::Doctor(args) => doctor::run(context, args).await,
        Verb::Wait(args) => wait::run(context, args).await,
        Verb::Explain(args) => explain::run(context, args).await,
        Verb::Install(args) => install::run(context, &args),
        Verb::Completions(args) => completions::run(context, &args),
        Verb::Man(args) => man::run(context, args),
        Verb::Demo(args) => demo::run(context, args).await,
        Verb::Daemon(_) => unreachable!("the daemon has its own runtime"),
    }
}
