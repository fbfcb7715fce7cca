//! `coalmine policy explain`: which rule of a policy decides, by the function that decides when it counts.

use crate::{
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    error::exit_code,
};
use coalmine_actors::{
    effects::{Op, Policy, Request, decide},
    error::{FleetError, Kind},
};
use serde::Serialize;
use serde_json::Value;

/// Say whether a policy allows a call, and which rule decides; nothing is called
#[derive(Debug, clap::Args)]
#[command(override_usage = "coalmine policy explain [OPTIONS] <POLICY> <KIND.OP> [JSON]\n       \
                            coalmine policy explain [OPTIONS] --peer <PEER> <KIND.OP> [JSON]")]
pub(super) struct Args {
    /// The policy that this peer has, in place of POLICY
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    /// The policy (its name in this fleet, or a file), the operation, as in fs.stat, and its arguments as a JSON object
    #[arg(value_name = "POLICY KIND.OP [JSON]", required = true, num_args = 1..=3)]
    call: Vec<String>,
}

/// What is asked about: whose policy, which operation, with which arguments.
struct Asked {
    policy: Policy,
    op: String,
    args: String,
}

impl Args {
    fn asked(&self, context: &Context) -> Outcome<Asked> {
        let mut words = self.call.iter().cloned();
        let policy = match &self.peer {
            Some(peer) => super::of_peer(context, peer)?,
            None => super::find(context, &words.next().unwrap_or_default())?,
        };
        let missing =
            || Failure::usage("no operation is named", "name one, as in fs.stat: `coalmine effect ops` lists them");
        let op = words.next().ok_or_else(missing)?;
        let args = words.next().unwrap_or_else(|| "{}".into());
        match words.next() {
            None => Ok(Asked { policy, op, args }),
            Some(_) => Err(Failure::usage(
                "with --peer there is no POLICY to name",
                "give the operation and its arguments alone: `coalmine policy explain --peer bob fs.stat '{…}'`",
            )),
        }
    }
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
    let Asked { policy, op, args } = args.asked(context)?;
    let op: Op = op.parse().map_err(FleetError::from)?;
    let json: Value = serde_json::from_str(&args).map_err(|error| {
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
