//! The fleet as tools: what an agent can ask of it by the Model Context Protocol.
//!
//! ```text
//! agent ─stdio─▶ coalmine mcp ─▶ Server ─▶ Remote ──HTTP /v1/tools──▶ daemon ─┐
//!                                                                             ├─▶ FleetTools ─▶ FleetHandle
//! agent ─────────HTTP /mcp──────▶ daemon ─▶ Server ───────────────────────────┘
//! ```
//!
//! The tools are in the daemon alone (`FleetTools`); a `Server` speaks the protocol before them. No request depends on
//! an earlier one: who asks is proved with each, and a daemon that was restarted is not noticed.

mod answer;
mod arguments;
mod page;
mod server;
mod set;
mod tool;
mod toolbox;
mod tools;

pub(crate) use answer::Refusal;
pub(crate) use server::Server;
pub use set::ToolSet;
pub(crate) use toolbox::{FleetTools, Toolbox};

/// Longest message that is taken, bytes: the contents of a file in base64, and the rest.
pub const MESSAGE_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Longest result that is given, bytes; what an effect gives beyond that is cut, and says so.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
