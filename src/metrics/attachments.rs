//! The attachments in a few numbers. What can not be told now is no series, so that nothing old is taken for new.

use super::gauges::{Of, set};
use coalmine_actors::view::AttachmentsView;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// See the module.
pub(super) struct Attachments {
    counts: Family<Of, Gauge>,
    bytes: Family<Of, Gauge>,
    swept: Gauge,
}

impl Attachments {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let shown = Self { counts: Family::default(), bytes: Family::default(), swept: Gauge::default() };
        registry.register("attachments", "Attachments that are known, and of them the damaged", shown.counts.clone());
        let bytes = "Bytes of the attachments, and how many they may be where there is a quota";
        registry.register_with_unit("attachments", bytes, Unit::Bytes, shown.bytes.clone());
        let swept = "When the last sweep of this daemon ended, since 1970; 0 before the first";
        registry.register_with_unit("attachments_last_sweep", swept, Unit::Seconds, shown.swept.clone());
        shown
    }

    pub(super) fn set(&self, view: Option<&AttachmentsView>) {
        self.counts.clear();
        self.bytes.clear();
        let Some(view) = view else { return };
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        set(&self.counts, "state", "known", size(view.count));
        set(&self.counts, "state", "damaged", size(view.damaged));
        set(&self.bytes, "of", "known", size(view.bytes));
        if let Some(quota) = view.total_bytes_max {
            set(&self.bytes, "of", "quota", size(quota));
        }
        self.swept.set(view.last_sweep.as_ref().map_or(0, |last| last.at.as_second()));
    }
}
