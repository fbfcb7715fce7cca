//! What a server's processes find in their environment: a clean base, and the marks of the life.

use super::Shared;
use crate::io::{
    fault,
    sandbox::rules::{Rules, Without},
    session_token,
};
use coalmine_actors::ports::{LifeKey, Program};
use std::ffi::OsString;

/// What passes from the daemon's own environment unless the configuration names more.
const PASSED: [&str; 8] = ["PATH", "HOME", "LANG", "LC_ALL", "USER", "LOGNAME", "SHELL", "TMPDIR"];
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// The clean base: what is allowed to pass, and a PATH in any case.
pub(super) fn base(pass: &[String]) -> Vec<(String, String)> {
    let names = PASSED.iter().copied().chain(pass.iter().map(String::as_str));
    let mut env: Vec<_> = names.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect();
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".into(), PATH_DEFAULT.into()));
    }
    env
}

/// What the program of this life is told about itself.
pub(super) fn marks(shared: &Shared, life: &LifeKey) -> Vec<(&'static str, OsString)> {
    let identity = &life.identity;
    vec![
        ("PEER_PERSONALITY", identity.personality().as_str().into()),
        ("PEER_RUNTIME", identity.runtime().as_str().into()),
        ("PEER_IDENTITY", identity.to_string().into()),
        ("PEER_GENERATION", life.generation.to_string().into()),
        ("COALMINE_LIFE", shared.paths.life_mark(life).into()),
        ("COALMINE_SOCKET", shared.paths.daemon_socket().into()),
    ]
}

/// What the server, its hooks and its pane log need besides: the pane entry takes these away again.
pub(super) fn tools(shared: &Shared, life: &LifeKey) -> Vec<(&'static str, OsString)> {
    let tools = [
        ("COALMINE_HELPER", shared.helper.clone().into()),
        ("COALMINE_JOURNAL", shared.paths.journal().into()),
        ("COALMINE_PEER_DIR", shared.paths.peer(&life.identity).into()),
        ("COALMINE_PANE_LOG", shared.paths.pane_log(&life.identity).into()),
    ];
    tools.into_iter().chain(fault::passed_on().map(|(key, value)| (key, value.into()))).collect()
}

/// What the pane entry reads: NUL-terminated `cwd=`, `env=` and `arg=` entries, and those of its walls. A file, because tmux refuses long
/// arguments and reads meaning into short ones.
pub(super) fn pane_file(
    shared: &Shared,
    life: &LifeKey,
    program: &Program,
    walls: Option<&(Rules, Without)>,
    token: &str,
) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let mut file = Vec::new();
    let mut entry = |kind: &str, parts: &[&[u8]]| {
        file.extend_from_slice(kind.as_bytes());
        parts.iter().for_each(|part| file.extend_from_slice(part));
        file.push(0);
    };
    entry("cwd=", &[program.cwd.as_os_str().as_bytes()]);
    // Said again, because tmux gives the first pane of a session the PATH of the client that opens it.
    for (key, value) in shared.base_env().iter().filter(|(key, _)| key == "PATH") {
        entry("env=", &[key.as_bytes(), b"=", value.as_bytes()]);
    }
    for (key, value) in &program.env {
        entry("env=", &[key.as_bytes(), b"=", value.as_bytes()]);
    }
    for (key, value) in marks(shared, life) {
        entry("env=", &[key.as_bytes(), b"=", value.as_bytes()]);
    }
    // To the program alone: the server and our own tools speak for nobody.
    entry("env=", &[session_token::VARIABLE.as_bytes(), b"=", token.as_bytes()]);
    for arg in &program.argv {
        entry("arg=", &[arg.as_bytes()]);
    }
    for (key, value) in walls.map_or_else(Vec::new, |(rules, without)| rules.entries(*without)) {
        entry(key, &[b"=", value.as_bytes()]);
    }
    file
}
