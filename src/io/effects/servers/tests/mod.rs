//! Servers of real sessions, on real sockets of this host's loopback.

mod close;
mod http;
mod programs;
mod rooms;
mod tls;

use super::{Functions, Servers, limits::Limits};
use crate::io::{
    clock::HostClock,
    effects::{AuditLog, Host, HostEnvironment, OsChance, PeerSinks},
};
use coalmine_actors::{
    effects::{
        EffectError, EffectSession, Effects, EffectsParts, Op, Policy,
        policy_file::parse,
        port::{Answers, PolicySource, Seat},
        served::{Answered, Asked},
    },
    names::{Identity, Personality},
    ports::{Answer, BoxFuture},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// What most tests allow: any port of loopback.
const OPEN: &str = r#"
    [allow]
    effects = ["net.listen", "chat"]
    [scope]
    net = "any"
"#;

/// A fleet's effects, a folder for what they need, and a policy for everybody.
struct Town {
    dir: TempDir,
    effects: Effects,
    policy: Arc<Everybodys>,
    /// Lets go of whoever is at `hold`.
    release: Arc<Notify>,
    /// Told when somebody is at `hold`.
    arrived: Arc<Notify>,
    /// How often somebody at `hold` was let go of without an answer.
    called_off: Arc<AtomicUsize>,
    mark: String,
}

impl Town {
    async fn new(policy: &str) -> Self {
        Self::within(policy, Limits::default()).await
    }

    async fn within(policy: &str, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        let text = policy.replace("DIR", dir.path().to_str().unwrap());
        let policy = Arc::new(Everybodys { policy: Mutex::new(text), told: Mutex::default() });
        let (release, arrived, called_off) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::default());
        let servers = Servers::within(functions(&release, &arrived, &called_off), limits);
        let parts = EffectsParts {
            host: Arc::new(Host { servers, ..Host::new(mark.clone()) }),
            source: Arc::clone(&policy) as _,
            audit: Arc::new(AuditLog::new(dir.path().join("effects"))),
            clock: Arc::new(HostClock),
            chance: Arc::new(OsChance),
            environment: Arc::new(HostEnvironment),
            sinks: Arc::new(PeerSinks::new(dir.path().join("effects"))),
            added: BTreeMap::new(),
            journal: None,
        };
        Self { effects: Effects::start(parts, None).await.unwrap(), dir, policy, release, arrived, called_off, mark }
    }

    async fn session(&self, peer: &str) -> EffectSession {
        self.effects.session(&peer.parse::<Identity>().unwrap()).await.unwrap()
    }

    /// A server of `bob` whose requests go there.
    async fn serving(&self, op: Op, handler: Value) -> Site {
        Site::open(self.session("shell-bob").await, op, json!({ "port": 0, "handler": handler })).await.unwrap()
    }

    /// A program that the policy can name as `DIR/name`.
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What the session of `bob` logged, once it says this.
    async fn log_with(&self, what: &str) -> String {
        let path = self.dir.path().join("effects/shell-bob/session.log");
        until(&format!("the log says {what}"), || fs::read_to_string(&path).ok().filter(|log| log.contains(what))).await
    }

    /// Lines of the audit log about one operation.
    fn audited(&self, op: &str) -> Vec<Value> {
        let log = fs::read_to_string(self.dir.path().join("effects/audit.log")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["op"] == op).collect()
    }
}

/// One server, and the session that has it.
struct Site {
    session: EffectSession,
    handle: Value,
    port: u16,
}

impl Site {
    async fn open(session: EffectSession, op: Op, args: Value) -> Result<Self, EffectError> {
        let handle = call(&session, op, args).await?;
        let at = call(&session, Op::NetAddress, json!({ "handle": handle })).await.unwrap();
        assert_eq!(at["address"], "127.0.0.1");
        Ok(Self { session, handle, port: u16::try_from(at["port"].as_u64().unwrap()).unwrap() })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        stream
    }

    /// One request on a connection of its own.
    fn ask(&self, method: &str, target: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that has refused it already may not read it to the end.
        let _refused_already = stream.write_all(body);
        Reply::read(&mut stream)
    }

    async fn close(&self) {
        call(&self.session, Op::NetClose, json!({ "handle": self.handle })).await.unwrap();
    }

    /// Sockets of this process at the server's port: its own, and those of its connections. Those that only wait out
    /// their time belong to nobody.
    fn sockets(&self) -> usize {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let port = format!(":{:04X}", self.port);
        let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row[1].ends_with(&port) && row[9] != "0").count()
    }
}

