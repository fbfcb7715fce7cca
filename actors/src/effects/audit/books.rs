//! What everybody has used, as the audit log's lines say it: the ledgers are rebuilt from these. Pure.

use super::entry::{About, Decided, Ended, Entry, Record, Verdict};
use crate::{effects::budget::Usage, names::Identity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A call that was allowed and of which no end is written yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The number of its decision.
    pub call: u64,
    /// Whose.
    pub peer: String,
    /// What it reserved.
    pub reserved: Usage,
}

/// The sum of all lines so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    used: BTreeMap<String, Usage>,
    open: BTreeMap<u64, Open>,
}

impl Books {
    /// What this peer has used.
    pub fn used(&self, peer: &str) -> Usage {
        self.used.get(peer).copied().unwrap_or_default()
    }

    /// All of it as one line.
    pub fn checkpoint(&self) -> Entry<'static> {
        Entry::Checkpoint { used: self.used.clone(), open: self.open.values().cloned().collect() }
    }

    /// Calls under way belong to a process that has ended: what they reserved stays used, for nobody knows whether they
    /// happened.
    pub fn give_up_open(&mut self) {
        self.open.clear();
    }

    /// Takes one more line in.
    pub fn enter(&mut self, seq: u64, entry: &Entry<'_>) {
        match entry {
            Entry::Decision(Decided { about, calls, bytes_out, llm_tokens, .. })
                if about.verdict == Verdict::Allowed =>
            {
                let reserved = Usage { calls: *calls, bytes_out: *bytes_out, llm_tokens: *llm_tokens, wall_us: 0 };
                let peer = account(about);
                self.change(&peer, Usage::default(), reserved);
                self.open.insert(seq, Open { call: seq, peer, reserved });
            }
            Entry::Decision(_) => {}
            Entry::Outcome(ended) => self.end(ended),
            Entry::Checkpoint { used, open } => {
                self.used.clone_from(used);
                self.open = open.iter().map(|open| (open.call, open.clone())).collect();
            }
            Entry::Forgotten { peer } => {
                self.used.remove(peer.as_ref());
                self.open.retain(|_, open| open.peer != *peer);
            }
        }
    }

    fn end(&mut self, ended: &Ended<'_>) {
        // One that is not open belongs to a peer that is gone, or to a line that was lost: what it reserved was
        // counted, or is nobody's any more.
        if let Some(Open { peer, reserved, .. }) = self.open.remove(&ended.call) {
            self.change(&peer, reserved, ended.usage());
        }
    }

    fn change(&mut self, peer: &str, less: Usage, more: Usage) {
        let used = match self.used.get_mut(peer) {
            Some(used) => used,
            None => self.used.entry(peer.to_owned()).or_default(),
        };
        let settled = |used: u64, less: u64, more: u64| used.saturating_sub(less).saturating_add(more);
        *used = Usage {
            calls: settled(used.calls, less.calls, more.calls),
            wall_us: settled(used.wall_us, less.wall_us, more.wall_us),
            bytes_out: settled(used.bytes_out, less.bytes_out, more.bytes_out),
            llm_tokens: settled(used.llm_tokens, less.llm_tokens, more.llm_tokens),
        };
    }
}

/// The budget belongs to the peer, under whatever runtime it called.
fn account(about: &About<'_>) -> String {
    about
        .peer
        .parse::<Identity>()
        .map_or_else(|_| about.peer.to_string(), |identity| identity.personality().to_string())
}

/// Reads the log back: the newest file, and older ones until a checkpoint is found. The last number, and the sum.
///
/// # Errors
/// A file is there and can not be read.
pub fn recover<E>(
    mut file: impl FnMut(usize) -> Result<Option<Vec<u8>>, E>,
    kept_max: usize,
) -> Result<(u64, Books), E> {
    let mut texts = Vec::new();
    for age in 0..=kept_max {
        let Some(text) = file(age)? else { continue };
        let found = records(&text).any(|record| matches!(record.entry, Entry::Checkpoint { .. }));
        texts.push(text);
        if found {
            break;
        }
    }
    let (mut last, mut books) = (0, Books::default());
    for record in texts.iter().rev().flat_map(|text| records(text)) {
        last = last.max(record.seq);
        books.enter(record.seq, &record.entry);
    }
    Ok((last, books))
}

/// The lines that can be read. A torn one costs itself.
pub fn records(text: &[u8]) -> impl Iterator<Item = Record<'static>> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).filter_map(|line| Record::read(line).ok())
}
