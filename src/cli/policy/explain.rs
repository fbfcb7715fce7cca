//! `coalmine policy explain`: which rule of a policy decides, by the function that decides when it counts.

use crate::{
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    error::exit_code,
};
use coalmine_actors::{
    effects::{Op, Request, decide},
    error::{FleetError, Kind},
};
use serde::Serialize;
use serde_json::Value;

/// Say whether a policy allows a call, and which rule decides; nothing is called
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy: its name in this fleet, or a file
    #[arg(value_name = "POLICY")]
    policy: String,
    /// The operation, as in fs.stat
    #[arg(value_name = "KIND.OP")]
    op: String,
    /// Its arguments as a JSON object
    #[arg(value_name = "JSON", default_value = "{}")]
    args: String,
}

#[derive(Serialize)]
struct Explained {
    policy: String,
    op: Op,
    resource: String,
    allowed: bool,
    rule: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let policy = super::find(context, &args.policy)?;
    let op: Op = args.op.parse().map_err(FleetError::from)?;
    let json: Value = serde_json::from_str(&args.args).map_err(|error| {
        Failure::usage(
            format!("the arguments are no JSON: {error}"),
            "give an object, as in '{\"path\": \"/etc/hosts\"}'",
        )
    })?;
    let request = Request::read(op, json).map_err(FleetError::from)?;
    let decision = decide(&policy, &request);
    let explained = Explained {
        policy: policy.name.clone(),
        op,
        resource: request.resource(),
        allowed: decision.is_allowed(),
        rule: decision.rule().to_string(),
    };
    context.answer(&explained, text)?;
    if explained.allowed { Ok(()) } else { Err(Failure::Quiet(exit_code(Kind::Refused))) }
}

fn text(explained: &Explained) -> String {
    let verdict = if explained.allowed { "allowed" } else { "denied" };
    format!("{verdict}: {} ({})", explained.rule, explained.policy)
}
