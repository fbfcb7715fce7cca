//! Stores as sessions use them: decided by a policy, and carried out by its plan.

mod kv;
mod leading_out;
mod sql;

use super::Stores;
use crate::io::effects::{OsChance, grants::Grants};
use coalmine_actors::{
    effects::{
        EffectError, Op, Policy, Request, decide,
        folder::Folder,
        plan::Decision,
        port::{Call, Opened, Seat},
        scope::Scope,
    },
    names::Identity,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tempfile::TempDir;

/// A granted folder `in/` beside one that is not, `out/`, and the stores of one fleet.
struct Yard {
    _dir: TempDir,
    base: PathBuf,
    stores: Stores,
    policy: Arc<Policy>,
    opened: Opened,
    sessions: AtomicU64,
}

/// One session. Dropped, it ends.
struct Session<'y> {
    yard: &'y Yard,
    seat: Arc<Seat>,
}

impl Yard {
    fn new() -> Self {
        Self::granting(&["kv", "sql"])
    }

    fn granting(kinds: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for folder in ["in/a", "out"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        let policy = Policy {
            allow: kinds.iter().map(|kind| kind.parse().unwrap()).collect(),
            fs_write: Scope::only(vec![Folder::new(base.join("in").to_str().unwrap()).unwrap()]),
            ..Policy::default()
        };
        let opened = Arc::new(Grants::open(&policy));
        let (policy, stores) = (Arc::new(policy), Stores::default());
        Self { _dir: dir, base, stores, policy, opened, sessions: AtomicU64::new(0) }
    }

    fn session(&self) -> Session<'_> {
        let peer = "shell-bob".parse::<Identity>().unwrap();
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        Session { yard: self, seat: Arc::new(Seat::new(peer, number, Arc::new(OsChance))) }
    }

    fn path(&self, name: &str) -> String {
        self.base.join(name).to_str().unwrap().to_owned()
    }

    /// Everything that lies in the folder that is not granted.
    fn outside(&self) -> Vec<PathBuf> {
        files(&self.base.join("out"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

impl Session<'_> {
    async fn call(&self, op: &str, args: Value) -> Result<Value, EffectError> {
        let request = Request::read(op.parse::<Op>().unwrap(), args)?;
        let plan = match decide(&self.yard.policy, &request) {
            Decision::Allow(plan, _) => plan,
            Decision::Deny(rule) => return Err(EffectError::Denied { rule }),
        };
        let call = Call {
            seat: Arc::clone(&self.seat),
            policy: Arc::clone(&self.yard.policy),
            opened: Arc::clone(&self.yard.opened),
            request,
            plan,
            time_left: None,
        };
        Ok(self.yard.stores.perform(call).await?.output.into_json())
    }

    /// The code that a call is refused with.
    async fn code(&self, op: &str, args: Value) -> &'static str {
        match self.call(op, args.clone()).await {
            Ok(value) => panic!("{op} {args} gave {value}"),
            Err(error) => error.code(),
        }
    }

    /// A handle on a store of keys and values; without a name on the session's own.
    async fn kv(&self, name: Option<&str>) -> Value {
        let path = name.map(|name| self.yard.path(name));
        self.call("kv.open", json!({ "path": path })).await.unwrap()
    }

    /// A handle on a database; without a name on one in memory.
    async fn sql(&self, name: Option<&str>) -> Value {
        let path = name.map_or_else(|| ":memory:".to_owned(), |name| self.yard.path(name));
        self.call("sql.open", json!({ "path": path })).await.unwrap()
    }

    async fn exec(&self, handle: &Value, sql: &str) -> Result<Value, EffectError> {
        self.call("sql.exec", json!({ "handle": handle, "sql": sql })).await
    }

    async fn query(&self, handle: &Value, sql: &str) -> Result<Value, EffectError> {
        Ok(self.call("sql.query", json!({ "handle": handle, "sql": sql })).await?["rows"].take())
    }
}

/// Each operation with arguments that are well made, as far as a session without a handle can make them.
fn well_made(path: &str) -> Vec<(&'static str, Value)> {
    let handle = "0".repeat(32);
    vec![
        ("kv.open", json!({ "path": path })),
        ("kv.open", json!({})),
        ("kv.close", json!({ "handle": handle })),
        ("kv.get", json!({ "handle": handle, "key": "k" })),
        ("kv.put", json!({ "handle": handle, "key": "k", "value": "v" })),
        ("kv.delete", json!({ "handle": handle, "key": "k" })),
        ("kv.contains", json!({ "handle": handle, "key": "k" })),
        ("kv.list_prefix", json!({ "handle": handle, "prefix": "" })),
        ("sql.open", json!({ "path": path })),
        ("sql.open", json!({ "path": ":memory:" })),
        ("sql.close", json!({ "handle": handle })),
        ("sql.exec", json!({ "handle": handle, "sql": "SELECT 1" })),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1" })),
    ]
}

#[tokio::test]
async fn nothing_happens_without_its_kind() {
    for (kinds, refused) in [(&[][..], ""), (&["kv", "fs.write"], "sql."), (&["sql", "fs.write"], "kv.")] {
        let yard = Yard::granting(kinds);
        let session = yard.session();
        for (op, args) in well_made(&yard.path("in/x")) {
            let code = session.call(op, args).await.err().map_or("", |error| error.code());
            assert_eq!(code == "denied", op.starts_with(refused), "{op} with {kinds:?} is {code:?}");
        }
    }
}

#[tokio::test]
async fn a_handle_that_is_not_open_here_is_unknown_to_every_operation() {
    let yard = Yard::new();
    let (mine, other) = (yard.session(), yard.session());
    let (kv, sql) = (other.kv(None).await, other.sql(None).await);
    for (op, mut args) in well_made("/x").into_iter().filter(|(op, _)| !op.ends_with(".open")) {
        // Never opened; another session's; of the other kind.
        for handle in [json!("0".repeat(32)), kv.clone(), sql.clone()] {
            args["handle"] = handle;
            assert_eq!(mine.code(op, args.clone()).await, "unknown-handle", "{op}");
        }
    }
    let (kv, sql) = (mine.kv(None).await, mine.sql(None).await);
    mine.call("kv.close", json!({ "handle": kv })).await.unwrap();
    mine.call("sql.close", json!({ "handle": sql })).await.unwrap();
    assert_eq!(mine.code("kv.get", json!({ "handle": kv, "key": "k" })).await, "unknown-handle");
    assert_eq!(mine.code("sql.query", json!({ "handle": sql, "sql": "SELECT 1" })).await, "unknown-handle");
}

#[tokio::test]
async fn one_handle_more_than_there_may_be_is_refused() {
    let yard = Yard::new();
    let session = yard.session();
    for (op, args) in [("kv.open", json!({})), ("sql.open", json!({ "path": ":memory:" }))] {
        for _ in 0..256 {
            session.call(op, args.clone()).await.unwrap();
        }
        assert_eq!(session.code(op, args).await, "too-many-handles");
    }
}
