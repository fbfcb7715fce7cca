//! Every way out of a store's file, and that none of them leads anywhere.

use super::{Session, Yard, files};
use rusqlite::Connection;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, path::Path};

/// One of the two says that it is denied. The other one may refuse it before, for being nothing of its own.
async fn denied(session: &Session<'_>, handle: &Value, sql: &str) {
    let args = json!({ "handle": handle, "sql": sql });
    let codes = [session.code("sql.exec", args.clone()).await, session.code("sql.query", args).await];
    assert!(codes.contains(&"denied"), "{sql}: {codes:?}");
}

#[tokio::test]
async fn no_statement_leads_out_of_its_database() {
    let yard = Yard::new();
    let session = yard.session();
    let victim = yard.path("out/victim");
    Connection::open(&victim).unwrap().execute_batch("CREATE TABLE secret (a)").unwrap();
    let before = fs::read(&victim).unwrap();
    for handle in [session.sql(None).await, session.sql(Some("in/db")).await] {
        session.exec(&handle, "CREATE TABLE t (a)").await.unwrap();
        for sql in [
            format!("ATTACH '{victim}' AS v"),
            format!("ATTACH 'file:{victim}?mode=ro' AS v"),
            "ATTACH ':memory:' AS v".into(),
            "ATTACH '' AS v".into(),
            "DETACH main".into(),
            format!("VACUUM INTO '{}'", yard.path("out/copy")),
            format!("VACUUM INTO 'file:{}'", yard.path("out/copy")),
            format!("SELECT load_extension('{victim}')"),
            format!("SELECT load_extension('{victim}', 'entry')"),
            "SELECT fts3_tokenizer('simple')".into(),
            format!("PRAGMA temp_store_directory = '{}'", yard.path("out")),
            "PRAGMA journal_mode = WAL".into(),
            "PRAGMA journal_mode = OFF".into(),
            "PRAGMA journal_mode".into(),
            "PRAGMA locking_mode = EXCLUSIVE".into(),
            "PRAGMA writable_schema = ON".into(),
            "PRAGMA trusted_schema = ON".into(),
            "PRAGMA max_page_count = 1000000000".into(),
            "PRAGMA mmap_size = 1000000000".into(),
            "PRAGMA cache_size = 1000000000".into(),
            "PRAGMA synchronous = OFF".into(),
            "PRAGMA user_version = 7".into(),
            "PRAGMA USER_VERSION(7)".into(),
            "PRAGMA database_list".into(),
            "PRAGMA hard_heap_limit = 1".into(),
            "PRAGMA nonsense".into(),
            "SELECT * FROM pragma_database_list".into(),
        ] {
            denied(&session, &handle, &sql).await;
        }
        // What only tells something is no way out.
        for sql in ["PRAGMA table_info(t)", "PRAGMA user_version", "SELECT name FROM pragma_table_info('t')"] {
            assert!(session.query(&handle, sql).await.unwrap().is_array(), "{sql}");
        }
    }
    assert_eq!((fs::read(&victim).unwrap(), yard.outside()), (before, vec![victim.into()]));
}

