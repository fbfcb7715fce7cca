//! A program that behaves in its pane as an agent does: a composer with a prompt, pastes in brackets, periods of work,
//! dialogs, a status line that ticks. It logs what it reads. Files in its home say how it is to behave, at any time:
//!
//! | file | it |
//! |---|---|
//! | `busy` | works as long as the file is there |
//! | `boot` | shows neither composer nor dialog: it is not ready yet |
//! | `dialog` | shows a dialog in place of its composer |
//! | `drop` | drops so many Enters |
//! | `ask` | shows its dialog when it drops an Enter |
//! | `slow` | shows a paste so many milliseconds late, and drops keys until then |
//! | `swallow` | loses what is pasted |
//! | `die` | ends when something is pasted |
//! | `chatter` | writes a line above its status line every 100 ms, and logs that |
//! | `tick` | repaints its status line all the time |
//! | `work` | works so many milliseconds on each message |
//! | `transcript` | writes each message into its transcript: what the file says, `user`, `assistant`, or `half` of a line |
//!
//! `begun` has a line for each of its lives: `3 resume` where it was started to go on, else `3 fresh`.
//!
//! It is a test of this binary that is run by name, so that no other program has to be built for it.

use coalmine_actors::{
    mail::Composer,
    runtime::{Attention, Readiness, RuntimeDef},
};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// Names its home.
pub const HOME: &str = "AGENT_HOME";
/// What it is started with to go on where it was.
const RESUME: &str = "--color=never";
/// How often it draws while something changes by itself. Otherwise it rests: fifty of them share a small machine.
const TICK_MS: i64 = 5;
/// How long an Escape stands alone before it is a key, and not the beginning of a paste.
const ESCAPE_MS: i64 = 5;
/// How often it chatters.
const CHATTER: Duration = Duration::from_millis(100);
/// Longest composer that is shown as it is, characters.
const SHOWN_CHARS_MAX: usize = 100;

const PASTE: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// What starts it; the arguments are those of a test's binary, and nothing to others.
pub fn argv() -> Vec<String> {
    #[allow(clippy::disallowed_methods, reason = "what runs in the pane is this very binary, which is a test's")]
    let own = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    [&own, "--exact", "mail::agent::program", "--ignored", "--nocapture", "--test-threads=1"].map(str::to_owned).into()
}

/// What its screen says while it works.
pub const WORKING: &str = "(working)";
/// What its dialog asks.
pub const DIALOG: &str = "Proceed?";

/// How it is recognised.
pub fn runtime() -> RuntimeDef {
    let shell = coalmine::runtimes::built_in().remove(&"shell".parse().unwrap()).unwrap();
    RuntimeDef {
        argv: argv(),
        readiness: Readiness::Screen(r"(?m)^=====\n>".into()),
        attention: vec![Attention {
            what: "proceed".into(),
            screen: r"(?m)^Proceed\?\n> 1\. Yes".into(),
            answer: None,
        }],
        // Of no meaning to a test's binary; the log says whether it was there.
        resume_args: vec![RESUME.into()],
        composer: Some(Composer {
            shown: r"(?m)^=====\n>".into(),
            empty: r"^>\s*$".into(),
            busy: Some(r"(?m)^\(working\)".into()),
            submit: vec!["Enter".into()],
            interrupt: vec!["Escape".into()],
        }),
        ..shell
    }
}

#[test]
#[ignore = "the program in a peer's pane, run there by other tests"]
fn program() {
    run_if_asked();
}

/// Becomes this program where its home is named. Whoever runs all ignored tests names none.
pub fn run_if_asked() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let begins = if std::env::args().any(|arg| arg == RESUME) { "resume" } else { "fresh" };
    let generation = std::env::var("PEER_GENERATION").unwrap_or_default();
    append(&Path::new(&home).join("begun"), &format!("{generation} {begins}")).unwrap();
    let code = Agent::new(PathBuf::from(home)).run();
    std::process::exit(i32::from(code.is_err()));
}

/// A line of its transcript: somebody's words.
pub fn entry(role: &str, text: &str) -> String {
    json!({ "role": role, "text": text }).to_string()
}

