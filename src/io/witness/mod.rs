//! Witnesses a death: looks for the claim, and leaves exactly one record of a death that nobody claimed.
//!
//! The canary (`coalmine-helper`) and the daemon share this module as source, so that both look at the same
//! files in the same order. It needs neither tokio nor the library.
//!
//! ```text
//! server dead ──► claim? ──yes──► nothing is due                                    claim
//!                   │no
//!                   ▼
//!                record? ──yes──► .logged? ──yes──► done                            settle
//!                   │no              │no
//!                   ▼                ▼
//!    forensics ► temp ► link ──► line in exits.log, once ──► .logged                forensics, publish, exits_log
//! ```
//!
//! Whoever dies between two arrows leaves files from which the next witness finishes the same account.

pub mod cause;
pub mod claim;
pub mod clock;
pub mod death;
mod durable;
pub mod exits_log;
pub mod forensics;
pub mod life;
pub mod oom;
#[allow(unsafe_code, reason = "descriptors that were inherited, and one ioctl that no crate wraps")]
pub mod pidfd;
pub mod proc_stat;
mod publish;
pub mod record;
pub mod retention;
pub mod settle;
pub mod status;

pub use cause::Cause;
pub use death::Death;
pub use life::LifePaths;
pub use record::{Record, WitnessedBy};
pub use settle::{Settled, settle};
pub use status::EndStatus;