async fn call(session: &EffectSession, op: Op, args: Value) -> Result<Value, EffectError> {
    Ok(session.call(op, args).await?.into_json())
}

/// What a server answered.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    /// To the connection's end.
    fn read(stream: &mut impl Read) -> Self {
        let bytes = rest(stream);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: bytes[end + 4..].to_vec() }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The number of a failure, which is all that is told of it.
    #[track_caller]
    fn failure(&self) -> String {
        let json = self.json();
        let id = json["error"]["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned();
        assert_eq!((self.status, &json), (500, &json!({ "error": { "id": id } })));
        id
    }
}

/// Everything until the connection's end, in whatever way that comes.
fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => bytes,
        Err(error) => panic!("it was not hung up: {error}"),
    }
}

/// Waits until there is such a thing.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        match look() {
            Some(found) => return found,
            None if Instant::now() > deadline => panic!("not within {LONG:?}: {what}"),
            None => sleep(Duration::from_millis(2)).await,
        }
    }
}

/// One policy for all peers.
struct Everybodys {
    policy: Mutex<String>,
    told: Mutex<Option<mpsc::Sender<()>>>,
}

impl Everybodys {
    fn set(&self, text: &str) {
        *self.policy.lock().unwrap() = text.to_owned();
        if let Some(told) = &*self.told.lock().unwrap() {
            let _told_already = told.try_send(());
        }
    }
}

impl PolicySource for Everybodys {
    fn name_of(&self, _: &Personality) -> Option<String> {
        Some("everybodys".into())
    }

    fn load(&self, name: String) -> Answer<Arc<Policy>> {
        let policy = Arc::new(parse(&name, &self.policy.lock().unwrap()).unwrap());
        Box::pin(async move { Ok(policy) })
    }

    fn changes(&self) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel(1);
        *self.told.lock().unwrap() = Some(sender);
        receiver
    }
}

/// Counts those who are dropped.
struct Unfinished(Arc<AtomicUsize>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A function of the embedder.
struct Function<F>(F);

impl<F> Answers for Function<F>
where
    F: Fn(Asked) -> BoxFuture<Result<Answered, EffectError>> + Send + Sync + 'static,
{
    fn answer(&self, _: Arc<Seat>, asked: Asked) -> BoxFuture<Result<Answered, EffectError>> {
        self.0(asked)
    }
}

/// `echo` gives what it was asked, `path` the path, `hold` answers once it is let go of, `panic`, `fail` and `bad` do not answer.
fn functions(release: &Arc<Notify>, arrived: &Arc<Notify>, called_off: &Arc<AtomicUsize>) -> Functions {
    fn at_once(answer: fn(Asked) -> Result<Answered, EffectError>) -> Arc<dyn Answers> {
        Arc::new(Function(move |asked| -> BoxFuture<_> { Box::pin(async move { answer(asked) }) }))
    }
    let (release, arrived, called_off) = (Arc::clone(release), Arc::clone(arrived), Arc::clone(called_off));
    let hold = Function(move |asked: Asked| -> BoxFuture<_> {
        let (release, arrived, called_off) = (Arc::clone(&release), Arc::clone(&arrived), Arc::clone(&called_off));
        Box::pin(async move {
            arrived.notify_one();
            let unfinished = Unfinished(called_off);
            release.notified().await;
            std::mem::forget(unfinished);
            Ok(Answered::new(200, asked.path))
        })
    });
    Functions::from([
        ("echo".into(), at_once(|asked| Ok(Answered::json(200, &asked.to_json())))),
        ("path".into(), at_once(|asked| Ok(Answered::new(200, asked.path)))),
        ("size".into(), at_once(|asked| Ok(Answered::new(200, asked.body.len().to_string())))),
        ("large".into(), at_once(|_| Ok(Answered::new(200, vec![b'x'; 16 * 1024 * 1024])))),
        ("whoami".into(), at_once(|asked| Ok(Answered::new(200, asked.connection.unwrap_or_default())))),
        ("silent".into(), at_once(|_| Ok(Answered::new(204, "")))),
        ("hold".into(), Arc::new(hold) as _),
        ("panic".into(), at_once(|_| panic!("the secret of the function"))),
        ("fail".into(), at_once(|_| Err(EffectError::bad("x", "the secret of the function")))),
        ("bad".into(), at_once(|_| Ok(Answered::new(7, "")))),
    ])
}
