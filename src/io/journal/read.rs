//! Reads the journal back, with or without a daemon: bad lines cost themselves only.

use super::{LOGS_KEPT_MAX, exits_path, line, log_path};
use coalmine_actors::{
    journal::{event, logfmt},
    names::Identity,
    view::Event,
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Seek},
    path::Path,
};

/// The events after `after_seq`, oldest first, the first `limit` of them; across the files that were turned over.
/// Blocks.
///
/// The last line is left out while it is being written: who follows gets it there.
///
/// # Errors
/// When a file is there and can not be read. A journal that is not there is empty.
pub fn read_events(journal_dir: &Path, after_seq: u64, limit: usize) -> io::Result<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    let mut last_seq = after_seq;
    for log in logs_from(journal_dir, after_seq)?.into_iter().rev() {
        for text in line::all(BufReader::new(log)) {
            if events.len() >= limit {
                return Ok(events);
            }
            let text = text?;
            // A place that is not past the last one was read already: the files were turned over meanwhile, or
            // an append was tried twice.
            if event::seq_of(&text).is_none_or(|seq| seq <= last_seq) {
                continue;
            }
            if let Ok(event) = event::parse_line(&text) {
                last_seq = event.seq;
                events.push(event);
            }
        }
    }
    Ok(events)
}

/// The events of one kind, oldest first, the newest `limit` of them; across the files that were turned over. Blocks.
///
/// # Errors
/// When a file is there and can not be read. A journal that is not there is empty.
pub fn read_events_of(journal_dir: &Path, ev: &str, limit: usize) -> io::Result<Vec<Event>> {
    // Most lines are of other kinds: a look at the third field is all that they cost.
    let kind = format!("ev={ev}");
    let mut newest: VecDeque<Event> = VecDeque::new();
    for log in logs_from(journal_dir, 0)?.into_iter().rev() {
        for text in line::all(BufReader::new(log)) {
            let text = text?;
            if text.split(' ').nth(2) != Some(&kind) {
                continue;
            }
            let Ok(event) = event::parse_line(&text) else { continue };
            // Read already: the files were turned over meanwhile.
            if newest.back().is_some_and(|last| event.seq <= last.seq) {
                continue;
            }
            newest.push_back(event);
            if newest.len() > limit {
                newest.pop_front();
            }
        }
    }
    Ok(newest.into())
}

/// The files that may hold events after `after_seq`, newest first.
///
/// In this order a file that is turned over meanwhile is met again under its next name, and none is missed.
fn logs_from(folder: &Path, after_seq: u64) -> io::Result<Vec<File>> {
    let mut logs = Vec::new();
    for age in 0..=LOGS_KEPT_MAX {
        let mut log = match File::open(log_path(folder, age)) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let first = line::next(&mut BufReader::new(&log))?.and_then(|line| event::seq_of(&line.text));
        log.rewind()?;
        logs.push(log);
        if first.is_some_and(|seq| seq <= after_seq.saturating_add(1)) {
            break;
        }
    }
    Ok(logs)
}

/// The fields of the last `limit` lines of exits.log, of one identity where it is given; newest last. Blocks.
///
/// # Errors
/// When the file is there and can not be read. One that is not there is empty.
pub fn read_exits(
    journal_dir: &Path,
    identity: Option<&Identity>,
    limit: usize,
) -> io::Result<Vec<Vec<(String, String)>>> {
    let exits = match File::open(exits_path(journal_dir)) {
        Ok(exits) => exits,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let wanted = identity.map(ToString::to_string);
    let mut newest = VecDeque::new();
    for text in line::all(BufReader::new(exits)) {
        let Ok(fields) = logfmt::parse(&text?) else { continue };
        let is_wanted = |(key, value): &(String, String)| key == "identity" && Some(value) == wanted.as_ref();
        if fields.is_empty() || (wanted.is_some() && !fields.iter().any(is_wanted)) {
            continue;
        }
        newest.push_back(fields);
        if newest.len() > limit {
            newest.pop_front();
        }
    }
    Ok(newest.into())
}
