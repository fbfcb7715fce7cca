//! Attachments: files that agents pass on by reference; bytes are stored once and go when nobody refers to them.
//!
//! [`Attachments`] is what others hold, [`SessionStore`] what a session gets of it. `book.rs` has the rules of the
//! manifest, `desk.rs` decides what is written when, `actor.rs` carries it out, `sweep.rs` looks for what may go;
//! `store.rs` is what every store of bytes can do.

mod actor;
pub mod book;
pub mod change;
pub mod claim;
pub mod desk;
pub mod error;
mod handle;
pub mod id;
mod keeper;
pub mod manifest;
pub mod media;
mod message;
pub mod meta;
mod recover;
pub mod resolve;
mod session;
pub mod store;
mod sweep;
#[cfg(test)]
mod tests;
pub mod tier;
mod verify;

pub use claim::{Intent, Owner, Session};
pub use error::AttachmentError;
pub use handle::{Attachments, AttachmentsParts, Owners, Verified};
pub use id::AttachmentId;
pub use media::MediaType;
pub use meta::{AttachmentRef, CreateMeta, Meta};
pub use session::SessionStore;
pub use store::AttachmentStore;
pub use sweep::{GRACE_DEFAULT, SweepOptions, SweepReport};

use crate::error::FleetError;

/// Nobody serves, for the moment.
fn actor_failed() -> FleetError {
    FleetError::Unavailable { store: "attachments", why: "their actor is being restarted".into() }
}
