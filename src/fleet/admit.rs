//! Checks what `create` was given, against the host, before anything is made.

use crate::io::{effects::Policies, find, limits, servers::walls};
use coalmine_actors::{
    error::FleetError,
    fleet::request::CreatePeer,
    names::{Identity, Personality, Runtime},
    peer::{config::FleetRules, sandbox::Sandbox},
    registry::document::{Intelligence, PeerSpec},
    runtime::{RuntimeDef, RuntimeKind},
};
use rustix::fs::Access;
use std::{collections::BTreeMap, io, path::Path};

/// Most of a command's arguments, and the longest, bytes.
const ARGS_MAX: usize = 1_024;
const ARG_BYTES_MAX: usize = 64 * 1024;

/// The registry's record of the wanted peer, and the identity that was asked for.
///
/// # Errors
/// What is wrong with the name, the runtime, the folder, the command, a variable or the policy.
pub(super) fn spec(
    wanted: CreatePeer,
    rules: &FleetRules,
    policies: &Policies,
) -> Result<(PeerSpec, Identity), FleetError> {
    let personality: Personality = wanted.name.parse()?;
    let (runtime, def) = runtime(&wanted, rules)?;
    cwd(&wanted.cwd)?;
    variables(&wanted.env)?;
    limits::fits_host(&wanted.limits)?;
    policy(wanted.policy.as_deref(), policies)?;
    if wanted.sandbox == Some(Sandbox::Required) {
        walls::required(rules.held_by.is_some())?;
    }
    let program = wanted.command.first().or(def.argv.first());
    if let Some(program) = program {
        command(program, &wanted)?;
    }
    let intelligence = match def.kind {
        RuntimeKind::Agent => Intelligence::Artificial,
        RuntimeKind::Program => Intelligence::Absent,
    };
    let identity = Identity::new(runtime.clone(), personality.clone());
    let spec = PeerSpec {
        personality,
        runtimes: vec![runtime.clone()],
        default_runtime: runtime,
        cwd: wanted.cwd,
        description: wanted.description.unwrap_or_default(),
        intelligence,
        command: (!wanted.command.is_empty()).then_some(wanted.command),
        commands: BTreeMap::new(),
        env: wanted.env,
        restart: wanted.restart,
        restart_knobs: wanted.restart_knobs,
        idle_after: wanted.idle_after,
        wake_policy: wanted.wake_policy,
        limits: wanted.limits,
        policy: wanted.policy,
        sandbox: wanted.sandbox,
        phase: None,
        extra: serde_json::Map::new(),
    };
    Ok((spec, identity))
}

/// The runtime that was named; else `shell` for a command; else the one agent that is installed.
fn runtime<'r>(wanted: &CreatePeer, rules: &'r FleetRules) -> Result<(Runtime, &'r RuntimeDef), FleetError> {
    let known = || rules.runtimes.keys().map(ToString::to_string).collect::<Vec<_>>();
    let named = match (&wanted.runtime, wanted.command.is_empty()) {
        (Some(name), _) => name.clone(),
        (None, false) => "shell".into(),
        (None, true) => only_agent(rules)?,
    };
    let runtime: Runtime = named.parse()?;
    match rules.runtimes.get(&runtime) {
        Some(def) => Ok((runtime, def)),
        None => Err(FleetError::UnknownRuntime { name: named, known: known() }),
    }
}

fn only_agent(rules: &FleetRules) -> Result<String, FleetError> {
    let agents = rules.runtimes.iter().filter(|(_, def)| def.kind == RuntimeKind::Agent);
    let (installed, missing): (Vec<_>, Vec<_>) = agents
        .map(|(name, def)| (name.to_string(), def.argv.first().is_some_and(|program| find::in_path(program).is_some())))
        .partition(|(_, installed)| *installed);
    let names = |list: &[(String, bool)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
    match installed.as_slice() {
        [(only, _)] => Ok(only.clone()),
        [] => Err(FleetError::RuntimeUnclear { why: format!("no agent is in PATH (looked for {})", names(&missing)) }),
        several => Err(FleetError::RuntimeUnclear { why: format!("several agents are in PATH: {}", names(several)) }),
    }
}

fn cwd(path: &Path) -> Result<(), FleetError> {
    let bad = |why: &str| FleetError::BadCwd { path: path.to_owned(), why: why.into() };
    if !path.is_absolute() {
        return Err(bad("is not an absolute path"));
    }
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(bad("does not exist")),
        Err(error) => return Err(bad(&format!("can not be looked at: {error}"))),
        Ok(meta) if !meta.is_dir() => return Err(bad("is not a folder")),
        Ok(_) => {}
    }
    rustix::fs::access(path, Access::EXEC_OK).map_err(|_denied| bad("may not be entered by this user"))
}

