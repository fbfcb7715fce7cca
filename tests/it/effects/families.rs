//! A session that does something of every family, and leaves half of it open for its end.

use super::tools;
use crate::{
    mail::{Post, bodies},
    support::{eventually, http},
};
use coalmine::{
    actors::{
        effects::{
            EffectError, EffectSession,
            port::{Answers, Seat},
            served::{Answered, Asked},
        },
        fleet::request::CreatePeer,
        names::Identity,
        ports::BoxFuture,
    },
    config::{
        Config,
        models::{KeySource, Provider, ProviderKind},
    },
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, WebSocket, client};

/// What grants all but servers; `DATA` is a folder, `SITE` the origin of a server of the test.
const POLICY: &str = r#"
    [allow]
    effects = ["io", "fs.read", "fs.list", "fs.write", "log", "log.admin", "clock", "random", "env", "proc", "net.connect",
               "kv", "sql", "mcp:it", "llm:openai", "llm:ollama", "a2a:bob"]
    [scope]
    fs_read = ["DATA"]
    fs_write = ["DATA"]
    net = ["SITE"]
    env = ["LANG"]
    [program.cat]
    path = "/bin/cat"
    [program.sleep]
    path = "/bin/sleep"
    [mcp.it]
    command = ["/bin/sh", "-c", SERVER]
    env = { KEY = "k" }
    tools = ["who"]
"#;
/// What grants servers at any port, where nobody could be connected to on this host.
const SERVING: &str = r#"
    [allow]
    effects = ["net.listen", "fs.read", "chat"]
    [scope]
    fs_read = ["DATA"]
    net = "any"
"#;
const OPENAI: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
const OLLAMA: &str = r#"{"message":{"content":"hi"},"done":true,"prompt_eval_count":7,"eval_count":3}"#;
/// Longest that a server of the session may leave a guest of the test without a word.
const ANSWERS_IN: Duration = Duration::from_secs(20);

/// Says again what it is asked; in a room also who asked.
struct Echo;

impl Answers for Echo {
    fn answer(&self, _: Arc<Seat>, asked: Asked) -> BoxFuture<Result<Answered, EffectError>> {
        Box::pin(async move { Ok(Answered::new(200, asked.connection.map_or(asked.body, Into::into))) })
    }
}

/// Answers each request and closes: with a redirect at `/moved`, as two models do, else with a word.
fn site() -> u16 {
    http::site(|head| match head.split_whitespace().nth(1).unwrap_or_default() {
        "/moved" => ("302 Found\r\nlocation: /there", ""),
        path if path.ends_with("/chat/completions") => ("200 OK", OPENAI),
        path if path.ends_with("/api/chat") => ("200 OK", OLLAMA),
        _ => ("200 OK", "word"),
    })
}

/// A fleet with `alice`, who may do most of it, `carol`, who may serve, and `bob`, who reads what alice writes.
pub struct Town {
    post: Post,
    data: PathBuf,
    site: String,
    certificate: String,
    rounds: AtomicUsize,
}

impl Town {
    pub async fn new() -> Self {
        let site = format!("http://127.0.0.1:{}", site());
        let post = Post::with(|builder| builder.config(models(&site)).answerer("echo", Arc::new(Echo))).await;
        // Beside the root, which no policy can grant.
        let data = post.rig.root().with_extension("data");
        fs::create_dir(&data).unwrap();
        let certificate = certificate(&data);
        let folder = post.rig.root().join("policies");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        for (name, text) in [("alice", POLICY), ("carol", SERVING)] {
            let text = text.replace("DATA", data.to_str().unwrap()).replace("SITE", &site);
            let file = folder.join(format!("{name}.toml"));
            fs::write(&file, text.replace("SERVER", &tools::toml_text(tools::SERVER))).unwrap();
            fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            post.make(name, CreatePeer { policy: Some(name.into()), ..CreatePeer::default() }).await;
        }
        post.up("bob").await;
        Self { post, data, site, certificate, rounds: AtomicUsize::new(0) }
    }

    pub fn root(&self) -> &Path {
        self.post.rig.root()
    }

    /// A session of its own.
    pub async fn session(&self, name: &str) -> EffectSession {
        let identity: Identity = format!("agent-{name}").parse().unwrap();
        self.post.rig.fleet.effects().session(&identity).await.unwrap()
    }

    /// A program that runs for an hour, or as long as the session.
    pub async fn leave_a_program_running(&self, session: &EffectSession) {
        call(session, "process.spawn", json!({ "program": "sleep", "args": ["3600"] })).await;
    }

