//! `[mail]`: when a sender is told that a message still waits, and how long messages are kept.

use coalmine_actors::mail::MailRules;
use jiff::SignedDuration;
use serde::Deserialize;
use std::{ops::RangeInclusive, time::Duration};

/// How long a message may wait before that is told.
const QUEUE_MAX: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// How long a message may be kept.
const KEEP: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(3650 * 24 * 3600);

/// `[mail]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MailTable {
    queue_max: Option<SignedDuration>,
    keep: Option<SignedDuration>,
}

impl MailTable {
    pub(super) fn checked(self) -> Result<MailRules, String> {
        let default = MailRules::default();
        Ok(MailRules {
            queue_max: within(self.queue_max, default.queue_max, &QUEUE_MAX)
                .ok_or("mail.queue_max must be 1s to 1h")?,
            keep: within(self.keep, default.keep, &KEEP).ok_or("mail.keep must be 1m to 3650d")?,
        })
    }
}

fn within(given: Option<SignedDuration>, default: Duration, range: &RangeInclusive<Duration>) -> Option<Duration> {
    given.map_or(Some(default), |given| given.try_into().ok()).filter(|time| range.contains(time))
}
