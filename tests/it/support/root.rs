//! A state root with a home of its own, and the command line asked about it. Nothing of the person who runs the
//! tests is read; whatever was started there, also in the background, ends with it.

use super::{bearers, gone_within, mount::Mount};
use coalmine::paths::Paths;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;
use std::{
    ffi::OsString,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};
use tempfile::TempDir;

/// Longest that any call of the command line may take.
const CALL_MAX: Duration = Duration::from_secs(60);

/// A fleet's root.
pub struct Root {
    path: PathBuf,
    env: Vec<(&'static str, OsString)>,
    /// Before the folder that it lies in, which can not be removed under it.
    mount: Option<Mount>,
    folder: TempDir,
}

impl Root {
    pub fn new() -> Self {
        let folder =
            tempfile::Builder::new().prefix("cm").permissions(PermissionsExt::from_mode(0o700)).tempdir().unwrap();
        Self { path: folder.path().to_owned(), env: Vec::new(), mount: None, folder }
    }

    /// With these files below it.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let root = Self::new();
        files.iter().for_each(|(name, text)| root.put(name, text));
        root
    }

    /// The state root is not the temporary folder but this path below it, which need not exist.
    pub fn at(below: impl AsRef<Path>) -> Self {
        let mut root = Self::new();
        root.path.push(below);
        root
    }

    /// With this variable for the daemon and for every call.
    pub fn env_also(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Without that variable from now on.
    pub fn without(mut self, name: &str) -> Self {
        self.env.retain(|(key, _)| *key != name);
        self
    }

    /// Puts a small file system of its own under the root; says whether this host lets us.
    pub fn mount_tmpfs(&mut self, options: &str) -> bool {
        self.mount = Mount::tmpfs(&self.path, options);
        self.mount.is_some()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The temporary folder that everything lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// Writes a file below the temporary folder.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).unwrap_or_default()
    }

    pub fn paths(&self) -> Paths {
        Paths::new(&self.path).unwrap()
    }

    /// What every process of this root is started with.
    pub fn env(&self) -> Vec<(&'static str, OsString)> {
        let mut env = vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.home().into()),
            ("COALMINE_ROOT", self.path.clone().into()),
            ("TERM", "xterm-256color".into()),
            ("LC_ALL", "C.UTF-8".into()),
        ];
        env.extend(self.env.iter().cloned());
        env
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
        command.env_clear().envs(self.env()).current_dir(self.folder()).args(args);
        command
    }

    pub fn coalmine(&self, args: &[&str]) -> Said {
        Said::of(&mut self.command(args))
    }

    /// The data of a verb's document; it must succeed.
    pub fn ask(&self, args: &[&str]) -> Value {
        let said = self.coalmine(&[&["--json"], args].concat());
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        let mut document = said.json();
        assert_eq!(document["schema_version"], 1, "{args:?}: {document}");
        document["data"].take()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        bearers::clear(&self.path);
    }
}

/// What a call of the command line said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let readers = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
        let late = !ended_in_time(&child);
        if late {
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        let (stdout, stderr) = (readers.0.join().unwrap(), readers.1.join().unwrap());
        let output = std::process::Output { status, stdout, stderr };
        assert!(!late, "not done after {CALL_MAX:?}: {command:?}: {output:?}");
        Self {
            code: output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}")),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error document, after whatever notes were made.
    pub fn error(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        let mut document: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        document["error"].take()
    }

    /// Asserts success, and words of what people read.
    #[track_caller]
    pub fn tells(&self, words: &[&str]) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        words.iter().for_each(|word| assert!(self.out.contains(word), "{word:?} is not in {self:?}"));
        self
    }
}

fn ended_in_time(child: &Child) -> bool {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    gone_within(&process, CALL_MAX)
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}
