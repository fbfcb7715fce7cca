//! Reads the audit log back, and follows it: with a daemon or without one, across files that are turned over.

use super::audit::{AUDITS_KEPT_MAX, audit_path};
use coalmine_actors::effects::audit::{books::records, entry::Record};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

/// How far the log has been read.
#[derive(Debug)]
pub struct AuditTail {
    folder: PathBuf,
    /// The file that was read last, and up to where.
    at: Option<(u64, u64)>,
    /// The last line that was given: what is found twice is given once.
    seq: u64,
}

impl AuditTail {
    /// The log in `folder`, from its first line on.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, at: None, seq: 0 }
    }

    /// The whole lines that came since, oldest first. Blocks. A line that can not be read is left out.
    ///
    /// # Errors
    /// A file is there and can not be read.
    pub fn more(&mut self) -> io::Result<Vec<Record<'static>>> {
        let Some(mut newest) = self.open(0)? else { return Ok(Vec::new()) };
        let inode = newest.metadata()?.ino();
        let mut found = Vec::new();
        let from = match self.at {
            Some((same, offset)) if same == inode => offset,
            known => {
                // Another file is the newest: what the one before it got last has not been seen.
                let oldest = if known.is_some() { 1 } else { AUDITS_KEPT_MAX };
                for age in (1..=oldest).rev() {
                    if let Some(mut older) = self.open(age)? {
                        found.extend(records(&whole_lines(&mut older, 0)?));
                    }
                }
                0
            }
        };
        let text = whole_lines(&mut newest, from)?;
        self.at = Some((inode, from + text.len() as u64));
        found.extend(records(&text));
        found.retain(|record| record.seq > self.seq);
        self.seq = found.iter().map(|record| record.seq).max().unwrap_or(self.seq);
        Ok(found)
    }

    fn open(&self, age: usize) -> io::Result<Option<File>> {
        match File::open(audit_path(&self.folder, age)) {
            Ok(file) => Ok(Some(file)),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What stands from `from` on, without a line that is still being written.
fn whole_lines(file: &mut File, from: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write, path::Path};

    fn line(seq: u64) -> String {
        format!("{{\"ts\":\"2026-11-21T01:23:45Z\",\"seq\":{seq},\"ev\":\"forgotten\",\"peer\":\"bob\"}}\n")
    }

    fn append(folder: &Path, text: &str) {
        let mut file = File::options().create(true).append(true).open(audit_path(folder, 0)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn each_whole_line_is_given_once_also_across_a_turn_over() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        let mut tail = AuditTail::new(folder.into());
        let seqs = |tail: &mut AuditTail| tail.more().unwrap().iter().map(|record| record.seq).collect::<Vec<_>>();
        assert!(seqs(&mut tail).is_empty());
        append(folder, &(line(1) + &line(2)[..20]));
        assert_eq!(seqs(&mut tail), [1]);
        append(folder, &(line(2)[20..].to_owned() + "no record\n" + &line(3)));
        assert_eq!(seqs(&mut tail), [2, 3]);
        append(folder, &line(4));
        fs::rename(audit_path(folder, 0), audit_path(folder, 1)).unwrap();
        append(folder, &line(5));
        assert_eq!(seqs(&mut tail), [4, 5]);
        assert!(seqs(&mut tail).is_empty());
        assert_eq!(seqs(&mut AuditTail::new(folder.into())), [1, 2, 3, 4, 5]);
    }
}
