//! The daemon: hardened first, then the fleet, then its API; ended in the opposite order, each step with a deadline.
//!
//! ```text
//! harden → config → fleet (lock, adoption) → API → "ready" ─┬─ SIGHUP: read the config again, follow it
//!                                                           ├─ a watchdog waits: a sign of life
//!                                                           ├─ the tree has failed: exit 1
//!                                                           └─ SIGTERM, SIGINT, `down`:
//!                                           API stops (5 s) → tree ends (10 s) → peers run on
//! ```

use crate::{
    Fleet, FleetHandle, api,
    config::{self, Config, Overrides, place::Place},
    count::{peers, still_run},
    io::{harden, log_file::LogFile, private_dir, socket_folder, systemd},
    paths::Paths,
    trace,
};
use coalmine_actors::error::FleetError;
use std::{io::Write, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior},
};
use tracing::Level;

/// The log of a daemon in the background, below the state root.
pub(crate) const LOG_FILE: &str = "daemon.log";
/// Longest wait for requests in flight when the daemon ends.
const API_GRACE: Duration = Duration::from_secs(5);
/// Longest wait for the tree to end; the peers do not depend on it.
const TREE_GRACE: Duration = Duration::from_secs(10);
/// Longest wait for threads that are at work when the tree has ended.
const THREADS_GRACE: Duration = Duration::from_millis(200);
/// Longest wait for a turn on a thread that serves, before a sign of life is left out.
const TURN_TIME_MAX: Duration = Duration::from_secs(5);
/// Threads that serve; the fleet waits far more than it computes.
const WORKER_THREADS: usize = 2;

/// Runs the daemon until it is told to end. Called from `main`'s thread, before any other thread exists.
///
/// # Errors
/// The config is bad, another daemon holds the fleet, or the host lacks something.
pub fn run(place: &Place, flags: Overrides, detached: bool, verbose: u8) -> Result<(), FleetError> {
    if detached {
        // Fails only where this process leads a group already, which is detached enough.
        let _leader = rustix::process::setsid();
    }
    harden::process().map_err(|source| FleetError::io("harden", "this process", source))?;
    if detached {
        // Before there is a log in it: one that others may enter must not get one.
        private_dir::root(&place.root)?;
        let log = place.root.join(LOG_FILE);
        let opened = LogFile::in_place_of_stdio(&log).map_err(|source| FleetError::io("open", &log, source))?;
        trace::to_log(opened, Level::INFO, verbose);
    } else {
        trace::to_stderr(Level::INFO, verbose);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build();
    let runtime = runtime.map_err(|error| FleetError::Internal(format!("no runtime: {error}")))?;
    let ended = runtime.block_on(serve(place, &flags));
    // Nothing is logged behind the last word; what still blocks a thread (a file read) does not hold up the end.
    runtime.shutdown_timeout(THREADS_GRACE);
    ended
}

async fn serve(place: &Place, flags: &Overrides) -> Result<(), FleetError> {
    // First, so that a signal during the start is kept and not fatal between two steps.
    let mut signals = Signals::new().map_err(|error| FleetError::Internal(format!("no signals: {error}")))?;
    let mut config = load(place, flags)?;
    let fleet = tokio::select! {
        fleet = start(place, &config) => fleet?,
        // Nothing was promised yet; what runs of an earlier daemon runs on.
        _ = signals.terminate.recv() => return Ok(()),
        _ = signals.interrupt.recv() => return Ok(()),
    };
    let mut server = match listen(&fleet, place).await {
        Ok(server) => server,
        Err(error) => {
            fleet.shutdown().await;
            return Err(error);
        }
    };
    say(&format!("ready: the fleet in {} has {}", place.root.display(), peers(fleet.list().len())));
    systemd::ready(&status(&fleet));
    let mut watchdog = Watchdog::new();
    loop {
        // Each branch is cancel-safe: signals and the request are kept until they are taken.
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = server.shutdown_requested() => break,
            _ = signals.hang_up.recv() => {
                systemd::reloading();
                reload(&fleet, place, flags, &mut config).await;
                systemd::ready(&status(&fleet));
            }
            () = watchdog.due() => watchdog.answer().await,
            () = fleet.ended() => {
                server.stop(API_GRACE).await;
                return Err(FleetError::Internal("the supervision tree has failed; the peers run on".into()));
            }
        }
    }
    systemd::stopping("the peers run on");
    server.stop(API_GRACE).await;
    end(fleet).await;
    Ok(())
}

async fn start(place: &Place, config: &Config) -> Result<FleetHandle, FleetError> {
    Fleet::builder().root(&place.root).config(config.clone()).start().await
}

async fn listen(fleet: &FleetHandle, place: &Place) -> Result<api::ApiServer, FleetError> {
    let paths = Paths::new(&place.root)?;
    match systemd::listener(&paths.daemon_socket())? {
        Some(socket) => api::serve_on(socket, fleet.clone(), &paths).await,
        None => api::serve(fleet.clone(), &paths).await,
    }
}

/// The fleet in one line, for `systemctl status`.
fn status(fleet: &FleetHandle) -> String {
    format!("serves {} in {}", peers(fleet.list().len()), fleet.root().display())
}

/// The service manager's watchdog: it is answered as long as this loop and the threads that serve get their turn.
struct Watchdog(Option<Interval>);

impl Watchdog {
    fn new() -> Self {
        Self(systemd::beat_pause().map(|pause| {
            let mut beat = tokio::time::interval(pause);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        }))
    }

    /// Resolves when a sign of life is due; never where nobody waits for one. Cancel-safe.
    async fn due(&mut self) {
        match &mut self.0 {
            Some(beat) => {
                beat.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    async fn answer(&self) {
        // A task of its own runs on a thread that serves, not on this one.
        if tokio::time::timeout(TURN_TIME_MAX, tokio::spawn(async {})).await.is_ok() {
            systemd::alive();
        }
    }
}

async fn end(fleet: FleetHandle) {
    // Holds the lock on: no successor puts a socket where the last one is taken away.
    let holds_lock = fleet.clone();
    match tokio::time::timeout(TREE_GRACE, fleet.shutdown()).await {
        Ok(0) => {
            socket_folder::clear(holds_lock.paths()).await;
            say("ended; no peer runs");
        }
        Ok(running) => {
            say(&format!(
                "ended; {}: `coalmine up -d`, then `coalmine down --all`, ends what runs",
                still_run(running)
            ));
        }
        Err(_) => tracing::warn!(grace = ?TREE_GRACE, "the tree did not end in time; the peers run on"),
    }
}

fn load(place: &Place, flags: &Overrides) -> Result<Config, FleetError> {
    config::load(&place.config, &|name| std::env::var(name).ok(), flags)
}

/// Reads the config again and follows it. A bad file changes nothing.
async fn reload(fleet: &FleetHandle, place: &Place, flags: &Overrides, config: &mut Config) {
    let new = match load(place, flags) {
        Ok(new) if new == *config => return tracing::info!("the config has not changed"),
        Ok(new) => new,
        Err(error) => {
            return tracing::error!(hint = error.hint(), "the config stays as it was: {}", error.chain());
        }
    };
    match fleet.reload(&new).await {
        Ok(()) => {
            tracing::info!("the config has changed; each peer follows it from its next life on");
            *config = new;
        }
        Err(error) => tracing::error!(hint = error.hint(), "the config can not be followed now: {}", error.chain()),
    }
}

/// One line for whoever started the daemon; nobody needs to read it.
fn say(line: &str) {
    let _unheard = writeln!(std::io::stdout(), "{line}");
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}
