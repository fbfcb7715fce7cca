//! `coalmine effect ops`: every operation, with what it needs and takes.

use crate::cli::{
    context::Context,
    failure::{Failure, Outcome},
    output,
};
use coalmine_actors::effects::{Op, op::ArgRow};
use serde_json::{Value, json};

/// List the operations, with what must be granted for each and what it takes
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this one, with the JSON schema of its arguments
    #[arg(value_name = "KIND.OP")]
    op: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let one = args.op.as_deref().map(str::parse::<Op>).transpose();
    let one = one.map_err(|error| Failure::usage(error, "`coalmine effect ops` lists them"))?;
    match one {
        Some(op) => context.answer(&described(op), |described| {
            serde_json::to_string_pretty(described).expect("what is described has only text keys")
        }),
        None => {
            let all: Vec<_> = Op::ALL.iter().map(|op| described(*op)).collect();
            context.answer(&all, |_| table())
        }
    }
}

fn described(op: Op) -> Value {
    let row = op.row();
    let needs: Vec<_> = row.needs.iter().map(|kind| kind.name()).collect();
    json!({ "op": row.name, "needs": needs, "cost": row.cost, "arguments": op.schema(), "gives": row.gives })
}

fn table() -> String {
    let mut table = output::table(&["OPERATION", "NEEDS", "ARGUMENTS"]);
    for op in Op::ALL {
        let row = op.row();
        let needs: Vec<_> = row.needs.iter().map(|kind| kind.name()).collect();
        let args: Vec<_> = row.args.iter().map(argument).collect();
        table.add_row([row.name.to_owned(), needs.join(" + "), args.join(", ")]);
    }
    output::rendered(&mut table)
}

/// `cursor?` may be left out.
fn argument(arg: &ArgRow) -> String {
    format!("{}{}", arg.name, if arg.optional { "?" } else { "" })
}