/// What it has read, a line each: `{"gen":…,"text":…}`.
pub fn read(home: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Agent {
    home: PathBuf,
    composer: String,
    /// What is pasted and not shown yet, and when it will be.
    coming: Option<(String, Instant)>,
    works_until: Option<Instant>,
    input: Vec<u8>,
    shown: String,
    ticks: u64,
    /// How often it chattered, and when last.
    chatter: (u64, Instant),
}

impl Agent {
    fn new(home: PathBuf) -> Self {
        let composer = String::new();
        let (input, shown, chatter) = (Vec::new(), String::new(), (0, Instant::now()));
        Self { home, composer, coming: None, works_until: None, input, shown, ticks: 0, chatter }
    }

    fn run(mut self) -> io::Result<()> {
        let tty = File::open("/dev/tty")?;
        let mut attributes = tcgetattr(&tty)?;
        attributes.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &attributes)?;
        let files = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE;
        files.add_watch(&self.home, changes | AddWatchFlags::IN_MOVED_TO)?;
        write_out("\x1b[?2004h")?;
        let mut stdin = io::stdin().lock();
        loop {
            self.draw()?;
            let mut fds = [tty.as_fd(), files.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            let wait = self.wait_ms().map(|ms| Timespec { tv_sec: 0, tv_nsec: ms * 1_000_000 });
            let ready = poll(&mut fds, wait.as_ref())?;
            let _none_are_left = files.read_events();
            if !fds[0].revents().is_empty() {
                let mut bytes = [0; 4096];
                let count = stdin.read(&mut bytes)?;
                if count == 0 {
                    return Ok(());
                }
                self.input.extend_from_slice(&bytes[..count]);
                while self.take()? {}
            } else if ready == 0 && self.input == [0x1b] {
                self.input.clear();
                self.note("interrupted")?;
                let _absent = std::fs::remove_file(self.home.join("busy"));
                self.works_until = None;
            }
        }
    }

    /// How long nothing happens but by keys and files; nothing where that may be for ever.
    fn wait_ms(&self) -> Option<i64> {
        let moves = self.coming.is_some() || self.works_until.is_some() || self.has("tick") || self.has("chatter");
        if self.input == [0x1b] { Some(ESCAPE_MS) } else { moves.then_some(TICK_MS) }
    }

    fn has(&self, name: &str) -> bool {
        self.home.join(name).exists()
    }

    fn number(&self, name: &str) -> u64 {
        std::fs::read_to_string(self.home.join(name)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    fn note(&self, what: &str) -> io::Result<()> {
        append(&self.home.join("events"), what)
    }

    /// Takes one piece of the input; whether there may be another.
    fn take(&mut self) -> io::Result<bool> {
        if self.input.starts_with(PASTE) {
            let Some(end) = find(&self.input, PASTE_END) else { return Ok(false) };
            let text = String::from_utf8(self.input[PASTE.len()..end].to_vec()).unwrap().replace('\r', "\n");
            self.input.drain(..end + PASTE_END.len());
            if self.has("die") {
                std::process::exit(1);
            }
            if !self.has("swallow") {
                self.coming = Some((text, Instant::now() + Duration::from_millis(self.number("slow"))));
            }
            return Ok(true);
        }
        match self.input.first() {
            None => Ok(false),
            // Perhaps the beginning of a paste.
            Some(0x1b) if self.input.len() < PASTE.len() => Ok(false),
            Some(b'\r') => {
                self.input.remove(0);
                self.enter()?;
                Ok(true)
            }
            Some(_) => {
                let key = self.input.remove(0);
                if key != 0x1b {
                    self.composer.push(char::from(key));
                }
                Ok(true)
            }
        }
    }

    fn enter(&mut self) -> io::Result<()> {
        self.show_what_came();
        if self.has("dialog") {
            return self.note("dialog-confirmed");
        }
        let drop = self.number("drop");
        if drop > 0 {
            std::fs::write(self.home.join("drop"), (drop - 1).to_string())?;
            if self.has("ask") {
                std::fs::write(self.home.join("dialog"), "")?;
            }
            return self.note("enter-dropped");
        }
        if self.coming.is_some() {
            return self.note("enter-early");
        }
        if self.composer.is_empty() {
            return self.note("enter-empty");
        }
        let generation = std::env::var("PEER_GENERATION").unwrap_or_default();
        let text = std::mem::take(&mut self.composer);
        append(&self.home.join("log"), &json!({ "gen": generation, "text": text }).to_string())?;
        self.write_down(&text)?;
        let work = self.number("work");
        self.works_until = (work > 0).then(|| Instant::now() + Duration::from_millis(work));
        Ok(())
    }

    fn write_down(&self, text: &str) -> io::Result<()> {
        let Ok(role) = std::fs::read_to_string(self.home.join("transcript")) else { return Ok(()) };
        let folder = self.home.join("sessions/2026");
        std::fs::create_dir_all(&folder)?;
        let transcript = folder.join("log-1.jsonl");
        if role == "half" {
            let line = entry("user", text);
            let mut file = OpenOptions::new().create(true).append(true).open(transcript)?;
            return file.write_all(&line.as_bytes()[..line.len() / 2]);
        }
        append(&transcript, &entry(&role, text))
    }

    fn show_what_came(&mut self) {
        if let Some((text, _)) = self.coming.take_if(|(_, at)| *at <= Instant::now()) {
            self.composer.push_str(&text);
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        self.show_what_came();
        self.works_until.take_if(|until| *until <= Instant::now());
        if self.has("tick") {
            self.ticks += 1;
        }
        if self.has("chatter") && self.chatter.1.elapsed() >= CHATTER {
            self.chatter = (self.chatter.0 + 1, Instant::now());
            self.note("chatter")?;
        }
        let works = self.has("busy") || self.works_until.is_some();
        let shown = match self.composer.chars().count() {
            long if long > SHOWN_CHARS_MAX => format!("[{long} characters]"),
            _ => self.composer.replace('\n', "⏎"),
        };
        let body = if self.has("boot") {
            "loading".to_owned()
        } else if self.has("dialog") {
            format!("{DIALOG}\r\n> 1. Yes\r\n  2. No")
        } else {
            format!("{}\r\n=====\r\n> {shown}", if works { WORKING } else { "" })
        };
        let frame = format!("\x1b[2J\x1b[Hsome agent {}\r\n{body}\r\nstatus {}", self.chatter.0, self.ticks);
        if frame != self.shown {
            write_out(&frame)?;
            self.shown = frame;
        }
        Ok(())
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One write: whoever reads sees whole lines.
fn append(path: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(format!("{line}\n").as_bytes())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
