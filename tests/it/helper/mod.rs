//! `coalmine-helper` as the daemon, tmux and people start it.

mod canary;
mod exec;
mod hook;
mod pane;
mod panelog;
mod verbs;
mod walls;

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output},
    thread,
    time::{Duration, SystemTime},
};

/// How long a test waits for what must happen, seconds. Only a failing test waits so long.
const PATIENCE_S: u64 = 20;

/// The state of one identity in a root of its own.
struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("journal")).unwrap();
        fs::create_dir(dir.path().join("peer")).unwrap();
        Self { dir }
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn peer(&self) -> PathBuf {
        self.dir.path().join("peer")
    }

    fn claim(&self) {
        fs::write(self.peer().join("claim-g7"), "why=stop by=operator then=stop").unwrap();
    }

    /// The lines of exits.log.
    fn exits(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal().join("exits.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The names of the records, without their marks.
    fn records(&self) -> Vec<String> {
        let folder = fs::read_dir(self.journal().join("server-deaths")).into_iter().flatten();
        folder
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".txt"))
            .collect()
    }
}

/// A process that ends with its test, however the test ends.
struct Guard(Child);

impl Guard {
    fn of(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn sleeper() -> Self {
        Self::of(Command::new("sleep").arg("600"))
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    #[allow(clippy::disallowed_methods, reason = "our own child, which nobody has reaped: its pid is its own")]
    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        wait_for("the process to end", || self.0.try_wait().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

/// The helper without an environment of ours but PATH.
fn helper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine-helper"));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Asks again and again until there is an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = SystemTime::now() + Duration::from_secs(PATIENCE_S);
    while SystemTime::now() < until {
        if let Some(answer) = ask() {
            return answer;
        }
        pause();
    }
    panic!("waited {PATIENCE_S} s for {what}");
}

#[expect(clippy::disallowed_methods, reason = "between two looks of a test that has no runtime")]
fn pause() {
    thread::sleep(Duration::from_millis(2));
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
