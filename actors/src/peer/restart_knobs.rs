//! What a layer of the configuration, or one peer, says of its restarts; and the check of it. Pure.

use super::restart_policy::RestartLimit;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Most deaths that a window may be allowed to hold.
const DEATHS_MAX_LIMIT: usize = 1000;
/// Longest window, wait or healthy run, seconds.
const SECONDS_MAX: i64 = 7 * 24 * 3600;

/// What is left out is as the layer below has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartKnobs {
    /// How many deaths the window may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deaths_max: Option<usize>,
    /// How long the window is: `"300s"`, `"5m"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<SignedDuration>,
    /// The longest wait before the second restart in a row; it doubles with each further one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_first: Option<SignedDuration>,
    /// The longest wait of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_max: Option<SignedDuration>,
    /// How long a life must be up before its death is the first of a row again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_after: Option<SignedDuration>,
}

impl RestartKnobs {
    /// These, with what they leave out taken from the layer below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            deaths_max: self.deaths_max.or(below.deaths_max),
            window: self.window.or(below.window),
            delay_first: self.delay_first.or(below.delay_first),
            delay_max: self.delay_max.or(below.delay_max),
            healthy_after: self.healthy_after.or(below.healthy_after),
        }
    }

    /// The limit that follows where `base` holds for what is left out.
    ///
    /// # Errors
    /// The first knob that is out of range, with what it may be.
    pub fn limit(&self, base: RestartLimit) -> Result<RestartLimit, String> {
        let deaths_max = self.deaths_max.unwrap_or(base.deaths_max);
        if self.deaths_max.is_some_and(|deaths| deaths > DEATHS_MAX_LIMIT) {
            return Err(format!("deaths_max is {deaths_max}; {DEATHS_MAX_LIMIT} are the limit"));
        }
        if self.window.is_some_and(|window| !window.is_positive()) {
            return Err("window must be over 0 and at most 7 days".into());
        }
        Ok(RestartLimit {
            deaths_max,
            window_ms: millis("window", self.window, base.window_ms)?,
            delay_first_ms: millis("delay_first", self.delay_first, base.delay_first_ms)?,
            delay_max_ms: millis("delay_max", self.delay_max, base.delay_max_ms)?,
            healthy_after_ms: millis("healthy_after", self.healthy_after, base.healthy_after_ms)?,
        })
    }
}

fn millis(knob: &str, said: Option<SignedDuration>, base: u64) -> Result<u64, String> {
    let Some(said) = said else { return Ok(base) };
    match u64::try_from(said.as_millis()) {
        Ok(millis) if said.as_secs() <= SECONDS_MAX => Ok(millis),
        _ => Err(format!("{knob} is {said:#}; it must be 0 to 7 days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    #[test]
    fn what_is_left_out_is_as_the_layer_below_has_it() {
        let base = RestartLimit::default();
        assert_eq!(RestartKnobs::default().limit(base), Ok(base));
        let below = RestartKnobs { deaths_max: Some(3), delay_max: Some(SECOND), ..RestartKnobs::default() };
        let above = RestartKnobs { deaths_max: Some(4), window: Some(SECOND), ..RestartKnobs::default() };
        let limit = above.over(below).limit(base).unwrap();
        assert_eq!(limit, RestartLimit { deaths_max: 4, window_ms: 1_000, delay_max_ms: 1_000, ..base });
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let none = RestartKnobs::default;
        for (knobs, says) in [
            (RestartKnobs { deaths_max: Some(1_001), ..none() }, "deaths_max is 1001; 1000 are the limit"),
            (RestartKnobs { window: Some(SignedDuration::ZERO), ..none() }, "window must be over 0"),
            (RestartKnobs { delay_first: Some(-SECOND), ..none() }, "delay_first is"),
            (RestartKnobs { delay_max: Some(SignedDuration::from_hours(200)), ..none() }, "delay_max is"),
            (RestartKnobs { healthy_after: Some(-SECOND), ..none() }, "healthy_after is"),
        ] {
            let why = knobs.limit(RestartLimit::default()).unwrap_err();
            assert!(why.starts_with(says), "{why}");
        }
    }
}
