//! Starts canaries, and finds or makes the record of a death (spec 01 §4).

use super::{
    exits,
    fault::{self, FaultPoint},
    journal, late_canary, life_paths,
    lock::{self, NotLocked},
    lock_holder,
    pidfd::{Pidfd, to_witness},
    reaper::{Known, Reaper, Role},
    spawn::Spawn,
    witness::{self, Death, Settled, WitnessedBy as Seen, settle::Step},
};
use crate::paths::Paths;
use coalmine_actors::{
    error::FleetError,
    names::Identity,
    peer::file::PeerFile,
    ports::{Answer, DeathNotice, LifeKey, Process, ProcessEnd, ProcessId, Settlement, Witness, WitnessedBy},
    turns::Turns,
};
use jiff::Timestamp;
use rustix::process::Signal;
use std::{
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a canary may take to finish its record before the daemon looks for itself.
const CANARY_GRACE: Duration = Duration::from_millis(500);
/// Events of the identity that are added to its record.
const EVENTS_IN_RECORD_MAX: usize = 20;

/// The adapter. Clones share it.
#[derive(Debug, Clone)]
pub struct Canaries {
    paths: Paths,
    helper: PathBuf,
    reaper: Reaper,
    turns: Turns<Identity>,
    /// When the last daemon was last heard of: since then nobody looked.
    blind_since: Option<Timestamp>,
}

impl Canaries {
    /// Canaries of the fleet at `paths`, by this helper.
    pub fn new(paths: Paths, helper: PathBuf, reaper: Reaper, turns: Turns<Identity>) -> Self {
        // The last thing that a daemon wrote. A hint for people: no decision rests on it.
        let last_word = std::fs::metadata(paths.journal().join("lifecycle.log")).and_then(|log| log.modified());
        let blind_since = last_word.ok().and_then(|at| Timestamp::try_from(at).ok());
        Self { paths, helper, reaper, turns, blind_since }
    }

    fn lock_path(&self, life: &LifeKey) -> PathBuf {
        late_canary::lock_of(&self.paths.peer(&life.identity), life.generation)
    }

    /// `posix_spawn` with the server's pidfd as 3 and the lock as 4.
    fn spawn(&self, life: &LifeKey, server: ProcessId) -> io::Result<Pidfd> {
        let known = self.reaper.get(life, Role::Server).ok_or(io::ErrorKind::NotFound)?;
        if known.pidfd().id() != server || known.pidfd().is_dead() {
            return Err(io::Error::other("the server is gone"));
        }
        let lock = lock::try_lock(&self.lock_path(life)).map_err(|why| match why {
            NotLocked::Held => io::Error::other("a canary of this life is there"),
            NotLocked::Io(error) => error,
        })?;
        let started = started_boot_ms(server);
        let mut spawn = Spawn::new(&self.helper)?
            .arg("canary")?
            .arg("--journal")?
            .arg(self.paths.journal())?
            .arg("--peer-dir")?
            .arg(self.paths.peer(&life.identity))?
            .arg("--identity")?
            .arg(life.identity.to_string())?
            .arg("--gen")?
            .arg(life.generation.to_string())?
            .arg("--server-pid")?
            .arg(server.pid.to_string())?
            .arg("--started-boot-ms")?
            .arg(started.to_string())?
            .arg("--pane-log")?
            .arg(self.paths.pane_log(&life.identity))?
            .pass(known.pidfd().as_fd())
            .pass(lock.as_fd());
        if let Some((key, value)) = fault::passed_on() {
            spawn = spawn.env(key, value)?;
        }
        fault::reached(FaultPoint::CanaryDue);
        let pid = spawn.start()?;
        fault::reached(FaultPoint::CanarySpawned);
        Pidfd::open(pid)
    }

    /// Adds what the daemon knows to a record that is settled, and keeps records and lines within their limits.
    /// Nobody waits for it, and what fails is tried after the next death.
    fn tidy(&self, life: &LifeKey) {
        let (paths, life) = (self.paths.clone(), life.clone());
        tokio::task::spawn_blocking(move || {
            let tidied = add_events(&paths, &life)
                .and_then(|()| witness::retention::prune(&paths.journal(), Timestamp::now()))
                .and_then(|_| exits::trim(&paths.journal(), &unsettled(&paths)));
            if let Err(error) = tidied {
                tracing::warn!(%error, "old records could not be cleared away");
            }
        });
    }

    /// Gives the canary a moment: it was nearer. Says which one is still there after that.
    async fn let_canary_finish(&self, life: &LifeKey) -> Option<Known> {
        let canary = match self.reaper.get(life, Role::Canary) {
            Some(canary) => canary,
            // One that an earlier daemon started is known by its lock.
            None => self.reaper.take(life, Role::Canary, self.lock_holder(life)?).ok()?,
        };
        let ended = tokio::time::timeout(CANARY_GRACE, canary.wait()).await;
        ended.is_err().then_some(canary)
    }

    fn lock_holder(&self, life: &LifeKey) -> Option<Pidfd> {
        let lock = self.lock_path(life);
        let held = lock.exists() && matches!(lock::try_lock(&lock), Err(NotLocked::Held));
        held.then(|| lock_holder::find(&lock, lock_holder::CANARY_FD)).flatten()
    }
}

/// Writes the last events of the identity under its record, whoever made it; once.
fn add_events(paths: &Paths, life: &LifeKey) -> io::Result<()> {
    const SECTION: &str = "\n[events]\n";
    let record = life_paths(paths, life).record();
    let text = match std::fs::read(&record) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // a claimed end has none
        Err(error) => return Err(error),
    };
    if text.contains(SECTION) {
        return Ok(());
    }
    let events = journal::last_events_about(&paths.journal(), &life.identity, EVENTS_IN_RECORD_MAX)?;
    let mut file = std::fs::OpenOptions::new().append(true).open(&record)?;
    file.write_all(format!("{SECTION}{}\n", events.join("\n")).as_bytes())
}

