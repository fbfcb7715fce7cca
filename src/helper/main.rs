//! `coalmine-helper`: the small programs beside every peer, which outlive the daemon.
//!
//! It links neither the library nor tokio: a hundred canaries must cost next to nothing, and nothing that the fleet
//! does may be needed to witness a death. One file a verb; all of them are single-threaded.
#![deny(unsafe_code)]

mod args;
mod canary;
mod exec;
mod hook;
mod pane;
mod panelog;
mod program;

#[path = "../io/fault.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the daemon, which has steps of its own")]
mod fault;
#[path = "../../actors/src/journal/logfmt.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "shared with the library, which uses all of it and exports it"
)]
mod logfmt;
#[path = "../io/sandbox/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "shared with the daemon, which uses all of it and exports it"
)]
mod sandbox;
#[path = "../io/witness/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "shared with the daemon, which uses all of it and exports it"
)]
mod witness;

use args::Usage;
use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

const HELP: &str = "\
coalmine-helper: the small programs beside every peer; `coalmine` starts them.

  canary --journal DIR --peer-dir DIR --identity I --gen N --server-pid P --started-boot-ms MS --pane-log FILE
                          wait for a server's death (its pidfd is descriptor 3) and record it
  pane FILE               become the program that FILE describes
  hook pane-died PANE STATUS SIGNAL
  hook session-closed SESSION
                          write down how a peer's session ended
  panelog [FILE] [--max BYTES]
                          copy standard input to FILE, in two files that are turned over
  exec [--chdir DIR] [--rlimit NAME=SOFT[:HARD]]... -- PROGRAM [ARG]...
                          become PROGRAM in another folder, under limits
  --version, --help
";

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let verb = args.next().unwrap_or_default();
    let done = match verb.to_str() {
        Some("canary") => canary::run(args),
        Some("pane") => pane::run(args),
        Some("hook") => hook::run(args),
        Some("panelog") => panelog::run(args),
        Some("exec") => exec::run(args),
        Some("--version" | "-V") => Ok(say(&format!("coalmine-helper {}\n", env!("CARGO_PKG_VERSION")))),
        Some("--help" | "-h") => Ok(say(HELP)),
        _ => Err(Usage(format!("there is no verb {verb:?}"))),
    };
    done.unwrap_or_else(|Usage(what)| {
        let _unheard =
            writeln!(io::stderr(), "coalmine-helper: {what}\nhint: `coalmine-helper --help` lists the verbs");
        ExitCode::from(2)
    })
}

/// Writes an answer; whether it could, the exit code says.
fn say(text: &str) -> ExitCode {
    io::stdout().write_all(text.as_bytes()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
