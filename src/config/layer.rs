//! The keys that every layer can set, and how one layer lies over another.

use coalmine_actors::peer::restart_policy::{RestartLimit, RestartPolicy};
use jiff::SignedDuration;
use serde::{Deserialize, de::IntoDeserializer};
use std::fmt::Display;

/// Most deaths that a window may be allowed to hold.
const DEATHS_MAX_LIMIT: usize = 1000;
/// Longest window, seconds.
const WINDOW_SECONDS_MAX: i64 = 7 * 24 * 3600;

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
}

impl Overrides {
    /// `COALMINE_RESTART_POLICY`, `COALMINE_RESTART_DEATHS_MAX`, `COALMINE_RESTART_WINDOW`.
    pub(super) fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        Ok(Self {
            policy: variable(env, "COALMINE_RESTART_POLICY", parse_policy)?,
            deaths_max: variable(env, "COALMINE_RESTART_DEATHS_MAX", str::parse)?,
            window: variable(env, "COALMINE_RESTART_WINDOW", str::parse)?,
        })
    }

    /// This layer, with what it leaves out taken from the layer below.
    #[must_use]
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            policy: self.policy.or(below.policy),
            deaths_max: self.deaths_max.or(below.deaths_max),
            window: self.window.or(below.window),
        }
    }

    /// The limit that follows, checked.
    pub(super) fn limit(&self) -> Result<RestartLimit, String> {
        let default = RestartLimit::default();
        let deaths_max = self.deaths_max.unwrap_or(default.deaths_max);
        if deaths_max > DEATHS_MAX_LIMIT {
            return Err(format!("restart.deaths_max is {deaths_max}; {DEATHS_MAX_LIMIT} are the limit"));
        }
        let window_ms = match self.window {
            None => default.window_ms,
            Some(window) if window.is_positive() && window.as_secs() <= WINDOW_SECONDS_MAX => {
                window.as_millis().try_into().map_err(|_| "restart.window is out of range".to_owned())?
            }
            Some(window) => return Err(format!("restart.window is {window:#}; it must be over 0 and at most 7 days")),
        };
        Ok(RestartLimit { deaths_max, window_ms })
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
