//! Fakes for the ports, in memory, with failures to order.
//!
//! [`FakeWorld`] bundles them. Every call is noted in one log ([`Script`]), succeeds unless the script says
//! otherwise, and can be kept in the air.

mod clock;
mod dice;
mod entries;
mod journal_file;
mod lives;
mod memory_file;
mod parent;
mod peer_store;
mod processes;
mod provider_host;
mod registry_file;
mod script;
mod servers;
mod witness;
mod world;

pub use clock::FakeClock;
pub use dice::FakeDice;
pub use entries::FakeEntries;
pub use journal_file::FakeJournalFile;
pub use memory_file::FakeMemoryFile;
pub use parent::parent;
pub use peer_store::FakePeerStore;
pub use provider_host::FakeProviderHost;
pub use registry_file::FakeRegistryFile;
pub use script::{Op, Script};
pub use servers::FakeServers;
pub use witness::FakeWitness;
pub use world::FakeWorld;
