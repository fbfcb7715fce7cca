//! Where the traces of one life lie.

use std::path::{Path, PathBuf};

/// The folder of the records, below the journal.
pub const RECORDS_FOLDER: &str = "server-deaths";

/// One life, and the folders in which its witnesses look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifePaths {
    /// The journal's folder.
    pub journal: PathBuf,
    /// The folder of the identity: `peers/<identity>`.
    pub peer_dir: PathBuf,
    /// Whose life.
    pub identity: String,
    /// Which of its lives.
    pub generation: u64,
}

impl LifePaths {
    /// The written intent of a deliberate end.
    pub fn claim(&self) -> PathBuf {
        self.peer_dir.join(format!("claim-g{}", self.generation))
    }

    /// The folder of all records.
    pub fn records(&self) -> PathBuf {
        self.journal.join(RECORDS_FOLDER)
    }

    /// The one account of an unclaimed death.
    pub fn record(&self) -> PathBuf {
        self.records().join(format!("{}.txt", self.key()))
    }

    /// Says that the record's line is in exits.log.
    pub fn logged(&self) -> PathBuf {
        self.records().join(format!("{}.logged", self.key()))
    }

    /// The lines of all witnesses and hooks.
    pub fn exits_log(&self) -> PathBuf {
        exits_log(&self.journal)
    }

    /// `claude-bob-g7`: what every file name of this life holds.
    pub fn key(&self) -> String {
        format!("{}-g{}", self.identity, self.generation)
    }
}

/// Where a journal keeps the lines that others than the daemon may write.
pub fn exits_log(journal: &Path) -> PathBuf {
    journal.join("exits.log")
}
