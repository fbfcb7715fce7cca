//! The records of deaths as people and programs read them: from `journal/exits.log`, and from the records' own files
//! where it has lost their lines.

use crate::io::{
    journal::{read_events_of, read_exits},
    witness::{
        life::RECORDS_FOLDER,
        record::{Record, SERVER_EXIT},
    },
};
use coalmine_actors::{
    error::FleetError,
    journal::logfmt,
    names::{Generation, Identity},
};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

/// Lines of exits.log that are looked at, newest first, for one answer.
const LINES_READ_MAX: usize = 100_000;
/// A status that nobody could learn.
const UNKNOWN: &str = "unknown";

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// When.
    pub ts: Timestamp,
    /// `server-exit` or `session-exit`.
    pub ev: String,
    /// Whose.
    pub identity: Identity,
    /// Which life.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// As the record has it: `exit:0`, `signal:9`, `unknown`.
    pub status: String,
    /// What the daemon, the server's parent, saw where the record's own status is `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_status: Option<String>,
    /// `killed`, `oom-killed`, `crashed`, `exited`, `unwitnessed`, `session-killed`.
    pub cause: String,
    /// `canary`, `daemon`, `recovery`; `hook` for a session.
    pub witness: String,
    /// How long it had been up, seconds.
    pub up_s: Option<u64>,
    /// Where the forensics lie.
    pub forensics: Option<PathBuf>,
    /// Everything else that the record says.
    pub more: Vec<(String, String)>,
}

/// The newest records of NAME (an identity, a personality with all its runtimes, or everybody), newest first.
///
/// # Errors
/// The file can not be read.
pub fn read(journal: &Path, name: Option<&str>, limit: usize) -> Result<Vec<Death>, FleetError> {
    let lines = read_exits(journal, None, LINES_READ_MAX)
        .map_err(|source| FleetError::io("read", journal.join("exits.log"), source))?;
    let mut deaths: Vec<Death> = lines.into_iter().filter_map(parse).collect();
    // Stable, so that records of one moment keep the file's order, turned round.
    deaths.reverse();
    deaths.extend(without_line(journal, &deaths)?);
    deaths.retain(|death| name.is_none_or(|name| means(name, &death.identity)));
    deaths.sort_by_key(|death| std::cmp::Reverse(death.ts));
    deaths.truncate(limit);
    complete(journal, &mut deaths)?;
    Ok(deaths)
}

/// The records of servers that none of these lines tells of: cut off, or damaged.
fn without_line(journal: &Path, told: &[Death]) -> Result<Vec<Death>, FleetError> {
    let told: HashSet<String> = told.iter().filter_map(server_life).collect();
    let records = record_files(journal).map_err(|source| FleetError::io("read", journal, source))?;
    let untold = records
        .into_iter()
        .filter(|file| file.file_stem().and_then(|stem| stem.to_str()).is_some_and(|life| !told.contains(life)));
    // One that can not be read costs itself only; `verify` names it.
    Ok(untold
        .filter_map(|file| {
            let record = Record::read(&file).ok()??;
            parse(logfmt::parse(record.line(&file).trim_end()).ok()?)
        })
        .collect())
}

/// The files of all records, sorted; a folder that is not there has none.
///
/// # Errors
/// The folder can not be read.
pub fn record_files(journal: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = match std::fs::read_dir(journal.join(RECORDS_FOLDER)) {
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        folder => folder?,
    };
    let files = folder.filter_map(|file| Some(file.ok()?.path()));
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "txt")).collect();
    files.sort();
    Ok(files)
}

/// The lives whose server's death has a line in exits.log, as `<identity>-g<generation>`.
///
/// # Errors
/// The file can not be read.
pub fn lives_with_line(journal: &Path) -> std::io::Result<HashSet<String>> {
    let deaths = read_exits(journal, None, LINES_READ_MAX)?.into_iter().filter_map(parse);
    Ok(deaths.filter_map(|death| server_life(&death)).collect())
}

/// The name of a server's record.
fn server_life(death: &Death) -> Option<String> {
    (death.ev == SERVER_EXIT).then(|| format!("{}-g{}", death.identity, death.generation))
}

/// The newest record of one identity.
///
/// # Errors
/// The files can not be read.
pub fn last(journal: &Path, identity: &Identity) -> Result<Option<Death>, FleetError> {
    let deaths = read(journal, Some(&identity.to_string()), LINES_READ_MAX)?;
    // A personality may be spelled like another one's identity.
    Ok(deaths.into_iter().find(|death| death.identity == *identity))
}

