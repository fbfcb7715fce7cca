//! The real daemon in the foreground, on a root of its own, ended by its handle when the test is over.

use super::{PATIENCE, Root, Said, eventually};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs::File,
    ops::Deref,
    process::{Child, Command, ExitStatus, Stdio},
};

/// A daemon that answers.
pub struct Daemon {
    child: Child,
    /// Absent only where the root went on to a successor. Dropped after the child has ended: what it made is ended
    /// when it makes no more.
    root: Option<Root>,
}

impl Deref for Daemon {
    type Target = Root;
    fn deref(&self) -> &Root {
        self.root.as_ref().expect("a daemon that has not ended has its root")
    }
}

impl Daemon {
    pub async fn start() -> Self {
        Self::on(Root::new()).await
    }

    /// One whose peers wait for nothing between their lives, however often they die.
    pub async fn impatient() -> Self {
        let config = "[restart]\ndelay_first = \"0s\"\n";
        Self::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await
    }

    /// The daemon of this root, once it answers.
    pub async fn on(root: Root) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
        command.arg("daemon");
        Self::run(root, command).await
    }

    /// A daemon that is started by another program.
    pub async fn run(root: Root, command: Command) -> Self {
        Self::run_with(root, command, Stdio::null()).await
    }

    /// The same, with something to start with on its standard input.
    pub async fn run_with(root: Root, mut command: Command, stdin: Stdio) -> Self {
        let file = |name: &str| File::options().create(true).append(true).open(root.folder().join(name)).unwrap();
        command.env_clear().envs(root.env()).current_dir(root.folder());
        command.stdin(stdin).stdout(file("daemon.out")).stderr(file("daemon.err"));
        let mut daemon = Self { child: command.spawn().unwrap(), root: Some(root) };
        daemon.until_it_answers().await;
        daemon
    }

    async fn until_it_answers(&mut self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let said = self.coalmine(&["status", "--json"]);
            if said.code == 0 && said.json()["data"]["daemon_pid"] == self.child.id() {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the daemon ended: {}", self.words());
            assert!(tokio::time::Instant::now() < deadline, "the daemon never answered: {}", self.words());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Everything that it, and its predecessors on this root, wrote.
    pub fn words(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        read("daemon.out") + &read("daemon.err")
    }

    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        super::signal(self.pid(), signal); // not reaped yet, so its number is still its own
    }

    /// Waits for the process to end; the root, and all that runs in it, stays.
    pub async fn ended(mut self) -> (ExitStatus, Root) {
        let child = std::cell::RefCell::new(&mut self.child);
        let status = eventually("the daemon ended", || async { child.borrow_mut().try_wait().unwrap() }).await;
        (status, self.root.take().unwrap())
    }

    /// A peer that runs a script of its own, up.
    pub fn script(&self, name: &str, script: &str) -> Value {
        self.ask(&["create", name, "--start", "--", "/bin/sh", "-c", script])["peer"].take()
    }

    /// A peer that does nothing for an hour.
    pub fn sleeper(&self, name: &str) -> Value {
        self.script(name, "exec sleep 3600")
    }

    /// The only identity of this name, as it is now.
    pub fn peer(&self, name: &str) -> Value {
        self.ask(&["show", name])[0].take()
    }

    /// Waits until NAME satisfies the condition.
    pub async fn until(&self, name: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{name} {what}"), || async {
            let peer = self.peer(name);
            condition(&peer).then_some(peer)
        })
        .await
    }

    /// Asserts that a call is refused, for programs and for people, and that the fleet is what it was.
    #[track_caller]
    pub fn refuses(&self, args: &[&str], wanted: &Refusal) {
        let before = self.state();
        wanted.check(&self.coalmine(&[&["--json"], args].concat()), &self.coalmine(args));
        assert_eq!(self.state(), before, "{args:?} left something behind");
    }

    /// What a refused request must not have changed.
    fn state(&self) -> (Value, String, Vec<String>) {
        (self.ask(&["list"]), self.read("fleet.json"), names_in(&self.path().join("peers")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names in a folder, sorted.
pub fn names_in(folder: &std::path::Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// How something is refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    pub code: &'static str,
    pub exit: i32,
    pub message: &'static str,
    pub hint: &'static str,
}

impl Refusal {
    #[track_caller]
    pub fn check(&self, json: &Said, human: &Said) {
        let error = json.error();
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("code").as_str(), json.code, json.out.as_str()), (self.code, self.exit, ""), "{json:?}");
        assert_eq!(error["exit_code"], self.exit, "{json:?}");
        assert!(text("message").contains(self.message), "{:?} is not in {json:?}", self.message);
        assert!(!self.hint.is_empty() && text("hint").contains(self.hint), "{:?} is not in {json:?}", self.hint);
        assert_eq!((human.code, human.out.as_str()), (self.exit, ""), "{human:?}");
        for (head, words) in [("error: ", self.message), ("hint: ", self.hint)] {
            let line = human.err.lines().find(|line| line.starts_with(head)).unwrap_or_else(|| panic!("{human:?}"));
            assert!(line.contains(words), "{words:?} is not in {human:?}");
        }
    }
}
