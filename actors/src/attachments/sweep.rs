//! Looks for what nobody refers to, and has it removed: window by window, so that it can stop between two of them.
//!
//! ```text
//! a row that can not be read? ── yes ─▶ mark only, and name it
//!    ▼
//! intents older than the grace period whose session is gone: dropped
//!    ▼
//! blobs without a reference: condemned ─▶ unlinked ─▶ forgotten
//!    ▼
//! unfinished writes older than the grace period: removed      what is not ours: named
//! ```

use super::{
    change::Change,
    handle::Shared,
    recover,
    store::{PAGE_MAX, Tidied},
};
use crate::{error::FleetError, journal::Draft, view::LastSweep};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How old an intent must be where nobody says.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(24 * 3600);
/// Strange files and unreadable rows that a report names.
const NAMED_MAX: usize = 100;

/// How to sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepOptions {
    /// How old intents and unfinished writes must be.
    pub grace: Duration,
    /// Only say what would go: blobs that nobody refers to now, and intents that would be dropped (their blobs are
    /// not counted yet).
    pub dry_run: bool,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Intents that nobody stood for any more.
    pub intents_dropped: u64,
    /// Blobs that nobody referred to.
    pub condemned: u64,
    /// Those of them that are gone.
    pub removed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Unfinished writes that were removed.
    pub staging_removed: u64,
    /// Their bytes.
    pub staging_bytes: u64,
    /// What lies in the store and is not its own; never removed. The first 100.
    pub strange: Vec<String>,
    /// Rows of the manifest that can not be read; as long as there are any, nothing is removed. The first 100.
    pub unreadable: Vec<String>,
}

impl SweepReport {
    /// Whether there is nothing that somebody should look at.
    pub fn is_clean(&self) -> bool {
        self.strange.is_empty() && self.unreadable.is_empty() && (self.dry_run || self.condemned == self.removed)
    }
}

/// The time that lies `age` before `now_ms`.
pub(super) fn before(now_ms: i64, age: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// Sweeps, and remembers how that went. Dropping it stops it between two windows; what the desk has begun it finishes.
pub(super) async fn sweep(shared: &Arc<Shared>, options: SweepOptions) -> Result<SweepReport, FleetError> {
    let _one_at_a_time = shared.sweeping.lock().await;
    let swept = once(shared, options).await;
    if !options.dry_run {
        let report = swept.as_ref().ok().cloned().unwrap_or_default();
        shared.set_last_sweep(LastSweep {
            at: shared.now(),
            removed: report.removed,
            bytes: report.bytes,
            named: (report.strange.len() + report.unreadable.len()) as u64,
            failed: swept.as_ref().err().map(FleetError::chain),
        });
    }
    swept
}

async fn once(shared: &Arc<Shared>, options: SweepOptions) -> Result<SweepReport, FleetError> {
    let SweepOptions { grace, dry_run } = options;
    let before_ms = before(shared.now_ms(), grace);
    let mut report = SweepReport { dry_run, ..SweepReport::default() };
    report.unreadable = shared.manifest.unreadable().await?;
    report.unreadable.truncate(NAMED_MAX);
    let delete = report.unreadable.is_empty() && !dry_run;
    if delete {
        recover::finish(shared).await?;
    }
    report.intents_dropped = drop_stale(shared, before_ms, dry_run).await?;
    sweep_orphans(shared, delete, &mut report).await?;
    let Tidied { staging_removed, staging_bytes, mut strange } = shared.store.tidy(before_ms, delete).await?;
    strange.truncate(NAMED_MAX);
    (report.staging_removed, report.staging_bytes, report.strange) = (staging_removed, staging_bytes, strange);
    if !dry_run {
        let note = Draft::new("attachments-swept").with("removed", report.removed).with("bytes", report.bytes);
        let note = note.with("intents_dropped", report.intents_dropped).with("staging_removed", staging_removed);
        shared.note(note.with("strange", report.strange.len()).with("unreadable", report.unreadable.len()));
    }
    Ok(report)
}

/// Age alone proves nothing: an intent goes only when nobody stands for it any more, too.
async fn drop_stale(shared: &Arc<Shared>, before_ms: i64, dry_run: bool) -> Result<u64, FleetError> {
    let (mut kept, mut dropped) = (0, 0);
    loop {
        let window = shared.manifest.uncommitted(before_ms, kept, PAGE_MAX).await?;
        let full = window.len() == PAGE_MAX;
        let (alive, stale): (Vec<_>, Vec<_>) = window.into_iter().partition(|intent| shared.owners.lives(intent));
        kept += alive.len();
        if dry_run {
            kept += stale.len();
            dropped += stale.len() as u64;
        } else if !stale.is_empty() {
            let asked = stale.len();
            let gone = shared.change(Change::DropStale(stale)).await?;
            dropped += gone;
            // Some were committed meanwhile, it may be: whatever is passed over now, the next sweep meets.
            kept += asked - usize::try_from(gone).unwrap_or(asked).min(asked);
        }
        if !full {
            return Ok(dropped);
        }
    }
}

async fn sweep_orphans(shared: &Arc<Shared>, delete: bool, report: &mut SweepReport) -> Result<(), FleetError> {
    let mut after = None;
    loop {
        let window = shared.manifest.orphans(after, PAGE_MAX).await?;
        if report.dry_run {
            report.condemned += window.found.len() as u64;
            report.bytes += window.found.iter().map(|(_, byte_len)| byte_len).sum::<u64>();
        } else if !window.found.is_empty() {
            let ids = window.found.into_iter().map(|(id, _)| id).collect();
            let swept = shared.sweep(ids, delete).await?;
            report.condemned += swept.condemned;
            report.removed += swept.gone;
            report.bytes += swept.bytes;
        }
        match window.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
