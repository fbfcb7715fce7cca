//! Reads of keys and values while another session is in a long SQL statement.

use super::support::{Outcome, Reach, Row, Samples, ms};
use coalmine::FleetHandle;
use coalmine_actors::{
    effects::{EffectSession, Op},
    names::Identity,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// Sessions that read; one more has the statement.
const READERS: usize = 7;
/// How long a reader waits between two reads: together they leave the machine something to do.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest that a reader's read may take at the 99th percentile.
const P99_MS_MAX: f64 = 5.0;
/// A statement that nobody sees the end of.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

/// Reads without the statement for so long, then beside it for as long again.
pub(super) async fn beside_a_statement(fleet: &FleetHandle, peer: &Identity, time: Duration) -> Outcome<Vec<Row>> {
    let alone = reads(fleet, peer, time).await?;
    let busy = fleet.effects().session(peer).await?;
    let handle = busy.call(Op::SqlOpen, json!({ "path": ":memory:" })).await?.into_json();
    let asked = busy.clone();
    let statement =
        tokio::spawn(async move { asked.call(Op::SqlQuery, json!({ "handle": handle, "sql": ENDLESS })).await });
    let beside = reads(fleet, peer, time).await?;
    if statement.is_finished() {
        return Err(format!("the statement was over too soon: {:?}", statement.await?).into());
    }
    busy.end();
    let p99 = beside.p99();
    Ok(vec![
        Row::new("kv.get, a session in a statement", "ms", &beside).reach(Reach::below("p99", p99, P99_MS_MAX, "ms")),
        Row::new("baseline: kv.get without it", "ms", &alone),
    ])
}

async fn reads(fleet: &FleetHandle, peer: &Identity, time: Duration) -> Outcome<Samples> {
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let session = fleet.effects().session(peer).await?;
        readers.spawn(reader(session, Instant::now() + time));
    }
    let mut all = Vec::new();
    while let Some(read) = readers.join_next().await {
        all.extend(read?.map_err(|error| error.to_string())?);
    }
    Ok(all.into_iter().collect())
}

/// Reads one key until then; how long each read took.
async fn reader(session: EffectSession, end: Instant) -> Result<Vec<f64>, coalmine_actors::effects::EffectError> {
    let handle = session.call(Op::KvOpen, Value::Null).await?.into_json();
    session.call(Op::KvPut, json!({ "handle": handle, "key": "k", "value": "v" })).await?;
    let mut took = Vec::new();
    while Instant::now() < end {
        let before = Instant::now();
        session.call(Op::KvGet, json!({ "handle": handle, "key": "k" })).await?;
        took.push(ms(before.elapsed()));
        sleep(PAUSE).await;
    }
    Ok(took)
}
