//! `fleet.json` read only: the file, else its backup, by the rules of the daemon, which alone writes.

use coalmine_actors::{
    error::FleetError,
    registry::{
        document::Document,
        parse::{BadDocument, parse},
    },
};
use std::{
    error::Error,
    path::{Path, PathBuf},
};

/// The fleet's registry; none at all is an empty fleet.
pub(super) fn read(path: &Path) -> Result<Document, FleetError> {
    let damaged = |why: String, hint: &str| FleetError::Damaged { path: path.to_path_buf(), why, hint: hint.into() };
    let io = |source| FleetError::io("read", path, source);
    let file = super::read(path).map_err(io)?;
    let found = file.is_some();
    let why = match file.map(|bytes| parse(&bytes)) {
        Some(Ok(document)) => return Ok(document),
        // Not damaged: a backup in our format would only hide what the newer version knows.
        Some(Err(newer @ BadDocument::Newer { .. })) => {
            return Err(damaged(newer.to_string(), "use the newer coalmine; nothing was written"));
        }
        Some(Err(bad)) => bad.source().map_or_else(|| bad.to_string(), |cause| format!("{bad}: {cause}")),
        None => "it is gone".into(),
    };
    let backup = PathBuf::from(format!("{}.bak", path.display()));
    match super::read(&backup).map_err(io)?.map(|bytes| parse(&bytes)) {
        Some(Ok(document)) => {
            let recovered = format!("{}: {why}; {} stands in for it", path.display(), backup.display());
            Ok(Document { recovered: Some(recovered), ..document })
        }
        None if !found => Ok(Document::default()),
        _ => Err(damaged(why, "mend it, or put back fleet.json.bak; nothing was written over it")),
    }
}
