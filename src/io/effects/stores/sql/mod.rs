//! SQLite: a handle is a connection of its own, on a thread of its own, which a statement leaves at its deadline.

mod authorize;
mod open;
mod refusal;
mod statement;
mod until;
mod vfs;

use super::{close, desk::Desk, page_entries};
use crate::io::effects::fs::grants;
use coalmine_actors::effects::{
    argument::Short,
    error::EffectError,
    handles::{HandleId, HandleKind},
    op::Request,
    output::{Done, Output},
    plan::Plan,
    port::{Call, Opened, Outcome, Seat},
};
use open::Database;
use rusqlite::Connection;
use serde_json::json;
use statement::Page;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use until::Until;

/// How long a statement may take, its wait for those before it included.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(30);

type Sql = Desk<Database>;

/// Carries one operation out.
pub(super) async fn perform(call: Call) -> Outcome {
    let Call { seat, opened, request, plan, .. } = call;
    let sql = |handle: HandleId| seat.held::<Sql>(handle, HandleKind::Sql);
    match request {
        Request::SqlOpen { .. } => Ok(open(&seat, opened, plan).await?.into()),
        Request::SqlClose { handle } => close(&seat, handle, HandleKind::Sql).await,
        Request::SqlExec { handle, sql: text, params } => {
            let changed = run(&*sql(handle)?, move |connection| statement::exec(connection, &text, &params)).await?;
            Ok(Output::Int(changed).into())
        }
        Request::SqlQuery { handle, sql: text, params, cursor, limit } => {
            let (skip, count) = (skip(cursor)?, page_entries(limit)?);
            let query = move |connection: &Connection| statement::query(connection, &text, &params, skip, count);
            let Page { rows, more, bytes } = run(&*sql(handle)?, query).await?;
            let cursor = more.then(|| (skip + rows.len() as u64).to_string());
            let output = Output::Json(json!({ "rows": rows, "cursor": cursor }));
            Ok(Done { bytes_in: bytes as u64, ..output.into() })
        }
        other => Err(EffectError::Internal(format!("{} is nothing of SQLite", other.op()))),
    }
}

async fn open(seat: &Seat, opened: Opened, plan: Plan) -> Result<Output, EffectError> {
    let Plan::Store(at) = plan else { return Err(EffectError::Internal("a database by another plan".into())) };
    // Before anything is made that would have to be undone.
    seat.room(HandleKind::Sql)?;
    let found = Desk::open("effect-sql", move || match at {
        None => Database::in_memory().map(Some),
        Some(at) => Database::at(grants(&opened)?.place(&at)?.make_database()?).map(Some),
    });
    let sql = found.await?.ok_or_else(|| EffectError::Internal("a database that is nowhere".into()))?;
    Ok(Output::Handle(seat.keep(HandleKind::Sql, Arc::new(sql))?))
}

/// Has a statement run. Dropped, it is called off.
async fn run<T: Send + 'static>(
    sql: &Sql,
    work: impl FnOnce(&Connection) -> Result<T, EffectError> + Send + 'static,
) -> Result<T, EffectError> {
    let (until, _waiting) = Until::after(STATEMENT_TIME_MAX);
    let asked = sql.ask(move |database| database.run(until, work));
    timeout(STATEMENT_TIME_MAX, asked).await.unwrap_or(Err(EffectError::Timeout { phase: "statement" }))
}

/// A cursor is how many rows were given: the statement is run anew, and these are passed over.
fn skip(cursor: Option<Short>) -> Result<u64, EffectError> {
    let read = |cursor: Short| cursor.parse().map_err(|_| EffectError::bad("cursor", "it is none that was given"));
    cursor.map_or(Ok(0), read)
}
