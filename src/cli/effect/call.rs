//! `coalmine effect call`: one effect, as a peer.

use crate::{
    api::wire::Called,
    cli::{
        context::Context,
        create,
        failure::{Failure, Outcome},
        output,
    },
    io::session_token,
};
use serde_json::Value;
use std::{
    io::{self, Read},
    time::Duration,
};

/// Longest arguments that are read, bytes.
const ARGUMENTS_BYTES_MAX: u64 = 24 * 1024 * 1024;
/// The exit code where the answer holds none.
const FAILED: u8 = 1;

/// Call an effect as a peer (in a peer's session: as that peer alone): {"ok": …} or {"err": {"code": …}} goes to stdout
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name or by identity
    #[arg(value_name = "NAME")]
    peer: String,
    /// The operation, as in fs.stat; `coalmine effect ops` lists them
    #[arg(value_name = "KIND.OP")]
    op: String,
    /// Its arguments as a JSON object, as in '{"path": "/etc/hosts"}'; - reads them from stdin
    #[arg(value_name = "JSON", default_value = "{}")]
    args: String,
    /// Longest wait, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = create::wait)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let text = if args.args == "-" { stdin()? } else { args.args };
    let arguments: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(
            format!("the arguments are no JSON: {error}"),
            "give an object, as in '{\"path\": \"/etc/hosts\"}'",
        )
    })?;
    let client = context.client()?.with_token(session_token::own());
    let called = client.effect(&args.peer, &args.op, &arguments, args.timeout).await?;
    if context.json {
        output::document(&called, None)?;
    } else {
        output::print(&output::json(&called))?;
    }
    match called {
        Called::Ok(_) => Ok(()),
        // The answer has said it all.
        Called::Err(error) => {
            let code = error["exit_code"].as_u64().and_then(|code| u8::try_from(code).ok());
            Err(Failure::Quiet(code.unwrap_or(FAILED)))
        }
    }
}

fn stdin() -> Outcome<String> {
    let mut text = String::new();
    let read = io::stdin().take(ARGUMENTS_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("the arguments can not be read: {error}"), "give them as UTF-8 text"))?;
    Ok(text)
}
