//! A policy as a person writes it: TOML, in which an unknown key is an error, and what is left out is denied.

use super::{
    argument::{ARG_BYTES_MAX, ARGS_MAX, is_variable},
    budget::Budget,
    decide::is_secret,
    folder::Folder,
    kind::{Grant, is_name},
    op::Op,
    origin::Origin,
    policy::{McpGrant, McpServer, Policy},
    program::{ArgPattern, PROGRAM_TIME_DEFAULT, PROGRAM_TIME_MAX, ProgramGrant, Sha256Hex},
    scope::Scope,
};
use crate::{peer::limits::MemorySize, toml_error::explain};
use jiff::SignedDuration;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Largest policy file, bytes.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    allow: AllowTable,
    #[serde(default)]
    scope: ScopeTable,
    #[serde(default)]
    program: BTreeMap<String, ProgramTable>,
    #[serde(default)]
    mcp: BTreeMap<String, McpTable>,
    #[serde(default)]
    budget: BudgetTable,
    #[serde(default)]
    random: RandomTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    #[serde(default)]
    effects: Vec<Grant>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeTable {
    fs_read: Option<Reach>,
    fs_write: Option<Reach>,
    net: Option<Reach>,
    env: Option<Reach>,
}

/// `"any"`, or a list.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"any\" or a list of texts")]
enum Reach {
    Word(String),
    List(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramTable {
    path: PathBuf,
    sha256: Option<String>,
    args: Option<Vec<Vec<String>>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    timeout: Option<SignedDuration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct McpTable {
    command: Option<Vec<String>>,
    url: Option<String>,
    tools: Option<Reach>,
    env: Option<BTreeMap<String, String>>,
    timeout: Option<SignedDuration>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetTable {
    calls: Option<u64>,
    wall: Option<SignedDuration>,
    bytes_out: Option<MemorySize>,
    llm_tokens: Option<u64>,
    #[serde(default)]
    cost: BTreeMap<Op, u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomTable {
    seed: Option<u64>,
}

/// Reads the policy `name` from its file's text.
///
/// # Errors
/// Where and what: `line 3: unknown key "polcy"; did you mean "policy"?`, `scope.net[0] "x": it is no URL`.
pub fn parse(name: &str, text: &str) -> Result<Policy, String> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(format!("it has more than {POLICY_BYTES_MAX} bytes, which are the limit"));
    }
    let file: PolicyFile = toml::from_str(text).map_err(|error| explain(text, &error))?;
    let ScopeTable { fs_read, fs_write, net, env } = file.scope;
    Ok(Policy {
        name: name.to_owned(),
        allow: file.allow.effects.into_iter().collect(),
        fs_read: scope("scope.fs_read", fs_read, |path| Folder::new(path).map_err(String::from))?,
        fs_write: scope("scope.fs_write", fs_write, |path| Folder::new(path).map_err(String::from))?,
        net: scope("scope.net", net, |origin| origin.parse::<Origin>().map_err(String::from))?,
        env: scope("scope.env", env, |name| variable(&name).map(|()| name))?,
        programs: named("program", file.program, program)?,
        mcp: named("mcp", file.mcp, tool_server)?,
        budget: budget(file.budget)?,
        random_seed: file.random.seed,
        never: Vec::new(),
    })
}

fn scope<T>(key: &str, reach: Option<Reach>, read: impl Fn(String) -> Result<T, String>) -> Result<Scope<T>, String> {
    match reach {
        None => Ok(Scope::Deny),
        Some(Reach::Word(word)) if word == "any" => Ok(Scope::Any),
        Some(Reach::Word(word)) => Err(format!("{key} is {word:?}; it must be a list, or \"any\"")),
        Some(Reach::List(list)) if list.is_empty() => {
            Err(format!("{key} is empty and so grants nothing: leave it out, or list something"))
        }
        Some(Reach::List(list)) => {
            let entry = |(index, text): (usize, String)| {
                read(text.clone()).map_err(|why| format!("{key}[{index}] {text:?}: {why}"))
            };
            list.into_iter().enumerate().map(entry).collect::<Result<_, _>>().map(Scope::only)
        }
    }
}

fn variable(name: &str) -> Result<(), String> {
    if !is_variable(name) {
        Err("it is not the name of a variable".into())
    } else if is_secret(name) {
        Err("it holds a secret by its name, and those are never shown".into())
    } else {
        Ok(())
    }
}

fn named<T, G>(
    table: &str,
    entries: BTreeMap<String, T>,
    read: impl Fn(T) -> Result<G, String>,
) -> Result<BTreeMap<String, G>, String> {
    let entry = |(name, value): (String, T)| {
        if !is_name(&name) {
            return Err(format!("[{table}.{name:?}]: a name is of a-z, 0-9, `-`, `_` and `.`"));
        }
        let grant = read(value).map_err(|why| format!("{table}.{name}.{why}"))?;
        Ok((name, grant))
    };
    entries.into_iter().map(entry).collect()
}

fn program(table: ProgramTable) -> Result<ProgramGrant, String> {
    let ProgramTable { path, sha256, args, env, timeout } = table;
    let path = Folder::new(path).map_err(|why| format!("path: {why}"))?.path().to_owned();
    let not_hex = || "sha256: it is not 64 hex digits in lower case".to_owned();
    let sha256 = sha256.map(|text| Sha256Hex::new(&text).ok_or_else(not_hex)).transpose()?;
    if args.as_ref().is_some_and(Vec::is_empty) {
        return Err("args is empty, so that no call would fit: leave it out, or list patterns".into());
    }
    Ok(ProgramGrant {
        path,
        sha256,
        args: args.into_iter().map(|patterns| patterns.into_iter().map(ArgPattern::new).collect()).collect(),
        env: environment(env)?,
        timeout: longest(timeout)?,
    })
}

/// Variables that can be set.
fn environment(env: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    match env.iter().find(|(name, value)| !is_variable(name) || value.contains('\0')) {
        Some((name, _)) => Err(format!("env: {name:?} can not be set")),
        None => Ok(env),
    }
}

fn longest(timeout: Option<SignedDuration>) -> Result<Duration, &'static str> {
    let timeout = timeout.map_or(Ok(PROGRAM_TIME_DEFAULT), Duration::try_from).ok();
    let timeout = timeout.filter(|time| !time.is_zero() && *time <= PROGRAM_TIME_MAX);
    timeout.ok_or("timeout must be over 0 and at most 24h")
}

fn tool_server(table: McpTable) -> Result<McpGrant, String> {
    let McpTable { command, url, tools, env, timeout } = table;
    let at = match (command, url) {
        (Some(command), None) => command_of(command, env.unwrap_or_default())?,
        (None, Some(_)) if env.is_some() => {
            return Err("env: what is reached by an `url` is not started here, and has no environment of ours".into());
        }
        (None, Some(url)) => {
            url.parse::<super::origin::Target>().map_err(|why| format!("url: {why}"))?;
            McpServer::Url(url)
        }
        _ => return Err("command: give either `command` or `url`".into()),
    };
    let tool = |name: String| if name.is_empty() { Err("it is empty".to_owned()) } else { Ok(name) };
    Ok(McpGrant { at, tools: scope("tools", tools, tool)?, timeout: longest(timeout)? })
}

fn command_of(command: Vec<String>, env: BTreeMap<String, String>) -> Result<McpServer, String> {
    let mut words = command.into_iter();
    let path = words.next().ok_or("command is empty: give a program's path and its arguments")?;
    let path = Folder::new(path).map_err(|why| format!("command[0]: {why}"))?.path().to_owned();
    let args: Vec<_> = words.collect();
    if args.len() > ARGS_MAX {
        return Err(format!("command: it has more than {ARGS_MAX} arguments, which are the limit"));
    }
    if let Some(at) = args.iter().position(|arg| arg.len() > ARG_BYTES_MAX || arg.contains('\0')) {
        return Err(format!("command[{}]: it holds NUL, or more than {ARG_BYTES_MAX} bytes", at + 1));
    }
    Ok(McpServer::Command { path, args, env: environment(env)? })
}

fn budget(table: BudgetTable) -> Result<Budget, String> {
    let negative = |_| "budget.wall must not be negative".to_owned();
    Ok(Budget {
        calls: table.calls,
        wall: table.wall.map(Duration::try_from).transpose().map_err(negative)?,
        bytes_out: table.bytes_out.map(MemorySize::bytes),
        llm_tokens: table.llm_tokens,
        costs: table.cost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::kind::Kind;

    const WHOLE: &str = r#"
        [allow]
        effects = ["fs.read", "fs.list", "net.connect", "proc", "kv", "log", "clock", "mcp:github"]
        [scope]
        fs_read = ["/home/me/project"]
        fs_write = ["/home/me/project/out/"]
        net = ["https://api.example.com", "http://127.0.0.1:8080"]
        env = ["LANG", "EDITOR"]
        [program.git]
        path = "/usr/bin/git"
        args = [["status"], ["log", "--", "*"]]
        env = { GIT_PAGER = "cat" }
        timeout = "60s"
        [mcp.github]
        command = ["/usr/local/bin/github-mcp"]
        tools = ["search_issues"]
        [budget]
        calls = 10000
        wall = "10m"
        bytes_out = "100MiB"
        llm_tokens = 200000
        cost = { "io.read" = 3 }
        [random]
        seed = 7
    "#;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let policy = parse("strict", WHOLE).unwrap();
        assert!(policy.grants(Kind::FsRead, None) && !policy.grants(Kind::FsWrite, None));
        assert!(policy.grants(Kind::Mcp, Some("github")) && !policy.grants(Kind::Mcp, Some("gitlab")));
        assert_eq!(policy.fs_write.listed()[0].path(), std::path::Path::new("/home/me/project/out"));
        assert_eq!(policy.programs["git"].timeout, Duration::from_secs(60));
        assert_eq!(policy.budget.bytes_out, Some(100 * 1024 * 1024));
        assert_eq!(policy.budget.wall, Some(Duration::from_secs(600)));
        assert_eq!((policy.budget.cost(Op::IoRead), policy.budget.cost(Op::IoWrite)), (3, 1));
        assert_eq!(policy.random_seed, Some(7));
    }

    #[test]
    fn what_is_left_out_is_denied() {
        let policy = parse("empty", "").unwrap();
        assert_eq!(policy, Policy { name: "empty".into(), ..Policy::default() });
        assert!(policy.fs_read.is_deny() && policy.net.is_deny());
    }

    #[test]
    fn any_is_spelled_out() {
        assert!(parse("p", "[scope]\nfs_read = \"any\"").unwrap().fs_read.is_any());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, said) in [
            ("[alow]", "line 1: unknown key \"alow\"; did you mean \"allow\"?"),
            ("[scope]\nfs_raed = []", "line 2: unknown key \"fs_raed\"; did you mean \"fs_read\"?"),
            ("[allow]\neffects = [\"fs.reed\"]", "did you mean \"fs.read\"?"),
            ("[scope]\nfs_read = []", "scope.fs_read is empty"),
            ("[scope]\nfs_read = \"all\"", "scope.fs_read is \"all\""),
            ("[scope]\nfs_read = 7", "expected \"any\" or a list"),
            ("[scope]\nfs_read = [\"a\"]", "scope.fs_read[0] \"a\": it is not an absolute path"),
            ("[scope]\nfs_read = [\"/a/../b\"]", "it holds `..`"),
            ("[scope]\nnet = [\"https://a/b\"]", "only scheme, host and port"),
            ("[scope]\nenv = [\"OPENAI_API_KEY\"]", "never shown"),
            ("[scope]\nenv = [\"A=B\"]", "not the name of a variable"),
            ("[program.git]\npath = \"git\"", "program.git.path: it is not an absolute path"),
            ("[program.git]\npath = \"/usr/bin/git\"\nargs = []", "program.git.args is empty"),
            ("[program.git]\npath = \"/usr/bin/git\"\nsha256 = \"ab\"", "64 hex digits"),
            ("[program.git]\npath = \"/usr/bin/git\"\ntimeout = \"0s\"", "timeout must be over 0"),
            ("[program.git]\npath = \"/usr/bin/git\"\ntimeout = \"-1s\"", "timeout must be over 0"),
            ("[program.\"a/b\"]\npath = \"/usr/bin/git\"", "a name is of a-z"),
            ("[program.git]", "missing field `path`"),
            ("[mcp.x]\ntools = [\"a\"]", "either `command` or `url`"),
            ("[mcp.x]\ncommand = [\"x\"]", "mcp.x.command[0]: it is not an absolute path"),
            ("[mcp.x]\ncommand = []", "mcp.x.command is empty"),
            ("[mcp.x]\ncommand = [\"/x\", \"a\\u0000\"]", "mcp.x.command[1]: it holds NUL"),
            ("[mcp.x]\ncommand = [\"/x\"]\nenv = { \"A=B\" = \"1\" }", "mcp.x.env: \"A=B\" can not be set"),
            ("[mcp.x]\ncommand = [\"/x\"]\ntimeout = \"0s\"", "mcp.x.timeout must be over 0"),
            ("[mcp.x]\ncommand = [\"/x\"]\nurl = \"http://a\"", "either `command` or `url`"),
            ("[mcp.x]\nurl = \"http://a\"\nenv = { A = \"1\" }", "is not started here"),
            ("[mcp.x]\ncommand = [\"/x\"]\ntools = []", "tools is empty"),
            ("[mcp.x]\nurl = \"ftp://a\"", "only http and https"),
            ("[budget]\nwall = \"-1s\"", "must not be negative"),
            ("[budget]\ncost = { \"io.raed\" = 3 }", "line 2"),
            ("[budget]\ncalls = -1", "line 2"),
            ("allow = 7", "line 1"),
            ("[allow", "line 1"),
            ("\0", "line 1"),
        ] {
            let error = parse("p", text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        assert!(parse("p", &"#".repeat(POLICY_BYTES_MAX + 1)).unwrap_err().contains("limit"));
    }
}
