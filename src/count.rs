//! A number with its noun, for people: `1 peer`, `2 peers`.

/// `count` of something, in the form that fits the number.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// So many peers.
pub fn peers(count: usize) -> String {
    counted(count, "peer", "peers")
}

/// `1 peer still runs`, `2 peers still run`.
pub fn still_run(count: usize) -> String {
    format!("{} still {}", peers(count), if count == 1 { "runs" } else { "run" })
}

/// So many items of the memory.
pub fn items(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "item", "items")
}

/// So many attachments, with their bytes.
pub fn attachments(count: u64, bytes: u64) -> String {
    let count = counted(usize::try_from(count).unwrap_or(usize::MAX), "attachment", "attachments");
    format!("{count} of {}", counted(usize::try_from(bytes).unwrap_or(usize::MAX), "byte", "bytes"))
}

/// So many references to attachments.
pub fn references(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "reference", "references")
}
