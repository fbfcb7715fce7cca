//! `coalmine verify`: reads everything that the fleet keeps and names what can not be used. Changes nothing.

use super::{
    context::Context,
    failure::Outcome,
    findings::{self, Finding},
};
use crate::{
    config::Config,
    count::counted,
    deaths,
    offline::{Files, peer_file},
};
use coalmine_actors::{
    error::FleetError,
    journal::{event, logfmt},
};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Longest line that is looked at, bytes.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// Bad lines of one file that are named one by one.
const BAD_LINES_NAMED_MAX: usize = 5;

/// Check every file of the fleet but the attachments, which have a `verify` of their own; changes nothing
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(context: &Context, _args: Args) -> Outcome {
    let root = &context.place.root;
    let mut found = Vec::new();
    if !root.exists() {
        found.push(Finding::ok("state", format!("{} does not exist: no fleet yet", root.display())));
        return findings::report(context, &found);
    }
    registry(root, &mut found);
    states(root, &mut found);
    journal(root, &mut found);
    records(root, &mut found);
    findings::report(context, &found)
}

fn registry(root: &Path, found: &mut Vec<Finding>) {
    match Files::open(root, &Config::default()) {
        Ok(files) => {
            // The peers' states are looked at on their own, with those that no record names.
            let problems = files.registry_problems();
            if problems.is_empty() {
                found.push(Finding::ok("fleet.json", counted(files.list().len(), "identity", "identities")));
            }
            let repair = format!("edit {}", root.join("fleet.json").display());
            found.extend(problems.iter().map(|problem| {
                Finding::bad("fleet.json", problem.strip_prefix("fleet.json: ").unwrap_or(problem), &repair)
            }));
        }
        Err(error) => found.push(Finding::bad("fleet.json", error.chain(), error.hint())),
    }
}

fn states(root: &Path, found: &mut Vec<Finding>) {
    let folders = folder(&root.join("peers"), found);
    let bad: Vec<_> = folders.iter().filter_map(|peer| peer_file(&peer.join("state.json")).err()).collect();
    if bad.is_empty() {
        found.push(Finding::ok("peers", counted(folders.len(), "state", "states")));
    }
    let run = "move it away (the daemon then finds what lives of the peer, and takes the generation from other traces)";
    found.extend(bad.into_iter().map(|why| Finding::bad("peers", why, run)));
}

fn journal(root: &Path, found: &mut Vec<Finding>) {
    let logs = folder(&root.join("journal"), found);
    for log in logs.iter().filter(|path| path.is_file()) {
        let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let check: fn(&str) -> Option<String> = match name.as_str() {
            name if name.starts_with("lifecycle.log") => {
                |line| event::parse_line(line).err().map(|why| why.to_string())
            }
            "exits.log" => |line| logfmt::parse(line).err().map(|why| why.to_string()),
            _ => continue,
        };
        lines(&name, log, check, found);
    }
}

fn lines(name: &str, log: &Path, check: fn(&str) -> Option<String>, found: &mut Vec<Finding>) {
    let mut reader = match File::open(log) {
        Ok(file) => BufReader::new(file),
        Err(error) => return found.push(unreadable(log, error)),
    };
    let (mut count, mut bad) = (0_usize, 0_usize);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => count += 1,
            Err(error) => return found.push(unreadable(log, error)),
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        // An empty line is what a writer leaves who found the line before it cut.
        if let Some(why) = Some(text).filter(|text| !text.is_empty()).and_then(check) {
            bad += 1;
            if bad <= BAD_LINES_NAMED_MAX {
                found.push(Finding::bad(
                    name,
                    format!("line {count}: {why}"),
                    format!("sed -n {count}p {}", log.display()),
                ));
            }
        }
    }
    match bad {
        0 => found.push(Finding::ok(name, counted(count, "line", "lines"))),
        _ => found.push(Finding::bad(
            name,
            format!("{bad} of {count} lines can not be read; each costs itself only"),
            "",
        )),
    }
}

/// Records that no line of exits.log tells of: not yet, so that the next daemon finishes them, or not any more.
fn records(root: &Path, found: &mut Vec<Finding>) {
    let journal = root.join("journal");
    let (records, told) =
        match deaths::record_files(&journal).and_then(|all| Ok((all, deaths::lives_with_line(&journal)?))) {
            Ok(both) => both,
            Err(error) => return found.push(unreadable(&journal, error)),
        };
    let is_told =
        |record: &Path| record.file_stem().and_then(|life| life.to_str()).is_some_and(|life| told.contains(life));
    let untold: Vec<_> = records.iter().filter(|record| !is_told(record)).collect();
    if untold.is_empty() {
        let says = format!("{}, each with its line", counted(records.len(), "death", "deaths"));
        found.push(Finding::ok("records", says));
    }
    let (owed, lost): (Vec<_>, Vec<_>) =
        untold.into_iter().partition(|record| !record.with_extension("logged").exists());
    let says = |record: &Path| format!("{} has no line in exits.log yet", record.display());
    found.extend(owed.into_iter().map(|record| Finding::bad("records", says(record), "coalmine up -d")));
    if !lost.is_empty() {
        let (lost, all) = (lost.len(), counted(records.len(), "death", "deaths"));
        let says = format!("{lost} of {all} had a line in exits.log that is gone; their own files tell of them");
        found.push(Finding::warn("records", says, "coalmine deaths"));
    }
}

/// What lies in a folder, sorted; one that is not there is empty.
fn folder(path: &Path, found: &mut Vec<Finding>) -> Vec<PathBuf> {
    match fs::read_dir(path) {
        Ok(entries) => {
            let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            paths
        }
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            found.push(unreadable(path, error));
            Vec::new()
        }
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Finding {
    let error = FleetError::io("read", path, error);
    Finding::bad("state", error.chain(), error.hint())
}
