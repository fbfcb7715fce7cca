//! The one function that decides: for `policy explain`, for the run, for the audit log.
//!
//! It looks at names alone. What a name leads to is for the kernel to hold, by the capability that the plan names.

use super::{
    address::Reach,
    argument::{Argv, Handler, Name, PathArg, Place, Variables},
    folder::{climbed, holds, touches},
    handles::HandleKind,
    kind::Kind,
    op::Request,
    origin::{Origin, Scheme, Target},
    plan::{Beneath, Decision, McpPlan, Plan, ProgramPlan},
    policy::{Access, Policy},
    rule::{Never, Rule, ScopeKey},
    scope::{Found, Scope},
};
use crate::names::Identity;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};
use url::Host;

/// An allowed plan with its rule, or the rule that denies.
type Ruling = Result<(Plan, Rule), Rule>;

/// Decides whether `policy` allows `request`, and hands over how.
pub fn decide(policy: &Policy, request: &Request) -> Decision {
    match rule(policy, request) {
        Ok((plan, rule)) => Decision::Allow(plan, rule),
        Err(rule) => Decision::Deny(rule),
    }
}

fn rule(policy: &Policy, request: &Request) -> Ruling {
    let needs = request.op().row().needs;
    // Kinds whose grants have names are looked at with the name, below.
    if let Some(kind) = needs.iter().find(|kind| !named_later(**kind) && !policy.grants(**kind, None)) {
        return Err(Rule::NotGranted(*kind));
    }
    let plain = || Ok((Plan::Plain, needs.first().map_or(Rule::Pure, |kind| Rule::Granted(*kind))));
    match request {
        Request::BudgetRemaining {}
        | Request::IoPrint { .. }
        | Request::LogDebug { .. }
        | Request::LogInfo { .. }
        | Request::LogWarn { .. }
        | Request::LogError { .. }
        | Request::LogSetLevel { .. }
        | Request::LogSetFormat { .. }
        | Request::LogSetSink { path: Place::Own }
        | Request::TimeNow {}
        | Request::DatetimeNow {}
        | Request::TimeSleepMs { .. }
        | Request::RandIntIn { .. }
        | Request::CryptoRandom { .. }
        | Request::ChatBroadcast { .. }
        | Request::ChatSend { .. } => plain(),
        Request::EnvGet { name } => variable(policy, &name.0),

        Request::IoRead { path }
        | Request::FsExists { path }
        | Request::FsIsFile { path }
        | Request::FsIsDir { path }
        | Request::FsStat { path }
        | Request::FsListDir { path, .. }
        | Request::FsWalk { path, .. } => file(policy, Access::Read, path),
        Request::IoWrite { path, .. } | Request::FsMkdirP { path } => file(policy, Access::Write, path),
        Request::FsRemove { path } => remove(policy, path),
        Request::LogSetSink { path: Place::At(path) } => {
            granted(policy, Kind::FsWrite)?;
            file(policy, Access::Write, path)
        }
        Request::FsCopy { src, dst } => {
            let (from, _) = beneath(policy, Access::Read, &src.0)?;
            let (to, rule) = beneath(policy, Access::Write, &dst.0)?;
            Ok((Plan::Copy { from, to }, rule))
        }
        Request::FsGlob { pattern, .. } => {
            let (folder, pattern) = pattern.split();
            let (within, rule) = beneath(policy, Access::Read, &folder)?;
            Ok((Plan::Glob { within, pattern }, rule))
        }

        Request::ProcSpawn { program, args } | Request::ProcessRun { program, args, .. } => {
            run(policy, program, args, None, &Variables::default())
        }
        Request::ProcessSpawn { program, args, cwd, env, .. } => run(policy, program, args, cwd.as_ref(), env),
        Request::ProcessReadStdoutLine { .. }
        | Request::ProcessReadStderrLine { .. }
        | Request::ProcessWait { .. }
        | Request::ProcessKill { .. } => held(HandleKind::Process, Kind::Proc),

        Request::NetGet { url }
        | Request::NetPost { url, .. }
        | Request::HttpGet { url }
        | Request::HttpPost { url, .. }
        | Request::HttpSend { url, .. } => connect(policy, &url.0),
        Request::NetServe { port, handler } | Request::NetServeWs { port, handler } => {
            listen(policy, port.0, handler, None)
        }
        Request::NetAddress { .. } | Request::NetClose { .. } => held(HandleKind::Server, Kind::NetListen),
        Request::NetServeTls { port, cert, key, handler } => listen(policy, port.0, handler, Some((cert, key))),

        Request::KvOpen { path: None } | Request::SqlOpen { path: Place::Own } => {
            Ok((Plan::Store(None), needs.first().map_or(Rule::Pure, |kind| Rule::Granted(*kind))))
        }
        Request::KvOpen { path: Some(path) } | Request::SqlOpen { path: Place::At(path) } => {
            let (at, rule) = beneath(policy, Access::Write, &path.0)?;
            Ok((Plan::Store(Some(at)), rule))
        }
        Request::KvClose { .. }
        | Request::KvGet { .. }
        | Request::KvPut { .. }
        | Request::KvDelete { .. }
        | Request::KvContains { .. }
        | Request::KvListPrefix { .. } => held(HandleKind::Kv, Kind::Kv),
        Request::SqlClose { .. } | Request::SqlExec { .. } | Request::SqlQuery { .. } => {
            held(HandleKind::Sql, Kind::Sql)
        }

        Request::AgentCallMcp { server, tool, .. } => tool_server(policy, &server.0, tool),
        Request::AgentLocalComplete { .. } | Request::AgentCloudComplete { .. } => {
            let provider = request.provider().unwrap_or_default();
            named(policy, Kind::Llm, provider)?;
            Ok((Plan::Llm(provider.to_owned()), Rule::Llm(provider.to_owned())))
        }
        Request::AgentSendA2a { peer, .. } => {
            recipient(policy, &peer.0)?;
            Ok((Plan::A2a(peer.0.clone()), Rule::Granted(Kind::A2a)))
        }
    }
}

