//! Effects: what peers may do to the world. The broker decides by policy, has it done, counts it, and writes it down.
//!
//! ```text
//! call ─▶ op.rs, argument.rs: read ─▶ decide.rs ─┬─ Deny(rule) ─▶ audit
//!                                                └─ Allow(plan, rule) ─▶ ledger: reserve ─▶ audit ─▶ host ─▶ settle ─▶ audit
//! ```
//!
//! A decision hands over the capability that it checked ([`plan::Plan`]): check and use can not differ.

pub mod argument;
pub mod budget;
pub mod decide;
pub mod error;
pub mod folder;
pub mod handles;
pub mod kind;
pub mod op;
pub mod origin;
pub mod output;
pub mod plan;
pub mod policy;
pub mod port;
pub mod program;
pub mod request;
pub mod rule;
pub mod scope;
mod suggest;

pub use decide::decide;
pub use error::EffectError;
pub use op::{Op, Request};
pub use policy::Policy;
