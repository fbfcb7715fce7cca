//! Runs under way, each a file in `run/` that is named by its mark: what a daemon that was killed left running is ended
//! by the next one, before it calls the same provider for the same peer again.
//!
//! ```text
//! file ─▶ child ─▶ … ─▶ child ended and reaped ─▶ no file      what the child left behind is its own affair
//!            └─ the daemon dies ─▶ the next one finds the file ─▶ all that bears the mark is killed ─▶ no file
//! ```

use crate::io::{
    held::{self, Held},
    life_mark, private_file,
};
use rustix::process::Signal;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long what was killed may take to end, before it is looked for again.
const KILL_GRACE: Duration = Duration::from_millis(250);
/// Looks at the process table: a process may fork between the look and the signal.
const ROUNDS_MAX: usize = 4;

/// A run that is under way, until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Option<PathBuf>);

impl UnderWay {
    /// Notes a run before its child exists. One that can not be noted is run all the same.
    pub(super) fn note(folder: &Path, mark: &str) -> Self {
        let path = folder.join(mark);
        match private_file::write(&path, b"") {
            Ok(()) => Self(Some(path)),
            Err(error) => {
                tracing::warn!(%error, mark, "a provider's command would run on, should this daemon be killed");
                Self(None)
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(%error, path = %path.display(), "the note of a run that is over stays");
        }
    }
}

/// Ends what earlier daemons of this root left running; how many runs there were. Blocks.
pub(super) fn end_all(folder: &Path, root_hash: &str) -> io::Result<usize> {
    let (prefix, mut ended) = (format!("{root_hash}-provision-"), 0);
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(mark) = name.to_str().filter(|name| name.starts_with(&prefix)) else { continue };
        let left = end(mark);
        if left.is_empty() {
            fs::remove_file(folder.join(mark))?;
            ended += 1;
        } else {
            let left: Vec<_> = left.iter().map(|held| held.pid).collect();
            tracing::error!(mark, ?left, "what a provider's command of an earlier daemon left can not be ended");
        }
    }
    Ok(ended)
}

/// Kills all that bears this mark; those that live on.
fn end(mark: &str) -> Vec<Held> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    let mut living = || held::find(|pid| life_mark::bears(pid, mark, &mut buffer));
    for _ in 0..ROUNDS_MAX {
        let found = living();
        if found.is_empty() {
            return found;
        }
        held::signal(&found, Signal::KILL);
        held::wait(&found, KILL_GRACE);
    }
    living()
}