fn variables(env: &BTreeMap<String, String>) -> Result<(), FleetError> {
    for (key, value) in env {
        let why = match key {
            _ if !is_variable(key) => "its name is not letters, digits and _, no digit first",
            _ if value.contains('\0') => "its value holds a NUL character",
            _ if is_ours(key) => "the fleet sets it",
            _ => continue,
        };
        let key: String = key.chars().take(64).collect();
        return Err(FleetError::Usage {
            what: format!("the variable {key:?} can not be set: {why}"),
            hint: "give it as NAME=VALUE, with a name that is the program's own".into(),
        });
    }
    Ok(())
}

/// A name that every shell can read.
fn is_variable(key: &str) -> bool {
    !key.starts_with(|first: char| first.is_ascii_digit())
        && !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What the way into the pane sets or takes away (spec 01 §3): a peer's own would be lost without a word.
fn is_ours(key: &str) -> bool {
    matches!(key, "TMUX" | "TMUX_PANE") || ["PEER_", "COALMINE_"].iter().any(|prefix| key.starts_with(prefix))
}

/// One that is named must be there, and can be read: nobody is held by a policy that is not.
fn policy(name: Option<&str>, policies: &Policies) -> Result<(), FleetError> {
    name.map_or(Ok(()), |name| policies.read(name).map(drop))
}

fn command(program: &str, wanted: &CreatePeer) -> Result<(), FleetError> {
    let bad = |why: String| FleetError::BadCommand { command: program.into(), why };
    if wanted.command.len() > ARGS_MAX {
        return Err(bad(format!("has more than {ARGS_MAX} arguments")));
    }
    if wanted.command.iter().any(|arg| arg.len() > ARG_BYTES_MAX || arg.contains('\0')) {
        return Err(bad(format!("has an argument with a NUL character or of more than {ARG_BYTES_MAX} bytes")));
    }
    let found = if program.contains('/') {
        find::is_program(&wanted.cwd.join(program))
    } else {
        match wanted.env.get("PATH") {
            Some(path) => find::in_path_of(program, path.as_ref()).is_some(),
            None => find::in_path(program).is_some(),
        }
    };
    if found { Ok(()) } else { Err(bad("is not a program that can be run".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_are_malformed_or_the_fleets_own_are_refused() {
        let set = |key: &str| variables(&BTreeMap::from([(key.to_owned(), "x".to_owned())]));
        for bad in ["", "A B", "1A", "A-B", "PEER_GENERATION", "COALMINE_LIFE", "TMUX", "TMUX_PANE"] {
            assert_eq!(set(bad).unwrap_err().code(), "usage", "{bad:?}");
        }
        for good in ["A", "_a1", "PATH", "TMUX_TMPDIR", "PEERS"] {
            set(good).unwrap();
        }
    }

    #[test]
    fn a_policy_that_is_named_is_there_and_can_be_read() {
        let root = tempfile::tempdir().unwrap();
        let policies = Policies::new(&crate::paths::Paths::new(root.path()).unwrap());
        std::fs::create_dir(root.path().join("policies")).unwrap();
        std::fs::write(policies.path("strict"), "").unwrap();
        std::fs::write(policies.path("broken"), "[alow]").unwrap();
        for (name, code) in [
            (None, None),
            (Some("none"), None),
            (Some("strict"), None),
            (Some("strcit"), Some("unknown-policy")),
            (Some("../strict"), Some("unknown-policy")),
            (Some("broken"), Some("bad-policy")),
        ] {
            assert_eq!(policy(name, &policies).err().map(|error| error.code()), code, "{name:?}");
        }
        assert!(policy(Some("strcit"), &policies).unwrap_err().hint().contains("strict"));
    }

    #[test]
    fn what_must_be_held_is_refused_where_nothing_holds_it() {
        let rules = |held_by: Option<&str>| FleetRules {
            held_by: held_by.map(str::to_owned),
            ..crate::fleet::start::rules(&crate::config::Config::default()).unwrap()
        };
        let wanted = |sandbox| CreatePeer {
            name: "bob".into(),
            cwd: "/".into(),
            command: vec!["/bin/true".into()],
            sandbox,
            ..CreatePeer::default()
        };
        let nowhere = Policies::of_root(std::path::Path::new("/nowhere"));
        let refused = spec(wanted(Some(Sandbox::Required)), &rules(None), &nowhere).unwrap_err();
        assert_eq!((refused.code(), refused.to_string().contains("no Landlock")), ("unsupported", true), "{refused}");
        spec(wanted(Some(Sandbox::Required)), &rules(Some("landlock-abi7")), &nowhere).unwrap();
        for unheld in [Some(Sandbox::BestEffort), Some(Sandbox::Off), None] {
            spec(wanted(unheld), &rules(None), &nowhere).unwrap();
        }
    }
}
