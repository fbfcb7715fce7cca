//! `coalmine completions`: a script that teaches a shell the verbs and flags.

use super::{context::Context, failure::Outcome, output};
use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bash:  coalmine completions bash > ~/.local/share/bash-completion/completions/coalmine
  zsh:   coalmine completions zsh > ~/.zfunc/_coalmine      (a folder of $fpath)
  fish:  coalmine completions fish > ~/.config/fish/completions/coalmine.fish")]
pub(super) struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "coalmine", &mut script);
    let script = String::from_utf8(script).expect("a script of our own names is UTF-8");
    let answer = Script { shell: args.shell.to_string(), script };
    // To the letter, not through what drops colours: a script is no text for people.
    if context.json { output::document(&answer, None) } else { output::raw(answer.script.as_bytes()) }
}