/// Every life that some peer's file still names.
fn unsettled(paths: &Paths) -> Vec<LifeKey> {
    let folders = std::fs::read_dir(paths.peers()).into_iter().flatten().flatten();
    let files = folders.filter_map(|folder| {
        let identity: Identity = folder.file_name().to_str()?.parse().ok()?;
        let file: PeerFile = serde_json::from_slice(&std::fs::read(folder.path().join("state.json")).ok()?).ok()?;
        Some((identity, file.lives))
    });
    files
        .flat_map(|(identity, lives)| {
            lives.into_iter().map(move |life| LifeKey { identity: identity.clone(), generation: life.generation })
        })
        .collect()
}

/// When a process started, milliseconds since boot.
fn started_boot_ms(process: ProcessId) -> u64 {
    witness::proc_stat::ticks_to_ms(process.start_ticks)
}

impl Witness for Canaries {
    fn arm(&self, life: &LifeKey, server: ProcessId) -> Answer<Box<dyn Process>> {
        let (this, life) = (self.clone(), life.clone());
        Box::pin(async move {
            // Not beside an end: a canary that is armed after the others were dismissed would take our kill for a death.
            let _turn = this.turns.of(&life.identity).await;
            this.reaper.note_oom(&life, server.pid);
            let pidfd = this.spawn(&life, server).map_err(|source| FleetError::io("start", &this.helper, source))?;
            let known = this.reaper.take(&life, Role::Canary, pidfd);
            Ok(Box::new(known.map_err(|source| FleetError::io("watch", &this.helper, source))?) as Box<dyn Process>)
        })
    }

    fn settle(&self, notice: DeathNotice) -> Answer<Settlement> {
        let this = self.clone();
        Box::pin(async move {
            let lingering = this.let_canary_finish(&notice.life).await;
            let server = this.reaper.get(&notice.life, Role::Server);
            // Somebody who saw it end is a witness; somebody who comes to its ruins is not.
            let seen = if server.is_some() { Seen::Daemon } else { Seen::Recovery };
            let end = match notice.end {
                ProcessEnd::Vanished => server.and_then(|server| server.end()).unwrap_or(ProcessEnd::Vanished),
                end => end,
            };
            let paths = life_paths(&this.paths, &notice.life);
            let mut death =
                Death::noticed_now(notice.server.map(|server| server.pid), to_witness(end), notice.started_boot_ms);
            death.oom = this.reaper.oom_baseline(&notice.life);
            if seen == Seen::Recovery {
                death.window = this.blind_since.map(|from| (from, death.noticed));
            }
            death.pane_log = Some(this.paths.pane_log(&notice.life.identity));
            let settled = tokio::task::spawn_blocking(move || {
                let mut kernel_log = witness::forensics::KernelLog::open();
                witness::settle::settle_watched(&paths, &death, seen, &mut kernel_log, &mut fault_point)
            });
            let settled = settled.await;
            let settled = settled.map_err(|join| FleetError::Internal(join.to_string()))?;
            let settled = settled.map_err(|source| owed(&this.paths.journal(), source))?;
            if let Some(canary) = lingering {
                // All that it could still do is done. Stopped now, and continued when the claim that silences it has
                // been cleared away, it would tell of a death that was meant.
                let _ = canary.pidfd().signal(Signal::KILL);
                let _ = tokio::time::timeout(CANARY_GRACE, canary.wait()).await;
            }
            this.reaper.forget(&notice.life);
            this.tidy(&notice.life);
            Ok(settlement(settled))
        })
    }
}

/// Where a test may stop the daemon while it records.
fn fault_point(step: Step) -> io::Result<()> {
    fault::reached(match step {
        Step::TempWritten => FaultPoint::RecordWritten,
        Step::Linked => FaultPoint::RecordLinked,
        Step::LineWritten => FaultPoint::RecordTold,
        Step::Marked => FaultPoint::RecordMarked,
    });
    Ok(())
}

fn owed(journal: &Path, source: io::Error) -> FleetError {
    FleetError::io("write a record in", journal, source)
}

fn settlement(settled: Settled) -> Settlement {
    match settled {
        Settled::Claimed => Settlement::Claimed,
        Settled::AlreadyRecorded { witness, cause } | Settled::Recorded { witness, cause } => Settlement::Recorded {
            witness: match witness {
                Seen::Canary => WitnessedBy::Canary,
                Seen::Daemon => WitnessedBy::Daemon,
                Seen::Recovery => WitnessedBy::Recovery,
            },
            cause: cause.to_string(),
        },
    }
}
