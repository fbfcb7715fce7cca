//! A store that can not serve now: why, and when that is tried again.

use tokio::time::Instant;

/// What a store tells of itself while the world refuses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Why.
    pub why: String,
    /// When it is tried again; nothing while it is being tried, and where it is not tried any more.
    pub retry_at: Option<Instant>,
}
