//! Standard error as a writer that never fails: it may be a log on a full disk, and no note is worth a panic.

use std::io::{self, Write};

/// Writes what can be written; the rest is lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _lost = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
