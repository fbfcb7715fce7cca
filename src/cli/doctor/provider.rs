//! The memory provider: what it declares, whether it can be run, and its sign of life.

use crate::{
    age,
    cli::findings::Finding,
    io::{find, provisioner},
    paths::Paths,
};
use coalmine_actors::provisioner::slot::{Provider, Slot};
use jiff::Timestamp;
use std::path::Path;

const SUBJECT: &str = "memory provider";

pub(super) fn check(root: &Path) -> Vec<Finding> {
    let Ok(paths) = Paths::new(root) else { return Vec::new() };
    let slot = provisioner::read_slot(&paths);
    let file = paths.memory_provider();
    let mut found: Vec<_> = slot
        .problems
        .iter()
        .map(|problem| {
            Finding::warn(SUBJECT, format!("{}: {problem}", file.display()), format!("cat {}", file.display()))
        })
        .collect();
    match &slot {
        Slot { provider: Some(provider), .. } => found.extend(provider_findings(provider)),
        Slot { problems, .. } if problems.is_empty() => found.push(Finding::ok(SUBJECT, "none is declared")),
        _ => {}
    }
    found
}

fn provider_findings(provider: &Provider) -> Vec<Finding> {
    let name = format!("{} {}", provider.name, provider.version);
    let mut found = vec![match (&provider.heartbeat, provider.heartbeat.as_deref().map(provisioner::touched)) {
        (Some(_), Some(Some(at))) => {
            Finding::ok(SUBJECT, format!("{name}, heartbeat {} ago", age::since(at, Timestamp::now())))
        }
        (Some(path), _) => {
            let says = format!("{name}: its daemon is not running: no heartbeat file");
            Finding::warn(SUBJECT, says, format!("ls -l {}", path.display()))
        }
        (None, _) => Finding::ok(SUBJECT, name),
    }];
    let commands = [("provision", &provider.provision), ("unprovision", &provider.unprovision)];
    for (block, spec) in commands {
        match spec {
            Some(spec) if !find::is_program(Path::new(&spec.command)) => {
                let says = format!("{block}: command not found or not executable: {}", spec.command);
                found.push(Finding::warn(SUBJECT, says, format!("ls -l {}", spec.command)));
            }
            None if provider.has_commands() => {
                let says = format!("{block}: not declared (a v1.2 declaration needs both directions)");
                found.push(Finding::warn(SUBJECT, says, "coalmine status"));
            }
            _ => {}
        }
    }
    found
}
