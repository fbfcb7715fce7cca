//! One statement: its parameters, and its rows as records, a page at a time.

use super::refusal::refused;
use coalmine_actors::effects::{
    argument::{Parameter, Parameters},
    error::EffectError,
    output::Output,
};
use rusqlite::{Connection, Row, Statement, types::ValueRef};
use serde_json::{Map, Value};

/// Most bytes of one page of rows, as they are answered. What is more comes with the next page.
pub(super) const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Rows.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Value>,
    /// Whether more of them follow.
    pub(super) more: bool,
    /// How long they are.
    pub(super) bytes: usize,
}

/// Runs a statement that changes something; how many rows it changed.
pub(super) fn exec(connection: &Connection, sql: &str, params: &Parameters) -> Result<i64, EffectError> {
    let mut statement = prepare(connection, sql)?;
    if statement.readonly() && statement.column_count() > 0 {
        return Err(EffectError::bad("sql", "it gives rows: use sql.query"));
    }
    bind(&mut statement, params)?;
    let before = connection.total_changes();
    let mut rows = statement.raw_query();
    // What a RETURNING would tell is not asked for here.
    while rows.next().map_err(refused)?.is_some() {}
    drop(rows);
    // What SQLite counts is that of the last statement that changed something: this one need not have.
    let changed = if connection.total_changes() == before { 0 } else { connection.changes() };
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}

/// Runs a statement that only reads, and gives at most `count` of its rows from the `skip`th on.
pub(super) fn query(
    connection: &Connection,
    sql: &str,
    params: &Parameters,
    skip: u64,
    count: usize,
) -> Result<Page, EffectError> {
    let mut statement = prepare(connection, sql)?;
    let columns = columns(&statement)?;
    if !statement.readonly() {
        return Err(EffectError::bad("sql", "it changes the database: use sql.exec"));
    }
    if columns.is_empty() {
        return Err(EffectError::bad("sql", "it gives no rows: use sql.exec"));
    }
    bind(&mut statement, params)?;
    let mut page = Page { rows: Vec::new(), more: false, bytes: 0 };
    let mut rows = statement.raw_query();
    for _ in 0..skip {
        if rows.next().map_err(refused)?.is_none() {
            return Ok(page);
        }
    }
    while let Some(row) = rows.next().map_err(refused)? {
        if page.rows.len() == count {
            page.more = true;
            break;
        }
        let (record, bytes) = record(row, &columns)?;
        if page.bytes + bytes > PAGE_BYTES_MAX {
            if page.rows.is_empty() {
                return Err(EffectError::limit("row", PAGE_BYTES_MAX as u64));
            }
            page.more = true;
            break;
        }
        page.bytes += bytes;
        page.rows.push(record);
    }
    Ok(page)
}

fn prepare<'c>(connection: &'c Connection, sql: &str) -> Result<Statement<'c>, EffectError> {
    if sql.contains('\0') {
        return Err(EffectError::bad("sql", "holds a NUL character"));
    }
    connection.prepare(sql).map_err(refused)
}

/// The names of the columns. A record has each of them once.
fn columns(statement: &Statement<'_>) -> Result<Vec<String>, EffectError> {
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => {
            Err(EffectError::bad("sql", format!("gives two columns the name {:?}: name them with AS", twice[0])))
        }
        None => Ok(names),
    }
}

fn bind(statement: &mut Statement<'_>, Parameters(given): &Parameters) -> Result<(), EffectError> {
    let takes = statement.parameter_count();
    if takes != given.len() {
        return Err(EffectError::bad("params", format!("are {}, and the statement takes {takes}", given.len())));
    }
    for (parameter, index) in given.iter().zip(1_usize..) {
        let bound = match parameter {
            Parameter::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Parameter::Int(number) => statement.raw_bind_parameter(index, number),
            Parameter::Real(number) => statement.raw_bind_parameter(index, number),
            Parameter::Text(text) => statement.raw_bind_parameter(index, text),
            Parameter::Bytes(bytes) => statement.raw_bind_parameter(index, &bytes[..]),
        };
        bound.map_err(refused)?;
    }
    Ok(())
}

/// One row, and about how long it is as JSON.
fn record(row: &Row<'_>, columns: &[String]) -> Result<(Value, usize), EffectError> {
    let mut record = Map::with_capacity(columns.len());
    let mut bytes = 2;
    for (index, name) in columns.iter().enumerate() {
        let value = row.get_ref(index).map_err(refused)?;
        bytes += name.len() + 4 + len(value);
        record.insert(name.clone(), told(value)?);
    }
    Ok((record.into(), bytes))
}

fn len(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 8,
        ValueRef::Text(text) => text.len() + 2,
        // As base64.
        ValueRef::Blob(bytes) => bytes.len().div_ceil(3) * 4 + 14,
    }
}

fn told(value: ValueRef<'_>) -> Result<Value, EffectError> {
    let bytes = |bytes: &[u8]| Output::Bytes(bytes.to_vec().into()).into_json();
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) if number.is_finite() => number.into(),
        ValueRef::Real(_) => return Err(EffectError::bad("sql", "gives an infinite number, which JSON can not say")),
        // What is called text by SQLite may be any bytes.
        ValueRef::Text(text) => std::str::from_utf8(text).map_or_else(|_| bytes(text), Value::from),
        ValueRef::Blob(blob) => bytes(blob),
    })
}
