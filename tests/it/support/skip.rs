//! Claims that this host can not put to the test: said aloud and counted, never passed over in silence.

use std::{
    io::Write,
    sync::atomic::{AtomicUsize, Ordering},
};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Says that a claim was not tested. Past the test harness, which would keep it to itself.
pub fn skip(claim: &str, why: &str) {
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let _unheard = writeln!(std::io::stderr(), "\nNOT TESTED ({count}): {claim}: {why}");
}

/// Whether the tests run as root, whom no permission stops.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
