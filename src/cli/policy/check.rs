//! `coalmine policy check`: whether a policy can be used, and what somebody should know of it.

use crate::cli::{context::Context, failure::Outcome, output};
use coalmine_actors::effects::review::review;
use serde::Serialize;
use std::path::PathBuf;

/// Check a policy file: what is wrong ends with an error, what is wide open is told
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What was found of a policy that can be used.
#[derive(Serialize)]
struct Checked {
    policy: String,
    digest: String,
    warnings: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let policy = super::read_file(context, &args.file)?;
    let checked = Checked { policy: policy.name.clone(), digest: policy.digest(), warnings: review(&policy) };
    if !context.json {
        checked.warnings.iter().for_each(|warning| output::note(&format!("warning: {warning}")));
    }
    context.answer(&checked, |checked| match checked.warnings.len() {
        0 => format!("{} can be used", checked.policy),
        1 => format!("{} can be used, with 1 warning", checked.policy),
        several => format!("{} can be used, with {several} warnings", checked.policy),
    })
}
