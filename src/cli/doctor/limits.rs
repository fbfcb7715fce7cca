//! Limits of memory and tasks: by what this host would apply them.

use crate::{cli::findings::Finding, io::limits::LimitsHost};

pub(super) fn check() -> Finding {
    match LimitsHost::default().offers() {
        Ok(mechanism) => Finding::ok("limits", mechanism),
        Err(error) => Finding::warn("limits", &error, error.hint()),
    }
}