fn named_later(kind: Kind) -> bool {
    matches!(kind, Kind::Mcp | Kind::Llm | Kind::A2a)
}

fn granted(policy: &Policy, kind: Kind) -> Result<(), Rule> {
    if policy.grants(kind, None) { Ok(()) } else { Err(Rule::NotGranted(kind)) }
}

/// Of a kind that is granted by name: not at all, or not this name.
fn named(policy: &Policy, kind: Kind, of: &str) -> Result<(), Rule> {
    if policy.grants(kind, Some(of)) {
        Ok(())
    } else if policy.allow.iter().any(|grant| grant.kind() == kind) {
        Err(Rule::NoName(kind))
    } else {
        Err(Rule::NotGranted(kind))
    }
}

/// A peer by its name, or by the identity of one that is granted. Whom the text means when it is sent is the registry's to
/// say: whoever sends it looks at the peer that was found ([`reaches`]).
fn recipient(policy: &Policy, peer: &str) -> Result<(), Rule> {
    let owner = peer.parse::<Identity>().ok();
    match owner {
        Some(identity) if reaches(policy, &identity) => Ok(()),
        _ => named(policy, Kind::A2a, peer),
    }
}

/// Whether `policy` grants messages to this peer, by its name or by this identity.
pub fn reaches(policy: &Policy, peer: &Identity) -> bool {
    let names = [peer.personality().to_string(), peer.to_string()];
    names.iter().any(|name| policy.grants(Kind::A2a, Some(name)))
}

/// The deepest granted root that `path` lies beneath.
fn beneath(policy: &Policy, access: Access, path: &Path) -> Result<(Beneath, Rule), Rule> {
    let key = match access {
        Access::Read => ScopeKey::FsRead,
        Access::Write => ScopeKey::FsWrite,
    };
    let within = policy.roots(access).iter().enumerate();
    let found = within.filter_map(|(root, folder)| Some((root, folder, folder.beneath(path)?)));
    let deepest = found.max_by_key(|(_, folder, _)| folder.path().as_os_str().len());
    let (root, folder, rest) = deepest.ok_or(Rule::Outside(key))?;
    let real = folder.real().join(&rest);
    let changes_a_parent = access == Access::Write && holds(&real, &policy.never);
    if touches(&real, &policy.never) || touches(path, &policy.never) || changes_a_parent {
        return Err(Rule::Never(Never::FleetsOwn));
    }
    let found = if policy.folders(access).is_any() { Found::Any } else { Found::At(root) };
    Ok((Beneath { access, root, path: rest }, Rule::Scope(key, found)))
}

fn file(policy: &Policy, access: Access, path: &PathArg) -> Ruling {
    beneath(policy, access, &path.0).map(|(at, rule)| (Plan::File(at), rule))
}

fn remove(policy: &Policy, path: &PathArg) -> Ruling {
    let (at, rule) = beneath(policy, Access::Write, &path.0)?;
    // `a/..` is the root again, and through a link `..` may be it where the names do not say so.
    if climbed(&at.path).as_os_str().is_empty() || at.path.file_name().is_none() {
        return Err(Rule::Never(Never::Root));
    }
    Ok((Plan::File(at), rule))
}

fn variable(policy: &Policy, name: &str) -> Ruling {
    if is_secret(name) {
        return Err(Rule::Never(Never::Secret));
    }
    let found = policy.env.find(|listed| listed == name).ok_or(Rule::Outside(ScopeKey::Env))?;
    Ok((Plan::Plain, Rule::Scope(ScopeKey::Env, found)))
}

/// Whether a variable's name says that it holds what nobody is to see.
pub fn is_secret(name: &str) -> bool {
    const WITHIN: &[&str] = &["APIKEY", "CREDENTIAL", "PASSPHRASE", "PASSWD", "PASSWORD", "SECRET", "TOKEN"];
    const PARTS: &[&str] = &["AUTH", "CREDS", "KEY", "KEYS", "PASS", "PAT"];
    let name = name.to_ascii_uppercase();
    name.starts_with("COALMINE_")
        || WITHIN.iter().any(|word| name.contains(word))
        || name.split('_').any(|part| PARTS.contains(&part))
}

