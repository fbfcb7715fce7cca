//! What every witness does when a server has ended: looks for claim, record and mark, and does what is missing.
//!
//! Any number of witnesses may do this for the same life at once, and each may die between any two steps: as long
//! as one comes through, there is one record and one line (see the tests).

use super::{
    cause::{Cause, OomSigns},
    claim,
    death::Death,
    exits_log::{self, LineKey, Mark},
    forensics,
    life::LifePaths,
    publish::{Published, publish},
    record::{Record, SERVER_EXIT, WitnessedBy},
};
use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt};

/// What the look found, or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The end was claimed: no record is due.
    Claimed,
    /// Somebody had recorded; what was missing of that account is done now.
    AlreadyRecorded {
        /// Who had.
        witness: WitnessedBy,
        /// What the record says.
        cause: Cause,
    },
    /// The record is ours.
    Recorded {
        /// The caller.
        witness: WitnessedBy,
        /// What the record says.
        cause: Cause,
    },
}

/// The points at which a witness may die; tests stop it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The record is on disk under a temporary name.
    TempWritten,
    /// It has its name.
    Linked,
    /// Its line is in exits.log.
    LineWritten,
    /// The `.logged` mark is made.
    Marked,
}

/// Called after each step; an error stops the witness there, without any tidying up.
pub type Fault<'a> = dyn FnMut(Step) -> io::Result<()> + 'a;

/// Looks for the claim, the record and its mark, in this order, and does what is missing; durable when it returns.
/// It may be repeated and raced. It blocks: forensics take up to [`forensics::TOTAL_MS_MAX`], then come a few syncs.
///
/// # Errors
/// Whatever the file system says: the record is then owed, and calling again goes on where this call stopped.
pub fn settle(life: &LifePaths, death: &Death, witness: WitnessedBy) -> io::Result<Settled> {
    settle_watched(life, death, witness, &mut forensics::KernelLog::open(), &mut |_step| Ok(()))
}

/// [`settle`] with a kernel log that was opened when the witness was armed, and with fault points.
///
/// # Errors
/// As [`settle`], and what `fault` returns.
pub fn settle_watched(
    life: &LifePaths,
    death: &Death,
    witness: WitnessedBy,
    kernel_log: &mut forensics::KernelLog,
    fault: &mut Fault<'_>,
) -> io::Result<Settled> {
    // A claim that came after the death was taken back by its writer, who then settles himself: one look is enough.
    if claim::exists(life)? {
        return Ok(Settled::Claimed);
    }
    if let Some(found) = standing_record(life, death, witness)? {
        finish(life, &found, None, fault)?;
        return Ok(Settled::AlreadyRecorded { witness: found.witness, cause: found.cause });
    }
    // Whoever writes this life's line does so after the record has its name: nothing before this mark can be it.
    let mark = exits_log::mark(&life.exits_log());
    let (record, text) = draw_up(life, death, witness, kernel_log);
    match publish(life, &text, fault)? {
        Published::Linked => {
            finish(life, &record, mark, fault)?;
            Ok(Settled::Recorded { witness, cause: record.cause })
        }
        Published::Stands => {
            let found = standing_record(life, death, witness)?.unwrap_or(record);
            finish(life, &found, mark, fault)?;
            Ok(Settled::AlreadyRecorded { witness: found.witness, cause: found.cause })
        }
    }
}

/// The record that has the name. One whose head is damaged is accounted for with what this witness knows, since a
/// line must be written all the same.
fn standing_record(life: &LifePaths, death: &Death, witness: WitnessedBy) -> io::Result<Option<Record>> {
    match Record::read(&life.record()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let cause = Cause::judge(death.status, OomSigns::default());
            Ok(Some(Record::new(life, death, cause, witness)))
        }
        read => read,
    }
}

/// The record's fields, and the whole text of its file.
fn draw_up(
    life: &LifePaths,
    death: &Death,
    witness: WitnessedBy,
    kernel_log: &mut forensics::KernelLog,
) -> (Record, String) {
    let findings = forensics::gather(death, kernel_log);
    let record = Record::new(life, death, Cause::judge(death.status, findings.oom), witness);
    let text = format!("{}{}", record.head(), findings.text);
    (record, text)
}

/// The line in exits.log, once, and the mark that it is there.
///
/// The mark is only a short cut: if a power cut takes it, the line is searched and found. So it is not synced.
fn finish(life: &LifePaths, record: &Record, since: Option<Mark>, fault: &mut Fault<'_>) -> io::Result<()> {
    let logged = life.logged();
    if logged.try_exists()? {
        return Ok(());
    }
    let key = LineKey { ev: SERVER_EXIT, identity: &life.identity, generation: life.generation };
    exits_log::append_once(&life.exits_log(), key, &record.line(&life.record()), since)?;
    fault(Step::LineWritten)?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(logged)?;
    fault(Step::Marked)
}

#[cfg(test)]
mod tests;
