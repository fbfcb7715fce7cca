//! The bytes of the file in memory: one piece as it was loaded, and pieces for what came later.
//!
//! Growing one buffer would hold the file twice each time it is moved; pieces are never moved.

/// Room of a new piece, bytes, unless what comes is larger.
const PIECE_BYTES: usize = 1024 * 1024;

/// The file's bytes, addressed by their offset in it.
#[derive(Debug, Default)]
pub struct Text {
    pieces: Vec<Piece>,
    len: u64,
}

#[derive(Debug)]
struct Piece {
    at: u64,
    bytes: Vec<u8>,
}

impl Text {
    /// A file that was read.
    pub fn new(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self { pieces: vec![Piece { at: 0, bytes }], len }
    }

    /// The length of the file, bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends whole lines: no line is ever cut between two pieces.
    pub fn push(&mut self, lines: &[u8]) {
        let room = self.pieces.last().map_or(0, |piece| piece.bytes.capacity() - piece.bytes.len());
        if room < lines.len() {
            let bytes = Vec::with_capacity(PIECE_BYTES.max(lines.len()));
            self.pieces.push(Piece { at: self.len, bytes });
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.bytes.extend_from_slice(lines);
        }
        self.len += lines.len() as u64;
    }

    /// The bytes of a line that was found in what was pushed.
    pub fn get(&self, at: u64, len: u32) -> &[u8] {
        self.from(at).get(..len as usize).unwrap_or_default()
    }

    /// What follows this place, up to the end of its piece: whole lines, where a line begins there.
    pub fn from(&self, at: u64) -> &[u8] {
        let after = self.pieces.partition_point(|piece| piece.at <= at);
        let Some(piece) = after.checked_sub(1).and_then(|index| self.pieces.get(index)) else { return &[] };
        let from = usize::try_from(at - piece.at).unwrap_or(usize::MAX);
        piece.bytes.get(from..).unwrap_or_default()
    }

    /// The checksum of what stands before this place, `bytes_max` at most.
    pub fn crc_before(&self, end: u64, bytes_max: u64) -> u32 {
        let mut at = end.saturating_sub(bytes_max);
        let mut crc = 0;
        while at < end {
            let rest = self.from(at);
            let take = rest.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            if take == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &rest[..take]);
            at += take as u64;
        }
        crc
    }

    /// All pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pieces.iter().map(|piece| (piece.at, piece.bytes.as_slice()))
    }

    /// Memory that is held, bytes.
    pub fn held_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.capacity()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_wherever_it_lies() {
        let mut text = Text::new(b"loaded\n".to_vec());
        let large = vec![b'x'; PIECE_BYTES + 1];
        for lines in [b"one\n".as_slice(), b"two\n", &large, b"three\n"] {
            text.push(lines);
        }
        assert_eq!((text.get(0, 6), text.get(7, 3), text.get(11, 3)), (&b"loaded"[..], &b"one"[..], &b"two"[..]));
        assert_eq!(text.get(15 + PIECE_BYTES as u64 + 1, 5), b"three");
        assert_eq!(text.len(), 15 + PIECE_BYTES as u64 + 1 + 6);
        assert_eq!((text.get(text.len(), 1), Text::default().get(0, 1)), (&b""[..], &b""[..]));
    }
}
