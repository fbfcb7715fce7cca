//! Effects: what peers may do to the world. The broker decides by policy, has it done, counts it, and writes it down.
//!
//! ```text
//! call ─▶ op.rs, argument.rs: read ─▶ decide.rs ─┬─ Deny(rule) ─▶ audit
//!                                                └─ Allow(plan, rule) ─▶ ledger: reserve ─▶ audit ─▶ host ─▶ settle ─▶ audit
//! ```
//!
//! A decision hands over the capability that it checked ([`plan::Plan`]): check and use can not differ.

mod account;
mod actor;
pub mod address;
pub mod argument;
pub mod audit;
pub mod budget;
mod call;
pub mod core_ops;
pub mod decide;
pub mod error;
pub mod folder;
mod handle;
pub mod handles;
mod keeper;
pub mod kind;
pub mod ledger;
mod message;
pub mod op;
pub mod origin;
pub mod output;
pub mod plan;
pub mod policy;
pub mod policy_file;
pub mod port;
pub mod program;
pub mod request;
pub mod review;
pub mod rule;
pub mod scope;
mod session;
mod session_log;
mod suggest;
#[cfg(test)]
mod tests;
mod uniform;
pub mod view;

pub use decide::decide;
pub use error::EffectError;
pub use handle::{CALLS_AT_ONCE_MAX, Effects, EffectsParts, WeakEffects};
pub use op::{Op, Request};
pub use policy::Policy;
pub use session::EffectSession;
