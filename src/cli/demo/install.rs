//! Installs tmux with the system's own package manager, for whoever said yes to that.

use crate::{
    cli::failure::{Failure, Outcome},
    io::find,
};
use coalmine_actors::error::{FleetError, Kind};
use std::process::Stdio;
use tokio::process::Command;

/// A package manager, and what makes it install tmux without a question.
const MANAGERS: [(&str, &[&str]); 6] = [
    ("apt-get", &["install", "-y", "--no-install-recommends", "tmux"]),
    ("dnf", &["install", "-y", "tmux"]),
    ("pacman", &["-S", "--noconfirm", "tmux"]),
    ("zypper", &["--non-interactive", "install", "tmux"]),
    ("apk", &["add", "tmux"]),
    ("xbps-install", &["-Sy", "tmux"]),
];

/// Installs tmux, or says how.
pub(super) async fn tmux(yes: bool, say: impl Fn(&str)) -> Outcome {
    let manager = MANAGERS.iter().find_map(|(name, args)| Some((find::in_path(name)?, *name, *args)));
    let Some((program, name, args)) = manager else { return Err(FleetError::TmuxMissing.into()) };
    let root = rustix::process::geteuid().is_root();
    let command = format!("{}{name} {}", if root { "" } else { "sudo " }, args.join(" "));
    if !yes {
        let hint = format!("`{command}` installs it; `coalmine demo --yes` does that for you");
        return Err(Failure::new(Kind::Failed, "tmux-missing", FleetError::TmuxMissing, hint));
    }
    say(&format!("tmux is not installed: {command}"));
    // A new machine has no package lists yet. Where this fails the install says why.
    if name == "apt-get" {
        let _ = run(&program, &["update"], root).await;
    }
    run(&program, args, root).await.map_err(|why| {
        Failure::new(
            Kind::Failed,
            "tmux-missing",
            format!("tmux could not be installed: {why}"),
            format!("try `{command}`"),
        )
    })?;
    find::tmux()?;
    Ok(())
}

/// Runs the package manager; its words go to stderr, where they do not mix with an answer.
async fn run(program: &std::path::Path, args: &[&str], root: bool) -> Result<(), String> {
    let mut command = if root {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("-n").arg(program);
        sudo
    };
    let output = command
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status()
        .await
        .map_err(|error| error.to_string())?;
    if output.success() { Ok(()) } else { Err(output.to_string()) }
}
