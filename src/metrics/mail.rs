//! The mailroom in a few numbers.

use coalmine_actors::mail::MailroomView;
use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use std::sync::atomic::Ordering;

/// See the module.
pub(super) struct Mail {
    waiting: Gauge,
    oldest: Gauge,
    ended: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Mail {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let shown = Self { waiting: Gauge::default(), oldest: Gauge::default(), ended: Family::default() };
        registry.register("mail_waiting", "Messages that wait for their recipients", shown.waiting.clone());
        let oldest = "How long the message waits that waits longest; 0 where none does";
        registry.register_with_unit("mail_oldest_waiting", oldest, Unit::Seconds, shown.oldest.clone());
        registry.register("mail_messages", "Messages that came to their end", shown.ended.clone());
        shown
    }

    pub(super) fn set(&self, view: Option<&MailroomView>, now: Timestamp) {
        let Some(view) = view else { return };
        self.waiting.set(i64::try_from(view.waiting).unwrap_or(i64::MAX));
        self.oldest.set(view.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs().max(0)));
        for (state, count) in [
            ("submitted", view.submitted),
            ("refused", view.refused),
            ("expired", view.expired),
            ("failed", view.failed),
        ] {
            // The mailroom counts; its numbers only grow.
            self.ended.get_or_create(&[("state", state)]).inner().store(count, Ordering::Relaxed);
        }
    }
}
