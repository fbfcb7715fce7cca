//! Where attachments are kept, and the manifest of who refers to them.
//!
//! ```text
//! attachments/manifest.sqlite     who refers to what (manifest/)
//! attachments/blobs/ab/<id>       the bytes, and <id>.json beside them: their record (disk/)
//! attachments/staging/            bytes that have no name yet
//! attachments/quarantine/         bytes that are not what their name says
//! ```

mod disk;
mod in_memory;
mod manifest;
#[cfg(feature = "object-store")]
mod object;

pub use disk::Disk;
pub use in_memory::InMemory;
pub use manifest::SqliteManifest;
#[cfg(feature = "object-store")]
pub use object::{ObjectBackend, Objects};
