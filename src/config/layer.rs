//! The keys that every layer can set, and how one layer lies over another.

use coalmine_actors::peer::{
    restart_knobs::RestartKnobs,
    restart_policy::{RestartLimit, RestartPolicy},
};
use jiff::SignedDuration;
use serde::{Deserialize, de::IntoDeserializer};
use std::fmt::Display;

/// How many peers may be coming back at once after a mass death, where nobody says.
pub(super) const PARALLEL: usize = 8;
/// Most that somebody may say.
const PARALLEL_MAX: usize = 100;

/// One layer's say on restarts; what it leaves out, the layer below decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// What happens after a death where a peer does not say.
    pub policy: Option<RestartPolicy>,
    /// How many deaths the window may hold.
    pub deaths_max: Option<usize>,
    /// How long the window is: `"300s"`, `"5m"`.
    pub window: Option<SignedDuration>,
    /// The longest wait before the second restart in a row; it doubles with each further one.
    pub delay_first: Option<SignedDuration>,
    /// The longest wait of all.
    pub delay_max: Option<SignedDuration>,
    /// How long a life must be up before its death is the first of a row again.
    pub healthy_after: Option<SignedDuration>,
    /// How many peers may be coming back at once after a mass death.
    pub parallel: Option<usize>,
}

impl Overrides {
    /// `COALMINE_RESTART_POLICY`, `COALMINE_RESTART_DEATHS_MAX` and so on: each key in capitals.
    pub(super) fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        Ok(Self {
            policy: variable(env, "COALMINE_RESTART_POLICY", parse_policy)?,
            deaths_max: variable(env, "COALMINE_RESTART_DEATHS_MAX", str::parse)?,
            window: variable(env, "COALMINE_RESTART_WINDOW", str::parse)?,
            delay_first: variable(env, "COALMINE_RESTART_DELAY_FIRST", str::parse)?,
            delay_max: variable(env, "COALMINE_RESTART_DELAY_MAX", str::parse)?,
            healthy_after: variable(env, "COALMINE_RESTART_HEALTHY_AFTER", str::parse)?,
            parallel: variable(env, "COALMINE_RESTART_PARALLEL", str::parse)?,
        })
    }

    /// This layer, with what it leaves out taken from the layer below.
    #[must_use]
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            policy: self.policy.or(below.policy),
            deaths_max: self.deaths_max.or(below.deaths_max),
            window: self.window.or(below.window),
            delay_first: self.delay_first.or(below.delay_first),
            delay_max: self.delay_max.or(below.delay_max),
            healthy_after: self.healthy_after.or(below.healthy_after),
            parallel: self.parallel.or(below.parallel),
        }
    }

    /// The limit that follows, checked.
    pub(super) fn limit(&self) -> Result<RestartLimit, String> {
        let Self { policy: _, deaths_max, window, delay_first, delay_max, healthy_after, parallel: _ } = *self;
        let knobs = RestartKnobs { deaths_max, window, delay_first, delay_max, healthy_after };
        knobs.limit(RestartLimit::default()).map_err(|why| format!("restart.{why}"))
    }

    /// How many at once, checked.
    pub(super) fn parallel(&self) -> Result<usize, String> {
        match self.parallel.unwrap_or(PARALLEL) {
            peers @ 1..=PARALLEL_MAX => Ok(peers),
            peers => Err(format!("restart.parallel is {peers}; it must be 1 to {PARALLEL_MAX}")),
        }
    }
}

/// A restart policy by its name.
///
/// # Errors
/// What is wrong, with the names that exist.
pub fn parse_policy(text: &str) -> Result<RestartPolicy, serde::de::value::Error> {
    RestartPolicy::deserialize(text.into_deserializer())
}

fn variable<T, E: Display>(
    env: &dyn Fn(&str) -> Option<String>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, String> {
    match env(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => parse(&value).map(Some).map_err(|why| format!("{name}={value:?}: {why}")),
    }
}