    /// Two sessions that do something of every family, and end.
    pub async fn round(&self) {
        let number = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        let (session, serving) = (self.session("alice").await, self.session("carol").await);
        self.files(&session).await;
        self.programs(&session).await;
        self.connections(&session).await;
        let _guest = self.servers(&serving).await;
        self.stores(&session).await;
        self.agents(&session, number).await;
        session.end();
        serving.end();
    }

    fn path(&self, name: &str) -> String {
        self.data.join(name).to_str().unwrap().to_owned()
    }

    async fn files(&self, session: &EffectSession) {
        let path = |name: &str| json!({ "path": self.path(name) });
        call(session, "fs.mkdir_p", path("tree/below")).await;
        let file = json!({ "path": self.path("tree/below/file"), "contents": "text" });
        call(session, "io.write", file).await;
        assert_eq!(call(session, "io.read", path("tree/below/file")).await, "text");
        call(session, "fs.copy", json!({ "src": self.path("tree/below/file"), "dst": self.path("tree/copy") })).await;
        for op in ["fs.exists", "fs.is_file", "fs.is_dir", "fs.stat", "fs.list_dir", "fs.walk"] {
            call(session, op, path("tree")).await;
        }
        call(session, "fs.glob", json!({ "pattern": self.path("tree/**") })).await;
        call(session, "fs.remove", path("tree")).await;
        call(session, "log.set_sink", path("own.log")).await;
        call(session, "log.info", json!({ "message": "to a file" })).await;
        call(session, "io.print", json!({ "line": "printed" })).await;
        call(session, "crypto.random", json!({ "n": 16 })).await;
    }

    async fn programs(&self, session: &EffectSession) {
        call(session, "proc.spawn", json!({ "program": "sleep", "args": ["0"] })).await;
        let said = call(session, "process.run", json!({ "program": "cat", "args": [], "stdin": "said" })).await;
        assert_eq!(said["stdout"], "said");
        let reads = json!({ "program": "cat", "args": [], "env": {}, "stdin": "line\n" });
        let handle = json!({ "handle": call(session, "process.spawn", reads).await });
        assert_eq!(call(session, "process.read_stdout_line", handle.clone()).await, "line");
        assert_eq!(call(session, "process.wait", handle).await["code"], 0);
        let sleeps = json!({ "program": "sleep", "args": ["3600"] });
        let handle = call(session, "process.spawn", sleeps).await;
        call(session, "process.kill", json!({ "handle": handle, "signal": "KILL" })).await;
        call(session, "process.wait", json!({ "handle": handle })).await;
        self.leave_a_program_running(session).await;
    }

    async fn connections(&self, session: &EffectSession) {
        let url = |path: &str| json!({ "url": format!("{}{path}", self.site) });
        let with_body = json!({ "url": self.site, "body": "x" });
        assert_eq!(call(session, "net.get", url("/")).await, "word");
        call(session, "net.post", with_body.clone()).await;
        call(session, "http.get", url("/")).await;
        call(session, "http.post", with_body).await;
        let moved = json!({ "method": "GET", "url": format!("{}/moved", self.site), "redirects": 3 });
        assert_eq!(call(session, "http.send", moved).await["body"], "word");
    }

    /// Gives a guest who stays until the session has ended.
    async fn servers(&self, session: &EffectSession) -> WebSocket<TcpStream> {
        let serve = json!({ "port": 0, "handler": { "function": "echo" } });
        let (closed, _) = self.serve(session, "net.serve", serve.clone()).await;
        call(session, "net.close", json!({ "handle": closed })).await;
        let (_, port) = self.serve(session, "net.serve", serve.clone()).await;
        assert!(aside(move || asked(connect(port))).await.ends_with("ping"));
        let secure = merged(&serve, &json!({ "cert": self.path("cert.pem"), "key": self.path("key.pem") }));
        let (_, port) = self.serve(session, "net.serve_tls", secure).await;
        let trusting = self.trusting(connect(port));
        assert!(aside(move || asked(trusting)).await.ends_with("ping"));
        let (_, port) = self.serve(session, "net.serve_ws", serve).await;
        let uri = format!("ws://localhost:{port}/room").parse().unwrap();
        let enter = move || client(ClientRequestBuilder::new(uri), connect(port)).unwrap().0;
        let mut guest = aside(enter).await;
        guest.send("who am I?".into()).unwrap();
        let (guest, name) = heard(guest).await;
        assert_eq!(call(session, "chat.send", json!({ "connection": name, "body": "you" })).await, true);
        assert_eq!(call(session, "chat.broadcast", json!({ "room": "room", "body": "all" })).await, 1);
        let (guest, first) = heard(guest).await;
        let (guest, second) = heard(guest).await;
        assert_eq!((first.as_str(), second.as_str()), ("you", "all"));
        guest
    }

