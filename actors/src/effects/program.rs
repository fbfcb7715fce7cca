//! A program that a policy grants, and which arguments it may be given.

use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// How long a program may run where its policy does not say.
pub const PROGRAM_TIME_DEFAULT: Duration = Duration::from_secs(60);
/// Longest that a policy may say.
pub const PROGRAM_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// `[program.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramGrant {
    /// The file; absolute.
    pub path: PathBuf,
    /// What it must hold, where the policy pins it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Hex>,
    /// Lists of argument patterns, of each of which one must fit. No list: any arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Vec<ArgPattern>>,
    /// All of its environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How long it may run.
    pub timeout: Duration,
}

/// 64 hex digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// The digest, if it is one.
    pub fn new(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One way to call a program: each word stands for itself, `*` for any one argument, and as the last word for all that
/// follow, also none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ArgPattern(Vec<String>);

/// Stands for any argument.
const ANY: &str = "*";

impl ArgPattern {
    /// A pattern of these words.
    pub fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// Its words.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Whether these arguments fit.
    pub fn fits(&self, args: &[String]) -> bool {
        match self.0.split_last() {
            Some((last, head)) if last == ANY => args.len() >= head.len() && each_fits(head, &args[..head.len()]),
            _ => args.len() == self.0.len() && each_fits(&self.0, args),
        }
    }

    /// Whether a caller chooses the program's first argument, and so, of an interpreter, everything.
    pub fn is_open(&self) -> bool {
        self.0.first().is_some_and(|word| word == ANY)
    }
}

fn each_fits(words: &[String], args: &[String]) -> bool {
    words.iter().zip(args).all(|(word, arg)| word == ANY || word == arg)
}

impl ProgramGrant {
    /// Whether it may be called with these arguments.
    pub fn allows(&self, args: &[String]) -> bool {
        self.args.iter().all(|patterns| patterns.iter().any(|pattern| pattern.fits(args)))
    }

    /// What two grants of one name have in common; nothing where they mean different programs, or run it differently.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        if self.path != other.path || self.env != other.env {
            return None;
        }
        let sha256 = match (&self.sha256, &other.sha256) {
            (Some(mine), Some(theirs)) if mine != theirs => return None,
            (mine, theirs) => mine.clone().or_else(|| theirs.clone()),
        };
        let mut args = self.args.clone();
        args.extend(other.args.iter().filter(|patterns| !self.args.contains(patterns)).cloned());
        let timeout = self.timeout.min(other.timeout);
        Some(Self { path: self.path.clone(), sha256, args, env: self.env.clone(), timeout })
    }

    /// Why it can do anything, whatever else the policy says: it runs what its arguments tell it to, and no pattern
    /// holds them.
    pub fn launches(&self) -> Option<String> {
        let name = self.path.file_name()?.to_str()?;
        let open = self.args.is_empty() || self.args.iter().all(|some| some.iter().any(ArgPattern::is_open));
        (open && is_launcher(name)).then(|| name.to_owned())
    }
}

/// Programs that run what their arguments say. `python3.11` is `python`.
fn is_launcher(name: &str) -> bool {
    const LAUNCHERS: &[&str] = &[
        "ash",
        "awk",
        "bash",
        "busybox",
        "bun",
        "bwrap",
        "cargo",
        "chroot",
        "cmake",
        "csh",
        "dash",
        "deno",
        "docker",
        "doas",
        "ed",
        "emacs",
        "env",
        "ex",
        "expect",
        "find",
        "fish",
        "flock",
        "gawk",
        "gdb",
        "git",
        "go",
        "ionice",
        "java",
        "ksh",
        "less",
        "ltrace",
        "lua",
        "make",
        "man",
        "mawk",
        "mksh",
        "more",
        "nawk",
        "nc",
        "nice",
        "ninja",
        "node",
        "nohup",
        "npm",
        "npx",
        "nsenter",
        "parallel",
        "perl",
        "php",
        "pip",
        "pipx",
        "pkexec",
        "pnpm",
        "podman",
        "python",
        "rsync",
        "ruby",
        "runuser",
        "scp",
        "screen",
        "script",
        "sed",
        "setpriv",
        "setsid",
        "sftp",
        "sh",
        "socat",
        "sqlite",
        "ssh",
        "stdbuf",
        "strace",
        "su",
        "sudo",
        "systemd-run",
        "tar",
        "taskset",
        "tclsh",
        "time",
        "timeout",
        "tmux",
        "unshare",
        "uv",
        "uvx",
        "vi",
        "vim",
        "watch",
        "wish",
        "xargs",
        "yarn",
        "zip",
        "zsh",
    ];
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    LAUNCHERS.contains(&name) || LAUNCHERS.contains(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    fn grant(patterns: &[&str]) -> ProgramGrant {
        let list: Vec<_> = patterns.iter().map(|text| ArgPattern::new(words(text))).collect();
        ProgramGrant {
            path: "/usr/bin/git".into(),
            sha256: None,
            args: if list.is_empty() { Vec::new() } else { vec![list] },
            env: BTreeMap::new(),
            timeout: PROGRAM_TIME_DEFAULT,
        }
    }

    #[test]
    fn arguments_fit_a_pattern_word_by_word() {
        let git = grant(&["status", "log -- *", "show * --stat"]);
        for (args, fits) in [
            ("status", true),
            ("status -s", false),
            ("log --", true),
            ("log -- a b", true),
            ("log", false),
            ("log -p -- a", false),
            ("show HEAD --stat", true),
            ("show --stat", false),
            ("", false),
            ("-c core.pager=x status", false),
        ] {
            assert_eq!(git.allows(&words(args)), fits, "{args:?}");
        }
        assert!(grant(&[]).allows(&words("anything at all")));
    }

    #[test]
    fn a_program_that_runs_its_arguments_is_told_unless_patterns_hold_it() {
        let at = |path: &str, patterns: &[&str]| ProgramGrant { path: path.into(), ..grant(patterns) }.launches();
        for path in ["/bin/sh", "/usr/bin/env", "/usr/bin/python3.11", "/usr/bin/git", "/usr/bin/find"] {
            assert!(at(path, &[]).is_some(), "{path}");
            assert!(at(path, &["*"]).is_some(), "{path}");
            assert!(at(path, &["status", "log *"]).is_none(), "{path}");
        }
        assert!(at("/usr/bin/wc", &[]).is_none());
    }

    #[test]
    fn two_grants_meet_in_arguments_that_both_allow() {
        let both = grant(&["status", "log *"]).meet(&grant(&["log *", "diff"])).unwrap();
        assert!(both.allows(&words("log -1")));
        assert!(!both.allows(&words("status")) && !both.allows(&words("diff")));
        let other = ProgramGrant { path: "/opt/git".into(), ..grant(&[]) };
        assert_eq!(grant(&[]).meet(&other), None);
    }
}
