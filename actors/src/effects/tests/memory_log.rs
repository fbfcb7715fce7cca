//! The audit log's files, in memory.

use crate::effects::audit::{
    AuditFile, Room,
    books::records,
    entry::{Entry, Record},
};
use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Files of at most so many bytes; the newest last.
#[derive(Default)]
pub(in crate::effects) struct MemoryLog {
    pub(in crate::effects) files: Mutex<Vec<Vec<u8>>>,
    pub(in crate::effects) bytes_max: usize,
    pub(in crate::effects) syncs: AtomicUsize,
    pub(in crate::effects) refuses: AtomicBool,
}

impl MemoryLog {
    pub(in crate::effects) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Every line, oldest first.
    pub(in crate::effects) fn records(&self) -> Vec<Record<'static>> {
        self.files.lock().unwrap().iter().flat_map(|file| records(file).collect::<Vec<_>>()).collect()
    }

    /// Operation, rule and outcome of each decision, and operation and outcome of each end.
    pub(in crate::effects) fn told(&self) -> Vec<String> {
        let told = |record: Record<'static>| match record.entry {
            Entry::Decision(of) => {
                let outcome = of.outcome.map_or("begun".into(), |code| code.into_owned());
                Some(format!("{} {outcome} ({})", of.about.op, of.about.rule))
            }
            Entry::Outcome(of) => Some(format!("{} {}", of.about.op, of.outcome)),
            _ => None,
        };
        self.records().into_iter().filter_map(told).collect()
    }
}

impl AuditFile for MemoryLog {
    fn open(&self) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        if files.is_empty() {
            files.push(Vec::new());
        }
        if let Some(newest) = files.last_mut().filter(|file| file.last().is_some_and(|byte| *byte != b'\n')) {
            newest.push(b'\n');
        }
        Ok(())
    }

    fn read(&self, age: usize) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.lock().unwrap().iter().rev().nth(age).cloned())
    }

    fn append(&self, line: &[u8]) -> io::Result<Room> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut files = self.files.lock().unwrap();
        let newest = files.last_mut().unwrap();
        newest.extend_from_slice(line);
        Ok(if newest.len() > self.bytes_max { Room::Full } else { Room::Left })
    }

    fn turn_over(&self) -> io::Result<()> {
        self.files.lock().unwrap().push(Vec::new());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn kept_max(&self) -> usize {
        100
    }
}
