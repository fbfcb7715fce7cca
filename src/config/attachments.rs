//! `[attachments]`: what is kept, how much of it, and when it goes.

use coalmine_actors::{
    attachments::{GRACE_DEFAULT, change::Quotas, tier::Persistence},
    peer::limits::MemorySize,
};
use jiff::SignedDuration;
use serde::Deserialize;
use std::{ops::RangeInclusive, time::Duration};

/// Longest attachment where nobody says, bytes.
pub const BYTES_MAX_DEFAULT: u64 = 64 * 1024 * 1024;
/// How often is swept where nobody says.
const SWEEP_EVERY_DEFAULT: Duration = Duration::from_secs(6 * 3600);
/// How often it may be.
const SWEEPS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 3600);

/// How attachments are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentsConfig {
    /// Whether they outlive the daemon.
    pub persistence: Persistence,
    /// Longest attachment, bytes.
    pub bytes_max: u64,
    /// How much may be stored.
    pub quotas: Quotas,
    /// How old what nobody stands for must be before it goes.
    pub grace: Duration,
    /// How often is looked for it.
    pub sweep_every: Duration,
}

impl Default for AttachmentsConfig {
    /// Durable, 64 MiB each, no quotas, swept every 6 h of what is older than 24 h.
    fn default() -> Self {
        Self {
            persistence: Persistence::Durable,
            bytes_max: BYTES_MAX_DEFAULT,
            quotas: Quotas::default(),
            grace: GRACE_DEFAULT,
            sweep_every: SWEEP_EVERY_DEFAULT,
        }
    }
}

/// `[attachments]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttachmentsTable {
    persistence: Option<Persistence>,
    bytes_max: Option<MemorySize>,
    session_bytes_max: Option<MemorySize>,
    total_bytes_max: Option<MemorySize>,
    grace: Option<SignedDuration>,
    sweep_every: Option<SignedDuration>,
}

impl AttachmentsTable {
    pub(super) fn checked(self) -> Result<AttachmentsConfig, String> {
        let default = AttachmentsConfig::default();
        let bytes_max = self.bytes_max.map_or(default.bytes_max, MemorySize::bytes);
        if bytes_max == 0 {
            return Err("attachments.bytes_max must not be 0".into());
        }
        let time = |value: Option<SignedDuration>, default: Duration| value.map_or(Ok(default), Duration::try_from);
        let negative = |_| "attachments.grace must not be negative".to_owned();
        let sweep_every = time(self.sweep_every, default.sweep_every).ok().filter(|every| SWEEPS.contains(every));
        Ok(AttachmentsConfig {
            persistence: self.persistence.unwrap_or(default.persistence),
            bytes_max,
            quotas: Quotas {
                session_bytes_max: self.session_bytes_max.map(MemorySize::bytes),
                total_bytes_max: self.total_bytes_max.map(MemorySize::bytes),
            },
            grace: time(self.grace, default.grace).map_err(negative)?,
            sweep_every: sweep_every.ok_or("attachments.sweep_every must be 1m to 30d")?,
        })
    }
}
