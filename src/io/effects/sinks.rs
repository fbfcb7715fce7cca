//! Where a peer's lines go where nobody says otherwise: files of its own, bounded.

use crate::io::log_file::LogFile;
use coalmine_actors::{
    effects::{
        EffectError,
        port::{Sink, Sinks},
    },
    names::Identity,
};
use std::{
    fs::DirBuilder,
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// `effects/<identity>/print.log` and `session.log`, each made with its first line.
#[derive(Debug)]
pub struct PeerSinks {
    folder: PathBuf,
}

impl PeerSinks {
    /// Below this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn sink(&self, peer: &Identity, name: &str) -> Arc<dyn Sink> {
        let folder = self.folder.join(peer.to_string());
        Arc::new(FileSink { path: folder.join(name), open: OnceLock::new() })
    }
}

impl Sinks for PeerSinks {
    fn print(&self, peer: &Identity) -> Arc<dyn Sink> {
        self.sink(peer, "print.log")
    }

    fn log(&self, peer: &Identity) -> Arc<dyn Sink> {
        self.sink(peer, "session.log")
    }
}

#[derive(Debug)]
struct FileSink {
    path: PathBuf,
    open: OnceLock<LogFile>,
}

impl Sink for FileSink {
    fn line(&self, line: &str) -> Result<(), EffectError> {
        let log = match self.open.get() {
            Some(log) => log,
            None => {
                if let Some(folder) = self.path.parent() {
                    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                }
                let opened = LogFile::open(&self.path)?;
                self.open.get_or_init(|| opened)
            }
        };
        // With its end in one piece: lines of several sessions stand one after the other.
        let mut log = log;
        Ok(log.write_all(format!("{line}\n").as_bytes())?)
    }
}
