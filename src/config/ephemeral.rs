//! `[ephemeral]`: when a life that has one task ends by itself.

use coalmine_actors::peer::one_task::OneTask;
use jiff::SignedDuration;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// How long a life may go on after its reply, milliseconds.
const AFTER_REPLY_MS: RangeInclusive<u64> = 100..=3600 * 1000;
/// How long nothing may be seen of a life, milliseconds.
const SILENCE_MS: RangeInclusive<u64> = 100..=24 * 3600 * 1000;

/// `[ephemeral]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EphemeralTable {
    after_reply: Option<SignedDuration>,
    silence: Option<SignedDuration>,
}

impl EphemeralTable {
    pub(super) fn checked(self) -> Result<OneTask, String> {
        let default = OneTask::default();
        Ok(OneTask {
            after_reply_ms: within(self.after_reply, default.after_reply_ms, &AFTER_REPLY_MS)
                .ok_or("ephemeral.after_reply must be 100ms to 1h")?,
            silence_ms: within(self.silence, default.silence_ms, &SILENCE_MS)
                .ok_or("ephemeral.silence must be 100ms to 24h")?,
        })
    }
}

fn within(given: Option<SignedDuration>, default_ms: u64, range: &RangeInclusive<u64>) -> Option<u64> {
    given.map_or(Some(default_ms), |given| given.as_millis().try_into().ok()).filter(|ms| range.contains(ms))
}
