//! Fakes for the ports, in memory, with failures to order.

mod clock;
mod journal_file;
mod parent;
mod registry_file;

pub use clock::FakeClock;
pub use journal_file::FakeJournalFile;
pub use parent::parent;
pub use registry_file::FakeRegistryFile;
