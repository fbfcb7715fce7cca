//! The mailroom: messages that land. What was accepted is on disk, a sleeper is woken for it, and it is typed into its
//! recipient's terminal once, when nothing is in the way.
//!
//! [`Mail`] is what others hold. `letter.rs` is a message, `progress.rs` how far it is; `desk.rs` decides who waits for
//! whom, `actor.rs` carries that out; `courier.rs` takes one message to its recipient, by what `delivery.rs` decides;
//! `envelope.rs` is what a terminal is given. `watch.rs` awaits what was submitted in the transcript of its recipient, by
//! what `vigil.rs`, `transcript.rs` and `tail.rs` decide.
//!
//! ```text
//! send ─▶ check ─▶ Insert: queued, on disk ─▶ Desk: first of its queue? ─▶ courier ─▶ wake ─▶ typed, on disk ─▶ paste
//!                                                 ▲                                                            │
//!                                                 └── the next one ◀── submitted, on disk ◀── empty? ◀── Enter ◀┘
//! ```

mod actor;
mod census;
pub mod composer;
mod courier;
pub mod delivery;
pub mod desk;
pub mod envelope;
pub mod error;
mod handle;
pub mod id;
mod keeper;
pub mod letter;
mod message;
pub mod progress;
mod shared;
pub mod store;
mod sweep;
pub mod tail;
pub mod terminal;
pub mod transcript;
mod view;
pub mod vigil;
mod watch;

pub use composer::{Composer, Holds, Marks, Sight, Typing};
pub use error::MailError;
pub use handle::Mail;
pub use id::MessageId;
pub use letter::{Message, NewMessage, Sender};
pub use progress::{Progress, Reason, Record, State, Step};
pub use shared::{MailParts, MailRules};
pub use store::{MailQuery, MailStore};
pub use terminal::{Ear, Recipients, Terminals};
pub use transcript::{Entries, Transcript};
pub use view::{MailView, MailroomView, Waits};