    /// A server of the session, and its port.
    async fn serve(&self, session: &EffectSession, op: &str, args: Value) -> (Value, u16) {
        let handle = call(session, op, args).await;
        let at = call(session, "net.address", json!({ "handle": handle })).await;
        (handle, u16::try_from(at["port"].as_u64().unwrap()).unwrap())
    }

    fn trusting(&self, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let name = ServerName::try_from("localhost").unwrap();
        let config = Arc::new(config.with_no_client_auth());
        StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
    }

    async fn stores(&self, session: &EffectSession) {
        for (at, close) in [(json!({}), true), (json!({ "path": self.path("store") }), false)] {
            let handle = call(session, "kv.open", at).await;
            let with = |args: Value| merged(&json!({ "handle": handle }), &args);
            call(session, "kv.put", with(json!({ "key": "k", "value": "v" }))).await;
            call(session, "kv.get", with(json!({ "key": "k" }))).await;
            call(session, "kv.list_prefix", with(json!({ "prefix": "" }))).await;
            if close {
                call(session, "kv.close", with(json!({}))).await;
            }
        }
        for (at, close) in [(":memory:".to_owned(), true), (self.path("database"), false)] {
            let handle = call(session, "sql.open", json!({ "path": at })).await;
            let with = |args: Value| merged(&json!({ "handle": handle }), &args);
            let table = "CREATE TABLE IF NOT EXISTS t (n)";
            for sql in [table, "INSERT INTO t VALUES (1)"] {
                call(session, "sql.exec", with(json!({ "sql": sql }))).await;
            }
            call(session, "sql.query", with(json!({ "sql": "SELECT n FROM t", "limit": 1 }))).await;
            if close {
                call(session, "sql.close", with(json!({}))).await;
            }
        }
    }

    async fn agents(&self, session: &EffectSession, number: usize) {
        let who = call(session, "agent.call_mcp", json!({ "server": "it", "tool": "who" })).await;
        assert_eq!(who["key"], "k");
        for op in ["agent.local_complete", "agent.cloud_complete"] {
            assert_eq!(call(session, op, json!({ "prompt": "say hi", "model": "m" })).await["text"], "hi");
        }
        let body = format!("round {number}");
        call(session, "agent.send_a2a", json!({ "peer": "bob", "payload": body })).await;
        eventually("bob has read it", || async {
            (bodies(&self.post.read("bob")).last() == Some(&body.as_str())).then_some(())
        })
        .await;
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let _beside_the_root = fs::remove_dir_all(&self.data);
    }
}

/// What a call gives; it must succeed.
async fn call(session: &EffectSession, op: &str, args: Value) -> Value {
    let done = session.call_named(op, args.clone()).await;
    done.unwrap_or_else(|error| panic!("{op} {args}: {error:?}")).into_json()
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut both = one.clone();
    both.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    both
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(ANSWERS_IN)).unwrap();
    stream
}

/// Whatever waits for a server of this very process waits aside.
async fn aside<T: Send + 'static>(waits: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(waits).await.unwrap()
}

/// The next text that a guest hears.
async fn heard(mut guest: WebSocket<TcpStream>) -> (WebSocket<TcpStream>, String) {
    aside(move || {
        let text = guest.read().unwrap().to_text().unwrap().to_owned();
        (guest, text)
    })
    .await
}

fn asked(mut stream: impl Read + Write) -> String {
    stream.write_all(&http::request("POST", "/", b"ping")).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Both models are this server.
fn models(site: &str) -> Config {
    let provider = |kind| Provider { kind, url: format!("{site}/v1"), model: None, key: KeySource::None };
    let providers = [("openai", provider(ProviderKind::Openai)), ("ollama", provider(ProviderKind::Ollama))]
        .map(|(name, it)| (name.to_owned(), it));
    Config { providers: providers.into(), ..Config::default() }
}

/// `cert.pem` and `key.pem` of localhost in this folder; gives the certificate.
fn certificate(folder: &Path) -> String {
    let params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    fs::write(folder.join("cert.pem"), &certificate).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("key.pem"), PermissionsExt::from_mode(0o600)).unwrap();
    certificate
}
