//! The pane entry: the first process in a peer's pane, which becomes the peer's program.
//!
//! What to run comes in a file, because tmux would expand `#(…)` in arguments and in start folders. Entries end with
//! NUL: `cwd=DIR`, then `env=KEY=VALUE`…, then `arg=ARGUMENT`…, and those of a sandbox where there is one.

use super::{
    args::{Usage, required},
    fault,
    program::{become_program, change_folder, fail, find_for},
    sandbox::{
        rules::{Reading, Rules, Without},
        walls::{self, Walls},
    },
};
use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Longest file, bytes: more than the kernel takes as arguments and environment.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Variables of the server and of the agent that started the fleet, which would take a peer's program in: `TMUX`
/// names the server's socket, the others say who somebody else is.
const FOREIGN: [&str; 7] = [
    "TMUX",
    "TMUX_PANE",
    "COALMINE_HELPER",
    "COALMINE_JOURNAL",
    "COALMINE_PEER_DIR",
    "COALMINE_PANE_LOG",
    fault::VARIABLE,
];
/// The same, whole families.
const FOREIGN_PREFIXES: [&str; 3] = ["CLAUDE_CODE_", "CODEX_", "PEER_"];
/// Where the fleet's API is. It is the operator's: no sandbox has it.
const OPERATORS: &str = "COALMINE_SOCKET";

/// Becomes the program that the file describes.
///
/// # Errors
/// Wrong arguments.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode, Usage> {
    let file = PathBuf::from(required("FILE", args.next())?);
    if args.next().is_some() {
        return Err(Usage("pane takes one FILE".into()));
    }
    let order = match read(&file).and_then(|bytes| Order::parse(&bytes)) {
        Ok(order) => order,
        Err(error) => return Ok(fail(file.as_os_str(), &error.to_string(), 126)),
    };
    if let Err(code) = change_folder(&order.cwd) {
        return Ok(code);
    }
    let mut environment: Vec<_> = env::vars_os().filter(|(key, _)| !is_foreign(key)).collect();
    // Last, so that they win.
    environment.extend(order.env);
    if let Some((rules, without)) = order.sandbox {
        environment.retain(|(key, _)| key != OPERATORS);
        if let Err(error) = wall_in(&rules, without, &order.argv, &environment) {
            // Nothing runs outside that was to run inside.
            return Ok(fail(OsStr::new("the sandbox"), &error.to_string(), 126));
        }
    }
    Ok(become_program(&order.argv, &environment))
}

/// Puts this process, and so the program that it becomes, under the rules.
fn wall_in(rules: &Rules, without: Without, argv: &[OsString], env: &[(OsString, OsString)]) -> io::Result<()> {
    let walls = Walls::build(rules)?;
    if walls.abi().is_none() && without == Without::Refuse {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel has no Landlock"));
    }
    // One that is not found is told as always.
    if let Some(program) = argv.first().and_then(|name| find_for(name, env).ok()) {
        walls.open_for_program_at(&program)?;
    }
    let terminal = rustix::stdio::stdin();
    if rustix::termios::isatty(terminal) {
        walls.open_for_terminal(terminal)?;
    }
    walls::close_on_exec_from(3)?;
    walls.enter()
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_foreign(key: &OsStr) -> bool {
    FOREIGN.iter().any(|name| key == *name)
        || FOREIGN_PREFIXES.iter().any(|prefix| key.as_bytes().starts_with(prefix.as_bytes()))
}

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    cwd: PathBuf,
    env: Vec<(OsString, OsString)>,
    argv: Vec<OsString>,
    sandbox: Option<(Rules, Without)>,
}

impl Order {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        // A file that was cut ends in the middle of an entry; half a command must not run.
        let entries = bytes.strip_suffix(b"\0").ok_or_else(|| damaged("the file is cut"))?;
        let (mut cwd, mut env, mut argv, mut sandbox) = (None, Vec::new(), Vec::new(), Reading::default());
        for entry in entries.split(|&byte| byte == 0) {
            match split_at_equals(entry) {
                Some((b"cwd", folder)) => cwd = Some(PathBuf::from(os(folder))),
                Some((b"env", pair)) => {
                    let (key, value) = split_at_equals(pair).ok_or_else(|| damaged("a variable without a value"))?;
                    env.push((os(key), os(value)));
                }
                Some((b"arg", argument)) => argv.push(os(argument)),
                Some((key, value)) if sandbox.take(key, value)? => {}
                _ => return Err(damaged("an unknown entry")),
            }
        }
        Ok(Self { cwd: cwd.ok_or_else(|| damaged("no folder"))?, env, argv, sandbox: sandbox.done() })
    }
}

fn split_at_equals(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = entry.iter().position(|&byte| byte == b'=')?;
    Some((&entry[..at], &entry[at + 1..]))
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_whole_or_not_at_all() {
        let order = Order::parse(b"cwd=/tmp\0env=A=1=2\0env=B=\0arg=sh\0arg=-c\0arg=echo \"#(x)\"\n\0").unwrap();
        assert_eq!(order.cwd, Path::new("/tmp"));
        assert_eq!(order.env, [("A".into(), "1=2".into()), ("B".into(), "".into())]);
        assert_eq!(order.argv, ["sh", "-c", "echo \"#(x)\"\n"]);
        for bad in [
            &b""[..],
            b"cwd=/tmp\0arg=rm",
            b"arg=sh\0",
            b"cwd=/\0env=A\0",
            b"cwd=/\0what=x\0",
            b"cwd=/\0\0",
            b"cwd=/\0read=/\0",
        ] {
            assert!(Order::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_foreign_variables_are_dropped() {
        for key in ["TMUX", "TMUX_PANE", "CLAUDE_CODE_SSE_PORT", "CODEX_HOME", "PEER_IDENTITY", "COALMINE_JOURNAL"] {
            assert!(is_foreign(OsStr::new(key)), "{key}");
        }
        for key in ["PATH", "TMUXINATOR", "ANTHROPIC_API_KEY", "COALMINE_SOCKET", "COALMINE_LIFE", "XPEER_"] {
            assert!(!is_foreign(OsStr::new(key)), "{key}");
        }
    }
}
