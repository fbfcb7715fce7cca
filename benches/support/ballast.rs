//! Memory that is resident in the daemon while it is measured: what a fork would have to copy page tables of.

use super::{Memory, Outcome};

const PAGE_BYTES: usize = 4096;

/// Resident memory, given back when dropped.
pub struct Ballast {
    _memory: Vec<u8>,
    /// What the kernel says is resident in this process with it, MB.
    pub resident_mb: u64,
}

impl Ballast {
    /// Allocates `bytes` and touches every page.
    pub fn new(bytes: usize) -> Outcome<Self> {
        let mut memory = vec![0u8; bytes];
        for page in memory.chunks_mut(PAGE_BYTES) {
            page[0] = 1;
        }
        // Not to be optimised away.
        let memory = std::hint::black_box(memory);
        Ok(Self { _memory: memory, resident_mb: Memory::of(std::process::id())?.rss_kib * 1024 / 1_000_000 })
    }
}
