//! Every process of one root, by what it is: from its environment and its arguments, never from what the fleet says.

use coalmine::{
    actors::{names::Generation, ports::LifeKey},
    io::witness::proc_stat,
    paths::Paths,
};
use std::{os::unix::ffi::OsStrExt, path::Path};

/// What a process is to the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The tmux server of a life.
    Server(LifeKey),
    /// The canary of a life.
    Canary(LifeKey),
    /// What runs in the pane of a life.
    Program(LifeKey),
    /// Anything else that bears the mark of a life: the pane log, a hook, a shell between.
    Tool(LifeKey),
    /// A tmux client that asks some server.
    Client,
}

/// One process.
#[derive(Debug, Clone)]
pub struct Member {
    pub pid: i32,
    pub kind: Kind,
}

/// All that live now.
pub fn take(paths: &Paths) -> Vec<Member> {
    let folder = std::fs::read_dir("/proc").unwrap();
    let pids = folder.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some(Member { pid, kind: kind(pid, paths)? })).collect()
}

/// What this process is, if it belongs to the root and lives.
pub fn kind(pid: i32, paths: &Paths) -> Option<Kind> {
    let arguments = entries(pid, "cmdline");
    let first = arguments.first()?;
    if arguments.get(1).is_some_and(|verb| verb == b"canary") {
        return names(&arguments, &paths.journal()).then(|| canary_of(&arguments)).flatten().map(Kind::Canary);
    }
    let is_tmux = first.ends_with(b"tmux");
    let at_home = arguments.iter().any(|argument| argument.starts_with(paths.root().as_os_str().as_bytes()));
    if is_tmux && arguments.get(1).is_some_and(|flag| flag == b"-N") {
        return at_home.then_some(Kind::Client);
    }
    let life = life_of(pid, paths)?;
    let stat = proc_stat::read(pid).ok()?;
    let parent = entries(stat.ppid, "cmdline");
    let child_of_server = parent.get(1).is_some_and(|flag| flag == b"-D");
    Some(match () {
        // A server's own child is one of its kind until it becomes what it is to be.
        () if is_tmux && arguments.get(1).is_some_and(|flag| flag == b"-D") && !child_of_server => Kind::Server(life),
        () if child_of_server && first == b"sleep" => Kind::Program(life),
        () => Kind::Tool(life),
    })
}

fn entries(pid: i32, what: &str) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(<[u8]>::to_vec).collect()
}

fn names(arguments: &[Vec<u8>], path: &Path) -> bool {
    arguments.iter().any(|argument| argument == path.as_os_str().as_bytes())
}

fn canary_of(arguments: &[Vec<u8>]) -> Option<LifeKey> {
    let value = |name: &[u8]| {
        let at = arguments.iter().position(|argument| argument == name)?;
        String::from_utf8(arguments.get(at + 1)?.clone()).ok()
    };
    Some(LifeKey {
        identity: value(b"--identity")?.parse().ok()?,
        generation: Generation(value(b"--gen")?.parse().ok()?),
    })
}

fn life_of(pid: i32, paths: &Paths) -> Option<LifeKey> {
    let prefix = format!("COALMINE_LIFE={}-", paths.root_hash());
    let entry = entries(pid, "environ").into_iter().find(|entry| entry.starts_with(prefix.as_bytes()))?;
    let text = String::from_utf8(entry).ok()?;
    let (identity, generation) = text[prefix.len()..].rsplit_once("-g")?;
    Some(LifeKey { identity: identity.parse().ok()?, generation: Generation(generation.parse().ok()?) })
}