#[tokio::test]
async fn no_link_and_no_other_kind_of_file_is_opened() {
    let yard = Yard::new();
    let session = yard.session();
    let path = |name: &str| yard.base.join(name);
    fs::write(path("out/f"), "").unwrap();
    symlink(path("out/f"), path("in/link")).unwrap();
    symlink(path("out/new"), path("in/dangling")).unwrap();
    symlink(path("out"), path("in/folder")).unwrap();
    fs::hard_link(path("out/f"), path("in/hard")).unwrap();
    mknodat(CWD, path("in/fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for op in ["kv.open", "sql.open"] {
        for (name, code) in [
            ("in/link", "bad-args"),
            ("in/dangling", "bad-args"),
            ("in/folder/f", "denied"),
            ("in/folder/new", "denied"),
            ("in/hard", "denied"),
            ("in/fifo", "bad-args"),
        ] {
            assert_eq!(session.code(op, json!({ "path": yard.path(name) })).await, code, "{op} {name}");
        }
    }
    assert_eq!((fs::read(path("out/f")).unwrap(), yard.outside()), (Vec::new(), vec![path("out/f")]));
}

#[tokio::test]
async fn a_folder_that_is_exchanged_for_a_link_leads_no_journal_out() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.sql(Some("in/a/db")).await;
    session.exec(&handle, "CREATE TABLE t (a)").await.unwrap();
    fs::rename(yard.path("in/a"), yard.path("in/b")).unwrap();
    symlink(yard.path("out"), yard.path("in/a")).unwrap();
    session.exec(&handle, "BEGIN").await.unwrap();
    session.exec(&handle, "INSERT INTO t VALUES (1)").await.unwrap();
    // The journal of what is not committed lies beside the database, wherever that is by now.
    let beside = files(Path::new(&yard.path("in/b")));
    assert_eq!(beside, [yard.base.join("in/b/db"), yard.base.join("in/b/db-journal")]);
    session.exec(&handle, "COMMIT").await.unwrap();
    assert_eq!(session.query(&handle, "SELECT a FROM t").await.unwrap(), json!([{ "a": 1 }]));
    assert_eq!(yard.outside(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_journal_that_names_a_file_elsewhere_removes_nothing() {
    let yard = Yard::new();
    let session = yard.session();
    let victim = yard.path("out/victim");
    fs::write(&victim, "not a journal").unwrap();
    let path = yard.path("in/db");
    let handle = session.sql(Some("in/db")).await;
    session.exec(&handle, "CREATE TABLE t (a)").await.unwrap();
    session.call("sql.close", json!({ "handle": handle })).await.unwrap();
    let page_bytes = 4_096_u32;
    let database = fs::read(&path).unwrap();
    // A journal that is hot: header, no pages, and behind them the name of the file that it claims to belong to.
    let pages = u32::try_from(database.len()).unwrap() / page_bytes;
    let mut journal = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    for number in [0, 7, pages, 512, page_bytes] {
        journal.extend_from_slice(&u32::to_be_bytes(number));
    }
    journal.resize(512, 0);
    let sum: u32 = victim.bytes().map(u32::from).sum();
    // Where the pages would be, the name begins with the number of the page that locks lie on.
    journal.extend_from_slice(&(0x4000_0000 / page_bytes + 1).to_be_bytes());
    journal.extend_from_slice(victim.as_bytes());
    journal.extend_from_slice(&u32::try_from(victim.len()).unwrap().to_be_bytes());
    journal.extend_from_slice(&sum.to_be_bytes());
    journal.extend_from_slice(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7");

    // SQLite's own way to files falls for it: so the journal is one.
    fs::write(format!("{path}-journal"), &journal).unwrap();
    let count = |connection: Connection| connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
    count(Connection::open(&path).unwrap()).unwrap();
    assert!(!Path::new(&victim).exists(), "the journal is not the trap that it is meant to be");

    fs::write(&victim, "not a journal").unwrap();
    fs::write(format!("{path}-journal"), &journal).unwrap();
    if let Ok(handle) = session.call("sql.open", json!({ "path": path })).await {
        let _whatever_it_says = session.query(&handle, "SELECT count(*) AS n FROM t").await;
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "not a journal");
}

#[tokio::test]
async fn a_database_that_shares_memory_with_others_is_refused() {
    let yard = Yard::new();
    let session = yard.session();
    let path = yard.path("in/db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a)").unwrap();
    let error = session.call("sql.open", json!({ "path": path })).await.unwrap_err();
    assert!(error.to_string().contains("WAL"), "{error}");
    // Also where it is made so while it is open here.
    connection.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    let handle = session.sql(Some("in/db")).await;
    session.query(&handle, "SELECT a FROM t").await.unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(session.code("sql.query", json!({ "handle": handle, "sql": "SELECT a FROM t" })).await, "bad-args");
    assert_eq!(files(&yard.base.join("in")).len(), 4, "a, db, db-wal and db-shm, which are the other one's");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let yard = Yard::new();
    let session = yard.session();
    let text = "no database at all ".repeat(1_000);
    fs::write(yard.path("in/text"), &text).unwrap();
    assert_eq!(session.code("sql.open", json!({ "path": yard.path("in/text") })).await, "bad-args");
    assert_eq!(fs::read_to_string(yard.path("in/text")).unwrap(), text);
}
