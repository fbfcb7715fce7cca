//! tmux: present, and 3.2 or later.

use crate::{
    cli::findings::Finding,
    io::{
        find,
        tmux_version::{self, Said},
    },
};

pub(super) fn check() -> Finding {
    match find::tmux_program().and_then(|program| tmux_version::check(&program)) {
        Ok((text, Said::Release(_) | Said::Rolling)) => Finding::ok("tmux", text),
        Ok((text, Said::Unknown)) => {
            Finding::warn("tmux", format!("its version {text:?} is not known; 3.2 is needed"), "tmux -V")
        }
        Err(error) => Finding::bad("tmux", &error, error.hint()),
    }
}
