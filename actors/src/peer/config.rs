//! What one identity is: the registry's record, its runtime's definition and the fleet's defaults, joined. Pure.

use super::{
    input::PeerRules,
    limits::Limits,
    one_task::{OneTask, WakePolicy},
    restart_policy::{RestartLimit, RestartPolicy},
    sandbox::Sandbox,
};
use crate::{
    names::{Generation, Identity, Runtime},
    ports::{Program, ScreenRules},
    provisioner::errand::{Agent, Subject},
    registry::document::PeerSpec,
    runtime::{RuntimeDef, RuntimeKind, StopRecipe},
};
use std::{collections::BTreeMap, path::Path};

/// What holds for every peer of a fleet.
#[derive(Debug, Clone)]
pub struct FleetRules {
    /// The runtimes that exist.
    pub runtimes: BTreeMap<Runtime, RuntimeDef>,
    /// What happens after a death where a peer does not say.
    pub restart: RestartPolicy,
    /// How often a peer may die, and how long it waits, where it does not say.
    pub limit: RestartLimit,
    /// When a life that has one task ends by itself.
    pub one_task: OneTask,
    /// What a peer may use of the host, where it does not say.
    pub limits: Limits,
    /// By what this kernel can hold a peer's program: `landlock-abi7`; nothing where it can not.
    pub held_by: Option<String>,
    /// How many peers may be coming back at once after a mass death.
    pub parallel: usize,
    /// This boot of the host.
    pub boot_id: String,
    /// The version of the helper beside every peer.
    pub helper_version: String,
    /// What runs where neither the peer nor its runtime names a program.
    pub shell: String,
}

impl FleetRules {
    /// What concerns a memory provider of this peer: those of `runtimes` that are agents.
    pub fn subject(&self, spec: &PeerSpec, runtimes: &[Runtime]) -> Subject {
        let agents = runtimes.iter().filter_map(|runtime| {
            let def = self.runtimes.get(runtime).filter(|def| def.kind == RuntimeKind::Agent)?;
            Some(Agent { runtime: runtime.clone(), recipe: def.memory.clone() })
        });
        Subject { personality: spec.personality.clone(), cwd: spec.cwd.clone(), agents: agents.collect() }
    }
}

/// One identity, ready to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerConfig {
    /// What its decisions follow.
    pub rules: PeerRules,
    /// What runs in its pane.
    pub program: Program,
    /// What it may use of the host.
    pub limits: Limits,
    /// Whether the kernel holds its program to its policy.
    pub sandbox: Sandbox,
    /// By what this kernel could.
    pub host: Option<String>,
    /// When it counts as up.
    pub screen: ScreenRules,
    /// What its screen shows while it works, which keeps it awake. What has one task is bounded also where it says for
    /// ever that it works: others wait for its end.
    pub busy: Option<String>,
    /// How its program is asked to end.
    pub stop: StopRecipe,
    /// Arguments that make its program go on with its last conversation.
    pub resume_args: Vec<String>,
    /// Arguments that give its program its hooks; none where the command is another program.
    pub hook_args: Vec<String>,
    /// The highest generation of a namesake that was removed: the first life of this peer comes after it.
    pub retired: Generation,
    /// The policy that governs its effects.
    pub policy: Option<String>,
    /// The version of the helper that watches it.
    pub helper_version: String,
}

/// The configuration of `spec` under `runtime`; `None` where the runtime is not defined. `retired` is the highest
/// generation of a namesake that was removed.
pub fn join(spec: &PeerSpec, runtime: &Runtime, fleet: &FleetRules, retired: Generation) -> Option<PeerConfig> {
    let def = fleet.runtimes.get(runtime)?;
    let argv = match spec.command_of(runtime) {
        Some(command) if !command.is_empty() => command.clone(),
        _ if !def.argv.is_empty() => def.argv.clone(),
        _ => vec![fleet.shell.clone()],
    };
    let hook_args = hook_args(def, &argv);
    let mut env = def.env.clone();
    env.extend(spec.env.clone());
    let sandbox = spec.sandbox.unwrap_or_default();
    let wake_policy = spec.wake_policy.or(def.wake_policy).unwrap_or_default();
    let busy = def.composer.as_ref().and_then(|composer| composer.busy.clone());
    Some(PeerConfig {
        rules: PeerRules {
            identity: Identity::new(runtime.clone(), spec.personality.clone()),
            command: argv.clone(),
            restart: spec.restart.unwrap_or(fleet.restart),
            limit: limit(spec, fleet.limit),
            idle_after_ms: def
                .idle_after(spec.idle_after)
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            can_resume: !def.resume_args.is_empty(),
            one_task: match wake_policy {
                WakePolicy::Persistent => None,
                WakePolicy::Ephemeral => Some(fleet.one_task),
            },
            boot_id: fleet.boot_id.clone(),
            held_by: sandbox.held_by(fleet.held_by.as_deref()),
        },
        program: Program { argv, env, cwd: spec.cwd.clone(), sandbox, policy: spec.policy.clone() },
        sandbox,
        host: fleet.held_by.clone(),
        limits: spec.limits.over(fleet.limits),
        screen: ScreenRules {
            readiness: def.readiness.clone(),
            attention: def.attention.clone(),
            deadline: def.boot_deadline(),
        },
        busy: busy.filter(|_| wake_policy.is_persistent()),
        stop: def.stop.clone(),
        resume_args: def.resume_args.clone(),
        hook_args,
        retired,
        policy: spec.policy.clone(),
        helper_version: fleet.helper_version.clone(),
    })
}

/// Another program than the runtime's own would not know them.
fn hook_args(def: &RuntimeDef, argv: &[String]) -> Vec<String> {
    let name = |argv: &[String]| argv.first().and_then(|program| Path::new(program).file_name()).map(ToOwned::to_owned);
    if name(argv) == name(&def.argv) { def.hook_args.clone() } else { Vec::new() }
}

/// Knobs are checked before they are stored; those of a file that was edited by hand count as absent.
fn limit(spec: &PeerSpec, fleet: RestartLimit) -> RestartLimit {
    spec.restart_knobs.and_then(|knobs| knobs.limit(fleet).ok()).unwrap_or(fleet)
}

impl PeerConfig {
    /// What is started in its pane: its program, with its hooks.
    pub fn launch(&self, resume: bool) -> Program {
        let mut program = self.program(resume);
        let behind_the_name = program.argv.len().min(1);
        program.argv.splice(behind_the_name..behind_the_name, self.hook_args.iter().cloned());
        program
    }

    /// What runs in its pane, as it is told: from the beginning, or with its last conversation.
    pub fn program(&self, resume: bool) -> Program {
        let mut program = self.program.clone();
        if resume {
            program.argv.extend(self.resume_args.iter().cloned());
        }
        program
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn only_the_runtimes_own_program_is_given_its_hooks() {
        let def = RuntimeDef::deserialize(serde_json::json!({
            "kind": "agent", "argv": ["claude"], "hook_args": ["--settings", "{}"],
        }));
        let def = def.unwrap();
        for (argv, given) in [
            (&["claude"][..], true),
            (&["/opt/bin/claude", "--model", "opus"], true),
            (&["my-claude"], false),
            (&["sh", "-c", "claude"], false),
            (&[], false),
        ] {
            let argv: Vec<String> = argv.iter().map(|&arg| arg.to_owned()).collect();
            assert_eq!(!hook_args(&def, &argv).is_empty(), given, "{argv:?}");
        }
    }
}