/// Puts the daemon's exact status beside those that their witness could not learn, where the journal still has it.
fn complete(journal: &Path, deaths: &mut [Death]) -> Result<(), FleetError> {
    if deaths.iter().all(|death| death.status != UNKNOWN) {
        return Ok(());
    }
    let seen =
        read_events_of(journal, "death", LINES_READ_MAX).map_err(|source| FleetError::io("read", journal, source))?;
    let seen: HashMap<_, _> = seen
        .iter()
        .filter_map(|event| Some(((event.get("identity")?, event.get("gen")?), event.get("status")?)))
        .filter(|(_, status)| *status != UNKNOWN)
        .collect();
    for death in deaths.iter_mut().filter(|death| death.status == UNKNOWN) {
        let life = (death.identity.to_string(), death.generation.to_string());
        death.daemon_status = seen.get(&(life.0.as_str(), life.1.as_str())).map(|status| (*status).to_owned());
    }
    Ok(())
}

impl Death {
    /// The record's status, else the daemon's, else `unknown`.
    pub fn exact_status(&self) -> &str {
        match &self.daemon_status {
            Some(seen) if self.status == UNKNOWN => seen,
            _ => &self.status,
        }
    }
}

/// Whether NAME means this identity. A name that is both counts as both: nothing is hidden.
pub fn means(name: &str, identity: &Identity) -> bool {
    identity.personality().as_str() == name || identity.to_string() == name
}

/// A line that is no record, or lacks what makes one, is left out here; `verify` names it.
fn parse(fields: Vec<(String, String)>) -> Option<Death> {
    let get = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let ev = get("ev").filter(|ev| matches!(*ev, "server-exit" | "session-exit"))?;
    Some(Death {
        ts: get("ts")?.parse().ok()?,
        ev: ev.to_owned(),
        identity: get("identity")?.parse().ok()?,
        generation: Generation(get("gen")?.parse().ok()?),
        status: get("status").map_or_else(|| session_status(get("dead_status"), get("dead_signal")), str::to_owned),
        daemon_status: None,
        cause: get("cause").unwrap_or_default().to_owned(),
        witness: get("witness").unwrap_or("hook").to_owned(),
        up_s: get("up_s").and_then(|seconds| seconds.parse().ok()),
        forensics: get("forensics").filter(|path| !path.is_empty()).map(PathBuf::from),
        more: fields.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())).cloned().collect(),
    })
}

/// Fields that a [`Death`] holds under their own names.
const KNOWN: [&str; 11] =
    ["ts", "ev", "identity", "gen", "status", "cause", "witness", "up_s", "forensics", "dead_status", "dead_signal"];

/// A session's end in the words of a server's.
fn session_status(status: Option<&str>, signal: Option<&str>) -> String {
    match (status.filter(|text| !text.is_empty()), signal.filter(|text| !text.is_empty() && *text != "0")) {
        (_, Some(signal)) => format!("signal:{signal}"),
        (Some(status), None) => format!("exit:{status}"),
        (None, None) => "unknown".into(),
    }
}

/// A status for people: `SIGKILL`, `SIGSEGV, core dumped`, `exit 3`, `unknown`.
pub fn status_words(status: &str) -> String {
    match status.split_once(':') {
        Some(("exit", code)) => format!("exit {code}"),
        Some(("signal", signal)) => {
            let (number, core) = signal.strip_suffix("+core").map_or((signal, ""), |number| (number, ", core dumped"));
            let name = number.parse().ok().and_then(|number: i32| Signal::try_from(number).ok());
            name.map_or_else(|| format!("signal {number}{core}"), |name| format!("{name}{core}"))
        }
        _ => status.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<(String, String)> {
        text.split(' ').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn a_status_is_said_in_words() {
        for (status, words) in [
            ("exit:0", "exit 0"),
            ("signal:9", "SIGKILL"),
            ("signal:11+core", "SIGSEGV, core dumped"),
            ("signal:40", "signal 40"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(status_words(status), words);
        }
    }

    #[test]
    fn a_server_and_a_session_are_read_alike() {
        let server = parse(fields(
            "ts=2026-11-21T01:23:45.678901Z ev=server-exit identity=claude-bob gen=7 server_pid=4242 \
             status=signal:9 cause=killed witness=canary up_s=3601 forensics=/x.txt",
        ))
        .unwrap();
        assert_eq!((server.generation, server.up_s), (Generation(7), Some(3601)));
        assert_eq!(server.more, [("server_pid".to_owned(), "4242".to_owned())]);
        let session = parse(fields(
            "ts=2026-11-21T01:23:45Z ev=session-exit identity=shell-bob gen=1 dead_status=3 dead_signal= cause=exited",
        ))
        .unwrap();
        assert_eq!((session.status.as_str(), session.witness.as_str()), ("exit:3", "hook"));
        assert_eq!(parse(fields("ts=2026-11-21T01:23:45Z ev=up identity=shell-bob gen=1")), None);
        assert_eq!(parse(fields("ev=server-exit identity=shell-bob gen=1")), None);
    }

    #[test]
    fn a_name_means_an_identity_or_all_of_a_personality() {
        let identity: Identity = "claude-bob".parse().unwrap();
        assert!(means("bob", &identity) && means("claude-bob", &identity));
        assert!(!means("claude", &identity) && !means("codex-bob", &identity));
    }
}
