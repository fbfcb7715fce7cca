//! The record of a death: its fields, as the head of its file and as its line in exits.log.

use super::{cause::Cause, clock::timestamp, death::Death, life::LifePaths, status::EndStatus};
use crate::logfmt;
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    str::FromStr,
};

/// The `ev` of a record's line.
pub const SERVER_EXIT: &str = "server-exit";

/// How much of a record's file can be its head, bytes: eleven short fields fit many times.
const HEAD_BYTES_MAX: u64 = 4 * 1024;

/// Who saw a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WitnessedBy {
    /// The canary beside the server.
    Canary,
    /// The daemon, when the canary was gone too.
    Daemon,
    /// The next daemon, when both were gone.
    Recovery,
}

impl WitnessedBy {
    /// As records write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Daemon => "daemon",
            Self::Recovery => "recovery",
        }
    }
}

impl fmt::Display for WitnessedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAWitness;

impl FromStr for WitnessedBy {
    type Err = NotAWitness;
    fn from_str(text: &str) -> Result<Self, NotAWitness> {
        [Self::Canary, Self::Daemon, Self::Recovery]
            .into_iter()
            .find(|witness| witness.as_str() == text)
            .ok_or(NotAWitness)
    }
}

/// The fields of a record, all of which its file's head and its line hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the witness noticed; RFC 3339.
    pub ts: String,
    /// Whose death.
    pub identity: String,
    /// Of which life.
    pub generation: u64,
    /// The server's process, where it was ever known.
    pub server_pid: Option<i32>,
    /// How it ended.
    pub status: EndStatus,
    /// Why, as far as can be said.
    pub cause: Cause,
    /// Who saw it.
    pub witness: WitnessedBy,
    /// How long the life lasted, seconds.
    pub up_s: u64,
    /// From when to when it can have happened, where nobody looked; RFC 3339.
    pub window: Option<(String, String)>,
}

impl Record {
    /// The record of `death`.
    pub fn new(life: &LifePaths, death: &Death, cause: Cause, witness: WitnessedBy) -> Self {
        Self {
            ts: timestamp(death.noticed),
            identity: life.identity.clone(),
            generation: life.generation,
            server_pid: death.server_pid,
            status: death.status,
            cause,
            witness,
            up_s: death.up_s(),
            window: death.window.map(|(from, to)| (timestamp(from), timestamp(to))),
        }
    }

    /// The fields in the order in which they are written.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("ts", self.ts.clone()),
            ("ev", SERVER_EXIT.to_owned()),
            ("identity", self.identity.clone()),
            ("gen", self.generation.to_string()),
            ("server_pid", self.server_pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())),
            ("status", self.status.to_string()),
            ("cause", self.cause.to_string()),
            ("witness", self.witness.to_string()),
            ("up_s", self.up_s.to_string()),
        ];
        if let Some((from, to)) = &self.window {
            fields.extend([("window_from", from.clone()), ("window_to", to.clone())]);
        }
        fields
    }

    /// The head of the record's file: one field a line.
    pub fn head(&self) -> String {
        let mut head = String::new();
        for (key, value) in self.fields() {
            head.push_str(&logfmt::line([(key, value.as_str())]));
            head.push('\n');
        }
        head
    }

    /// The record's line in exits.log, which names its file; without a final `\n`.
    pub fn line(&self, file: &Path) -> String {
        let mut line = String::new();
        for (key, value) in self.fields() {
            logfmt::push(&mut line, key, &value);
        }
        logfmt::push(&mut line, "forensics", &file.to_string_lossy());
        line
    }

    /// Reads the head of a record's file; nothing where there is no such file.
    ///
    /// # Errors
    /// Whatever the file system says; `InvalidData` when the head is not whole.
    pub fn read(file: &Path) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        match File::open(file) {
            Ok(file) => file.take(HEAD_BYTES_MAX).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match Self::parse(&String::from_utf8_lossy(&text)) {
            Some(record) => Ok(Some(record)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "the record's head is damaged")),
        }
    }

    /// Reads a head, up to the first empty line. Fields that this build does not know are passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let head: Vec<(String, String)> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| logfmt::parse(line).ok())
            .flatten()
            .collect();
        let field = |key: &str| head.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        Some(Self {
            ts: field("ts")?.to_owned(),
            identity: field("identity")?.to_owned(),
            generation: field("gen")?.parse().ok()?,
            server_pid: field("server_pid")?.parse().ok(),
            status: field("status")?.parse().ok()?,
            cause: field("cause")?.parse().ok()?,
            witness: field("witness")?.parse().ok()?,
            up_s: field("up_s")?.parse().ok()?,
            window: field("window_from").map(str::to_owned).zip(field("window_to").map(str::to_owned)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            ts: "2026-11-21T01:23:45.678901Z".into(),
            identity: "claude-bob".into(),
            generation: 7,
            server_pid: Some(4242),
            status: EndStatus::Signaled { signal: 9, core: false },
            cause: Cause::Killed,
            witness: WitnessedBy::Canary,
            up_s: 3601,
            window: None,
        }
    }

    #[test]
    fn the_line_is_the_one_that_the_specification_shows() {
        assert_eq!(
            record().line(Path::new("/j/server-deaths/claude-bob-g7.txt")),
            "ts=2026-11-21T01:23:45.678901Z ev=server-exit identity=claude-bob gen=7 server_pid=4242 status=signal:9 \
             cause=killed witness=canary up_s=3601 forensics=/j/server-deaths/claude-bob-g7.txt"
        );
    }

    #[test]
    fn a_head_is_read_back_whole() {
        let unseen = Record {
            server_pid: None,
            status: EndStatus::Unknown,
            cause: Cause::Unwitnessed,
            witness: WitnessedBy::Recovery,
            window: Some(("2026-11-21T01:00:00.000000Z".into(), "2026-11-21T02:00:00.000000Z".into())),
            ..record()
        };
        for record in [record(), unseen] {
            let file = format!("{}\n[pane log]\ncause=exited\n", record.head());
            assert_eq!(Record::parse(&file), Some(record));
        }
        assert_eq!(Record::parse("ts=x\n\nidentity=y\n"), None);
    }
}
