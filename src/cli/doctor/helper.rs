//! The helper: beside this program or in PATH, and of this very version.

use crate::{
    cli::findings::Finding,
    io::find::{self, VERSION},
};

pub(super) fn check() -> Finding {
    match find::helper(None) {
        Ok(path) => Finding::ok("helper", format!("{} {VERSION}", path.display())),
        Err(error) => Finding::bad("helper", &error, error.hint()),
    }
}
