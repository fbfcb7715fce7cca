//! What the records and exits.log say of an identity's lives.

use super::witness::life::{RECORDS_FOLDER, exits_log};
use coalmine_actors::{
    journal::logfmt,
    names::{Generation, Identity},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

/// The highest generation of `identity` that any trace names; 0 where there is none. A generation is never given
/// out twice, also when an identity's own file was lost.
///
/// # Errors
/// The journal can not be read.
pub fn highest_generation(journal: &Path, identity: &Identity) -> io::Result<Generation> {
    Ok(in_records(journal, identity)?.max(in_lines(journal, identity)?))
}

/// A missing file or folder is one that says nothing.
fn or_nothing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn in_records(journal: &Path, identity: &Identity) -> io::Result<Generation> {
    let Some(folder) = or_nothing(std::fs::read_dir(journal.join(RECORDS_FOLDER)))? else { return Ok(Generation(0)) };
    let prefix = format!("{identity}-g");
    let generations = folder.filter_map(|file| {
        let name = file.ok()?.file_name();
        name.to_str()?.strip_suffix(".txt")?.strip_prefix(&prefix)?.parse().ok().map(Generation)
    });
    Ok(generations.max().unwrap_or_default())
}

fn in_lines(journal: &Path, identity: &Identity) -> io::Result<Generation> {
    let Some(file) = or_nothing(File::open(exits_log(journal)))? else { return Ok(Generation(0)) };
    let identity = identity.to_string();
    let mut highest = Generation(0);
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let Ok(fields) = logfmt::parse(&String::from_utf8_lossy(&line)) else { continue };
        let field = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        if field("identity") == Some(&identity)
            && let Some(generation) = field("gen").and_then(|generation| generation.parse().ok())
        {
            highest = highest.max(Generation(generation));
        }
    }
    Ok(highest)
}
