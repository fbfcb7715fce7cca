//! A manifest with very many intents.

use super::support::{Outcome, Reach, Row, Samples, ms};
use coalmine::io::attachments::SqliteManifest;
use coalmine_actors::attachments::{
    AttachmentId, CreateMeta, MediaType,
    change::{Change, Quotas},
    claim::Claim,
    manifest::Manifest,
};
use std::{path::Path, sync::Arc};
use tokio::time::Instant;

const BATCH: u64 = 20_000;
const OLDEST: usize = 1_000;

pub(super) async fn oldest(root: &Path, rows: u64) -> Outcome<Vec<Row>> {
    let manifest = SqliteManifest::new(root.join("manifest.sqlite"));
    let before = Instant::now();
    for from in (0..rows).step_by(usize::try_from(BATCH)?) {
        let changes = (from..rows.min(from + BATCH)).map(|number| {
            let id = AttachmentId::of(&number.to_le_bytes());
            let at_ms = i64::try_from(number * 7_919 % rows).unwrap_or(0);
            let claim = Claim { session: "bench".parse()?, id, owner: "one".parse()? };
            let meta = Box::new(CreateMeta::default().into_meta(id, number, MediaType::Png, at_ms));
            Ok(Change::Intend { claim, meta, at_ms, quotas: Quotas::default() })
        });
        manifest.apply(Arc::new(changes.collect::<Outcome<Vec<_>>>()?)).await?;
    }
    let filled = ms(before.elapsed());
    let mut look = Samples::default();
    for _ in 0..200 {
        let before = Instant::now();
        let found = manifest.uncommitted(i64::MAX, 0, OLDEST).await?;
        look.push(ms(before.elapsed()));
        if found.len() != OLDEST || found[0].intent_at_epoch_ms != 0 {
            return Err("not the oldest".into());
        }
    }
    Ok(vec![
        Row::one("all of them noted", "ms", filled),
        Row::new("the oldest 1,000 listed", "ms", &look).reach(Reach::below("p99", look.p99(), 5.0, "ms")),
    ])
}
