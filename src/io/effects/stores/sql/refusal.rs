//! What SQLite says, as the error of an effect.

use super::open::FILE_BYTES_MAX;
use coalmine_actors::effects::{
    argument::CONTENTS_BYTES_MAX,
    error::EffectError,
    rule::{Never, Rule},
};
use rusqlite::{Error, ErrorCode};
use std::io;

/// A statement that leads out of its database.
pub(super) fn denied() -> EffectError {
    EffectError::Denied { rule: Rule::Never(Never::Statement) }
}

/// Its words are of the caller's own statement and database, and of no path.
pub(super) fn refused(error: Error) -> EffectError {
    let Some(code) = error.sqlite_error_code() else { return EffectError::bad("sql", words(error)) };
    match code {
        ErrorCode::OperationInterrupted => EffectError::Timeout { phase: "statement" },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => EffectError::Timeout { phase: "lock" },
        ErrorCode::TooBig => EffectError::limit("value", CONTENTS_BYTES_MAX as u64),
        ErrorCode::DiskFull => EffectError::limit("database", FILE_BYTES_MAX.unsigned_abs()),
        ErrorCode::OutOfMemory => EffectError::Io { kind: io::ErrorKind::OutOfMemory },
        ErrorCode::SystemIoFailure => EffectError::Io { kind: io::ErrorKind::Other },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => EffectError::Io { kind: io::ErrorKind::PermissionDenied },
        ErrorCode::CannotOpen => EffectError::bad(
            "path",
            "what is there can not be opened as a database by itself: is it in WAL mode, or was it moved?",
        ),
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
            EffectError::bad("path", "what is there is no SQLite database, or a damaged one")
        }
        _ => EffectError::bad("sql", words(error)),
    }
}

/// What is wrong, without the whole statement.
fn words(error: Error) -> String {
    match error {
        Error::MultipleStatement => "holds more than one statement: call once for each".into(),
        Error::SqliteFailure(_, Some(words)) => words,
        Error::SqlInputError { msg, offset, .. } => format!("{msg}, at byte {offset}"),
        error => error.to_string(),
    }
}
