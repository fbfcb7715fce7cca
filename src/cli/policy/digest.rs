//! `coalmine policy digest`: what a policy says, in short, and the digest by which two can be told apart.

use crate::cli::{context::Context, failure::Outcome, output};
use coalmine_actors::effects::{Policy, folder::Folder, scope::Scope};
use comfy_table::Cell;
use serde_json::json;
use std::fmt::Display;

/// Show what a policy allows, in short, with its SHA-256
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy: its name in this fleet, or a file
    #[arg(value_name = "POLICY")]
    policy: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let policy = super::find(context, &args.policy)?;
    if context.json {
        return output::document(&json!({ "sha256": policy.digest(), "policy": policy }), None);
    }
    output::print(&text(&policy))
}

fn text(policy: &Policy) -> String {
    let mut card = output::table(&[]);
    let mut row = |name: &str, value: String| {
        card.add_row([output::key(name), Cell::new(value)]);
    };
    let path = |folder: &Folder| folder.path().display().to_string();
    row("policy", policy.name.clone());
    row("sha256", policy.digest());
    row("effects", joined(&policy.allow));
    row("fs_read", reach(&policy.fs_read, path));
    row("fs_write", reach(&policy.fs_write, path));
    row("net", reach(&policy.net, ToString::to_string));
    row("env", reach(&policy.env, Clone::clone));
    row("programs", joined(policy.programs.keys()));
    row("mcp", joined(policy.mcp.keys()));
    let budget = &policy.budget;
    let ceilings = [
        budget.calls.map(|calls| format!("{calls} calls")),
        budget.wall.map(|wall| format!("{wall:?} of time")),
        budget.bytes_out.map(|bytes| format!("{bytes} bytes out")),
        budget.llm_tokens.map(|tokens| format!("{tokens} tokens")),
    ];
    let ceilings: Vec<_> = ceilings.into_iter().flatten().collect();
    row("budget", if ceilings.is_empty() { "no ceiling".into() } else { ceilings.join(", ") });
    output::rendered(&mut card)
}

fn joined<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// What is open is spelled out.
fn reach<T>(scope: &Scope<T>, text: impl Fn(&T) -> String) -> String {
    match scope {
        Scope::Any => "ANY".into(),
        scope => joined(scope.listed().iter().map(text)),
    }
}
