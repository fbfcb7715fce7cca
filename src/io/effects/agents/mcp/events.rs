//! A stream of events of a server (`text/event-stream`), as far as messages are in them: lines of `data`, ended by an empty one.

use coalmine_actors::effects::error::EffectError;

/// What has come of a stream and was not taken yet.
#[derive(Default)]
pub(super) struct Events {
    bytes: Vec<u8>,
    /// The data of the event that is under way.
    data: Vec<u8>,
}

impl Events {
    /// Takes a piece of the stream.
    ///
    /// # Errors
    /// [`EffectError::Limit`] where an event is longer than `bytes_max`.
    pub(super) fn came(&mut self, chunk: &[u8], bytes_max: usize) -> Result<(), EffectError> {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() + self.data.len() > bytes_max {
            return Err(EffectError::limit("an event of the tool server", bytes_max as u64));
        }
        Ok(())
    }

    /// The data of the next event that is whole.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let mut read = 0;
        let mut whole = None;
        while whole.is_none()
            && let Some(end) = memchr::memchr(b'\n', &self.bytes[read..])
        {
            let line = &self.bytes[read..read + end];
            read += end + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                // An event without data says nothing: a server keeps its connection alive by it.
                whole = Some(std::mem::take(&mut self.data)).filter(|data| !data.is_empty());
            } else if let Some(data) = line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            }
        }
        self.bytes.drain(..read);
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&str]) -> Vec<String> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for chunk in chunks {
            events.came(chunk.as_bytes(), 100).unwrap();
            found.extend(std::iter::from_fn(|| events.next()).map(|data| String::from_utf8(data).unwrap()));
        }
        found
    }

    #[test]
    fn an_event_is_its_lines_of_data_however_they_are_cut() {
        assert_eq!(all(&["data: {\"a\":1}\n\ndata:b\r\n\r\n"]), ["{\"a\":1}", "b"]);
        assert_eq!(all(&["event: message\nid: 7\nda", "ta: {\ndata: }\n", "\n: alive\n\n"]), ["{\n}"]);
        assert_eq!(all(&["data: not yet whole\n"]), [""; 0]);
    }

    #[test]
    fn an_event_over_the_limit_is_refused() {
        let mut events = Events::default();
        assert_eq!(events.came(&[b'x'; 101], 100).unwrap_err().code(), "limit");
    }
}
