//! Walks the bytes of a file line by line, and finds what is still whole around what is not.

use super::line::{self, Bad, Line, SEAL, SEAL_BYTES, Seal};
use memchr::{memchr, memmem};

/// Places in one bad line that are tried as the joint of two, and seals that are tried after each: what a hostile
/// line costs is bounded.
const JOINTS_MAX: usize = 64;
const SEALS_TRIED_MAX: usize = 4;

/// A piece of the file that is one line, or was meant to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the file, bytes.
    pub at: u64,
    /// Its length without the `\n`, bytes.
    pub len: u32,
    /// What it is, or why it is bad.
    pub what: Result<Line, Bad>,
}

/// Hands every whole line of `bytes` to `each`. They begin at `at` in the file; the last one ends with `\n`, or is
/// not handed out: see [`torn_at`].
///
/// A bad line that holds two sealed ones, joined by one byte where the `\n` was, is handed out in its parts. Without
/// seals two joined lines stay one bad line.
pub fn walk(bytes: &[u8], at: u64, each: &mut dyn FnMut(Piece)) {
    let mut rest = bytes;
    let mut at = at;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        match line::read(line) {
            Err(_) if line.len() <= line::LINE_BYTES_MAX => parts(line, at, each),
            what => each(Piece { at, len: length(line), what }),
        }
        at += end as u64 + 1;
        rest = &rest[end + 1..];
    }
}

/// Where the last line begins that has no `\n`; the length of `bytes` where there is none.
pub fn torn_at(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1)
}

/// A bad line, cut where a sealed line seems to end and another one to begin.
fn parts(line: &[u8], at: u64, each: &mut dyn FnMut(Piece)) {
    let mut from = 0;
    let mut cut = |from: usize, to: usize| {
        let part = &line[from..to];
        each(Piece { at: at + from as u64, len: length(part), what: line::read(part) });
    };
    // `…,"crc":"xxxxxxxx"}`, one byte, `{"id":`
    let joints = memmem::find_iter(line, b"{\"id\":").filter(|&start| {
        let seal = start.checked_sub(1 + SEAL_BYTES).map(|at| &line[at..start - 1]);
        seal.is_some_and(|seal| seal.starts_with(SEAL) && seal.ends_with(b"\"}"))
    });
    for start in joints.take(JOINTS_MAX) {
        let end = start - 1;
        // A text may hold such bytes too: then nothing is sealed on either side of them.
        if end > from && (line::seal(line::bare(&line[from..end])) == Seal::Holds || sealed_from(&line[start..])) {
            cut(from, end);
            from = start;
        }
    }
    cut(from, line.len());
}

/// Whether a sealed line begins here: then the cut before it is right, whatever became of the part before.
fn sealed_from(line: &[u8]) -> bool {
    memmem::find_iter(line, SEAL).take(SEALS_TRIED_MAX).any(|at| {
        let end = at + SEAL_BYTES;
        let ends = line.get(end + 1..).is_none_or(|rest| rest.is_empty() || rest.starts_with(b"{\"id\":"));
        ends && line.get(..end).is_some_and(|line| line::seal(line) == Seal::Holds)
    })
}

fn length(line: &[u8]) -> u32 {
    u32::try_from(line.len()).unwrap_or(u32::MAX) // a line of 4 GiB is bad, and is never looked into
}
