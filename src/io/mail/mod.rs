//! Where messages are kept: `mail.sqlite`, one thread that writes and one that reads. `transcript/` finds in the files of
//! their recipients' programs that they were read.
//!
//! `rows.rs` is the shape of the table, `write.rs` carries changes out; which state follows which is said by
//! `actors/src/mail/progress.rs` alone.

mod rows;
#[cfg(test)]
mod tests;
mod transcript;
mod write;

pub use transcript::Transcripts;

use crate::io::sqlite::{Database, Store};
use coalmine_actors::{
    attachments::Session,
    error::FleetError,
    mail::{
        MailQuery, MailStore, MessageId, Record,
        store::{Change, Changed},
    },
    ports::{Answer, BoxFuture},
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params, params_from_iter, types::Value};
use std::{path::PathBuf, sync::Arc};

/// As errors name it.
const STORE: &str = "mailroom's store";
/// What to do where it is damaged.
const IF_DAMAGED: &str = "end the daemon, and move it away with the -wal and -shm beside it: what still waited in it is then \
                          for its senders to send again";

/// The adapter of the port [`MailStore`] for one file.
#[derive(Debug)]
pub struct SqliteMail(Database);

impl SqliteMail {
    /// The store in this file, which need not exist; its folder must.
    pub fn new(path: PathBuf) -> Self {
        let store = Store { what: STORE, path, if_damaged: IF_DAMAGED };
        Self(Database::new(store, rows::make, ["mail-writer", "mail-reader"]))
    }
}

impl MailStore for SqliteMail {
    fn apply(&self, changes: Arc<Vec<Change>>) -> BoxFuture<Result<Vec<Changed>, FleetError>> {
        self.0.write(move |connection| write::apply(connection, &changes))
    }

    /// On the thread that writes: what an earlier mailroom still had written there is in it.
    fn open(&self) -> Answer<Vec<Record>> {
        let question = format!("SELECT {} FROM messages WHERE {} ORDER BY place", rows::RECORD, rows::OPEN);
        self.0.write(move |connection| connection.prepare_cached(&question)?.query_map([], rows::record)?.collect())
    }

    fn get(&self, id: MessageId) -> Answer<Option<Record>> {
        let question = format!("SELECT {} FROM messages WHERE id = ?", rows::RECORD);
        self.0.ask(move |connection| {
            connection.prepare_cached(&question)?.query_row([id.to_string()], rows::record).optional()
        })
    }

    fn list(&self, query: MailQuery) -> Answer<Vec<Record>> {
        let mut question = format!("SELECT {} FROM messages WHERE 1", rows::RECORD);
        let mut values: Vec<Value> = Vec::new();
        if !query.to.is_empty() {
            question.push_str(&format!(" AND recipient IN ({})", vec!["?"; query.to.len()].join(",")));
            values.extend(query.to.iter().map(|identity| Value::from(identity.to_string())));
        }
        if let Some(state) = query.state {
            question.push_str(" AND state = ?");
            values.push(state.as_str().to_owned().into());
        }
        if let Some(before) = query.before {
            question.push_str(" AND id < ?");
            values.push(before.to_string().into());
        }
        question.push_str(&format!(" ORDER BY id DESC LIMIT {}", query.limit()));
        self.0.ask(move |connection| {
            connection.prepare(&question)?.query_map(params_from_iter(values), rows::record)?.collect()
        })
    }

    fn stale(&self, before: Timestamp, limit: usize) -> Answer<Vec<(MessageId, Option<Session>)>> {
        let question = format!(
            "SELECT id, iif(attachments = '[]', NULL, recipient) FROM messages
             WHERE NOT ({}) AND since_ms < ?1 ORDER BY since_ms LIMIT ?2",
            rows::OPEN
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.0.ask(move |connection| {
            let mut stale = connection.prepare_cached(&question)?;
            stale.query_map(params![before.as_millisecond(), limit], rows::stale)?.collect()
        })
    }
}
