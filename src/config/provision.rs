//! `[provision]`: how the memory provider's commands are run.

use super::file::is_variable_name;
use crate::io::provisioner::ENV_PASSED;
use coalmine_actors::provisioner::{PARALLEL_MAX, ProvisionRules, port::Deadlines};
use jiff::SignedDuration;
use serde::Deserialize;
use std::{ops::RangeInclusive, time::Duration};

/// How long a command may take at least and at most.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

/// How providers' commands are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionConfig {
    /// How many at once, and for how long.
    pub rules: ProvisionRules,
    /// Variables of the daemon that they get.
    pub env: Vec<String>,
}

impl Default for ProvisionConfig {
    fn default() -> Self {
        Self { rules: ProvisionRules::default(), env: ENV_PASSED.map(ToOwned::to_owned).to_vec() }
    }
}

/// The table as it stands in the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProvisionTable {
    timeout: Option<SignedDuration>,
    idle: Option<SignedDuration>,
    parallel: Option<usize>,
    env: Option<Vec<String>>,
}

impl ProvisionTable {
    pub(super) fn checked(self) -> Result<ProvisionConfig, String> {
        let default = ProvisionConfig::default();
        let time = |key: &str, time: SignedDuration| {
            let time = Duration::try_from(time).ok().filter(|time| TIMES.contains(time));
            time.ok_or_else(|| format!("provision.{key} must be 10ms to 1h"))
        };
        let total = self.timeout.map_or(Ok(default.rules.deadlines.total), |total| time("timeout", total))?;
        let idle = self.idle.map(|idle| time("idle", idle)).transpose()?;
        let parallel = self.parallel.unwrap_or(default.rules.parallel);
        if !(1..=PARALLEL_MAX).contains(&parallel) {
            return Err(format!("provision.parallel is {parallel}; it must be 1 to {PARALLEL_MAX}"));
        }
        let env = self.env.unwrap_or(default.env);
        if let Some(name) = env.iter().find(|name| !is_variable_name(name)) {
            return Err(format!("provision.env: {name:?} is not a variable's name"));
        }
        if let Some(name) = env.iter().find(|name| ["PEER_", "COALMINE_"].iter().any(|ours| name.starts_with(ours))) {
            return Err(format!("provision.env: {name} is the fleet's own, and no provider gets it"));
        }
        Ok(ProvisionConfig { rules: ProvisionRules { parallel, deadlines: Deadlines { total, idle } }, env })
    }
}