/// Whether a loader or an interpreter obeys it: with it a caller would choose what a granted program does.
pub fn is_obeyed(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "BASH_ENV",
        "CDPATH",
        "CLASSPATH",
        "EDITOR",
        "ENV",
        "GLIBC_TUNABLES",
        "HOME",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "LESSOPEN",
        "LESSCLOSE",
        "PAGER",
        "PATH",
        "PROMPT_COMMAND",
        "PS4",
        "SHELL",
        "SHELLOPTS",
        "TMPDIR",
        "VISUAL",
    ];
    const PREFIXES: &[&str] =
        &["BASH_FUNC", "DYLD_", "GCONV_", "GIT_", "LD_", "MALLOC_", "NODE_", "NPM_", "PERL", "PYTHON", "RUBY", "SSH_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn run(policy: &Policy, program: &Name, args: &Argv, cwd: Option<&PathArg>, env: &Variables) -> Ruling {
    let plan = program_plan(policy, &program.0, Some(&args.0), cwd)?;
    for name in env.0.keys() {
        if is_secret(name) {
            return Err(Rule::Never(Never::Secret));
        }
        if is_obeyed(name) {
            return Err(Rule::Never(Never::LoaderVariable));
        }
        policy.env.find(|listed| listed == name).ok_or(Rule::Outside(ScopeKey::Env))?;
    }
    let rule = Rule::Program(plan.name.clone());
    Ok((Plan::Program(Box::new(plan)), rule))
}

fn program_plan(
    policy: &Policy,
    name: &str,
    args: Option<&[String]>,
    cwd: Option<&PathArg>,
) -> Result<ProgramPlan, Rule> {
    let grant = policy.programs.get(name).ok_or(Rule::NoProgram)?;
    if args.is_some_and(|args| !grant.allows(args)) {
        return Err(Rule::Arguments(name.to_owned()));
    }
    let cwd = cwd.map(|cwd| beneath(policy, Access::Read, &cwd.0)).transpose()?.map(|(at, _)| at);
    Ok(ProgramPlan { name: name.to_owned(), grant: grant.clone(), cwd })
}

fn held(kind: HandleKind, granted: Kind) -> Ruling {
    Ok((Plan::Handle(kind), Rule::Granted(granted)))
}

fn connect(policy: &Policy, target: &Target) -> Ruling {
    let found = policy.net.find(|origin| *origin == target.origin).ok_or(Rule::Outside(ScopeKey::Net))?;
    // An open scope names no address: what is not public stays out of reach.
    let named = match (found, target.origin.address()) {
        (Found::At(_), address) => address,
        (Found::Any, Some(address)) if Reach::of(address) != Reach::Public => return Err(Rule::Never(Never::Address)),
        (Found::Any, _) => None,
    };
    Ok((Plan::Connect { target: Box::new(target.clone()), named }, Rule::Scope(ScopeKey::Net, found)))
}

/// Where nothing else is named a server is there for this host alone.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn listen(policy: &Policy, port: u16, handler: &Handler, tls: Option<(&PathArg, &PathArg)>) -> Ruling {
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let (address, found) = match &policy.net {
        Scope::Any => (LOOPBACK, Found::Any),
        scope => {
            let at = |origin: &Origin| match origin.host() {
                _ if origin.port() != port || origin.scheme() != scheme => None,
                Host::Domain(name) => (name == "localhost").then_some(LOOPBACK),
                _ => origin.address(),
            };
            let named = scope.listed().iter().enumerate().find_map(|(index, origin)| Some((at(origin)?, index)));
            let (address, index) = named.ok_or(Rule::Outside(ScopeKey::Net))?;
            (address, Found::At(index))
        }
    };
    let file = |path: &PathArg| beneath(policy, Access::Read, &path.0).map(|(at, _)| at);
    let tls = tls.map(|(cert, key)| Ok((file(cert)?, file(key)?))).transpose()?.map(Box::new);
    let program = match Plan::answers_by_program(handler) {
        Some(name) => {
            granted(policy, Kind::Proc)?;
            // It is run without arguments: what it answers it reads.
            Some(Box::new(program_plan(policy, name, Some(&[]), None)?))
        }
        None => None,
    };
    if let Handler::Peer(peer) = handler {
        recipient(policy, &peer.0)?;
    }
    Ok((Plan::Listen { address, tls, program }, Rule::Scope(ScopeKey::Net, found)))
}

fn tool_server(policy: &Policy, server: &str, tool: &str) -> Ruling {
    named(policy, Kind::Mcp, server)?;
    let grant = policy.mcp.get(server).ok_or(Rule::NoName(Kind::Mcp))?;
    grant.tools.find(|listed| listed == tool).ok_or_else(|| Rule::NoTool(server.to_owned()))?;
    let plan = McpPlan { name: server.to_owned(), grant: grant.clone() };
    Ok((Plan::Mcp(Box::new(plan)), Rule::Mcp(server.to_owned())))
}
