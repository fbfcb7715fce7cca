//! Questions to providers on this host, well-behaved and not.

use super::Models;
use crate::{
    config::models::{KeySource, Provider, ProviderKind, Providers},
    io::{
        attachments::InMemory,
        clock::HostClock,
        effects::{
            net::Net,
            testing::{
                House, bob,
                server::{Server, Then, ok, redirect},
            },
        },
    },
};
use bytes::Bytes;
use coalmine_actors::{
    attachments::{
        AttachmentStore, Attachments, AttachmentsParts, CreateMeta, Intent, Owner, Owners, change::Quotas,
        manifest::MemoryManifest,
    },
    effects::{
        EffectError, Policy,
        budget::Budget,
        port::{Call, EffectHost, Outcome},
    },
    ports::BoxFuture,
};
use serde_json::{Value, json};
use std::{fs, io::Write, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};
use tempfile::NamedTempFile;
use tokio::sync::watch;

const KEY: &str = "sk-secret-of-the-operator";
/// A png of one pixel begins like this, and that is all that is looked at.
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR";
const OPENAI: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
const OLLAMA: &str = r#"{"message":{"content":"hello"},"done":true,"prompt_eval_count":7,"eval_count":3}"#;

struct Host(Models);

impl EffectHost for Host {
    fn agents(&self, call: Call) -> BoxFuture<Outcome> {
        self.0.perform(call)
    }
}

struct EverybodyLives;

impl Owners for EverybodyLives {
    fn lives(&self, _: &Intent) -> bool {
        true
    }
}

async fn attachments() -> Attachments {
    let parts = AttachmentsParts {
        store: Arc::new(InMemory::new(Arc::new(HostClock), 64 * 1024 * 1024)),
        manifest: Arc::new(MemoryManifest::default()),
        owners: Arc::new(EverybodyLives),
        clock: Arc::new(HostClock),
        journal: None,
        quotas: Quotas::default(),
        grace: Duration::from_secs(3600),
        sweep_every: None,
    };
    Attachments::start(parts, None).await.unwrap()
}

/// A key in a file of this mode.
fn key_file(mode: u32) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(format!("{KEY}\n").as_bytes()).unwrap();
    fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
    file
}

/// A session that may ask `openai` and `ollama`, both of which are at this server, and has 10,000 tokens.
struct Asking {
    house: House,
    attachments: Attachments,
    _key: NamedTempFile,
    _told: watch::Sender<Arc<Providers>>,
}

impl Asking {
    async fn at(server: &Server) -> Self {
        Self::with_key(server, key_file(0o600)).await
    }

    async fn with_key(server: &Server, key: NamedTempFile) -> Self {
        let provider = |kind, url: String, key| Provider { kind, url, model: Some("m".into()), key };
        let openai = provider(ProviderKind::Openai, server.url("/v1"), KeySource::File(key.path().into()));
        let ollama = provider(ProviderKind::Ollama, server.origin(), KeySource::None);
        let nameless = Provider { model: None, ..ollama.clone() };
        let known = [("openai", openai), ("ollama", ollama), ("nameless", nameless)];
        let known: Providers = known.map(|(name, provider)| (name.to_owned(), provider)).into();
        let (told, providers) = watch::channel(Arc::new(known));
        let attachments = attachments().await;
        let models = Models::new(Net::default(), providers, attachments.clone());
        let policy = Policy {
            allow: ["llm:openai", "llm:ollama", "llm:nameless", "llm:gone"].map(|kind| kind.parse().unwrap()).into(),
            budget: Budget { llm_tokens: Some(10_000), ..Budget::default() },
            ..Policy::default()
        };
        let house = House::of(Arc::new(Host(models)), policy).await;
        Self { house, attachments, _key: key, _told: told }
    }

    async fn cloud(&self, args: Value) -> Result<Value, EffectError> {
        self.house.call("agent.cloud_complete", args).await
    }

    async fn tokens_left(&self) -> u64 {
        self.house.call("budget.remaining", json!({})).await.unwrap()["llm_tokens"].as_u64().unwrap()
    }

    /// An attachment of the session of this name.
    async fn attached(&self, session: &str, bytes: &'static [u8]) -> String {
        let store = self.attachments.session(session.parse().unwrap(), Owner::whole());
        store.put(Bytes::from_static(bytes), CreateMeta::default()).await.unwrap().id.to_string()
    }
}

/// What a request had in its body.
fn body(asked: &str) -> Value {
    serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_provider_gives_its_text_and_what_it_took_is_what_counts() {
    let server = Server::answering(ok(OPENAI)).await;
    let asking = Asking::at(&server).await;
    let said = asking.cloud(json!({ "prompt": "hello" })).await.unwrap();
    let usage = json!({ "prompt_tokens": 5, "completion_tokens": 2 });
    assert_eq!(said, json!({ "text": "hi", "usage": usage, "truncated": false }));
    assert_eq!(asking.tokens_left().await, 10_000 - 7);
    let asked = server.seen().remove(0);
    assert!(asked.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("authorization: Bearer {KEY}\r\n")), "{asked}");
    assert!(asked.contains("content-type: application/json\r\n"), "{asked}");
    let messages = json!([{ "role": "user", "content": "hello" }]);
    assert_eq!(body(&asked), json!({ "model": "m", "messages": messages, "stream": false }));

    let server = Server::answering(ok(OLLAMA)).await;
    let asking = Asking::at(&server).await;
    let messages = json!([{ "role": "system", "content": "short" }, { "role": "user", "content": "hello" }]);
    let args = json!({ "messages": messages, "model": "other", "max_tokens": 9 });
    let said = asking.house.call("agent.local_complete", args).await.unwrap();
    assert_eq!(said["text"], "hello");
    assert_eq!(asking.tokens_left().await, 10_000 - 10);
    let asked = server.seen().remove(0);
    assert!(asked.starts_with("POST /api/chat HTTP/1.1\r\n") && !asked.contains("authorization"), "{asked}");
    let options = json!({ "num_predict": 9 });
    assert_eq!(body(&asked), json!({ "model": "other", "messages": messages, "stream": false, "options": options }));
}

#[tokio::test]
async fn a_failure_has_its_name_costs_no_tokens_and_tells_no_key() {
    let told = |status: &str, rest: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\n{rest}content-length: {}\r\n\r\n{body}", body.len())
    };
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    for (answer, code) in [
        (told("401 Who", "", &echo), "auth"),
        (told("403 No", "", &echo), "auth"),
        (told("429 Slow", "retry-after: 7\r\n", &echo), "rate-limited"),
        (told("500 Oh", "", &echo), "upstream"),
        (told("404 Gone", "", "<html>"), "upstream"),
        (ok("<html>hello</html>"), "protocol"),
        (ok("{\"choices\":[{"), "protocol"),
        (String::new(), "network"),
    ] {
        let server = Server::then(answer.clone(), Then::Close).await;
        let asking = Asking::at(&server).await;
        let error = asking.cloud(json!({ "prompt": "hello" })).await.unwrap_err();
        assert_eq!(error.code(), code, "{answer}: {error}");
        assert_eq!(asking.tokens_left().await, 10_000, "{answer}");
        let everything = format!("{error} {error:?} {} {}", error.to_json(), asking.house.log());
        assert!(!everything.contains(KEY), "{everything}");
        if let EffectError::RateLimited { retry_after } = error {
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
    }
}

#[tokio::test]
async fn a_provider_that_does_not_count_is_paid_as_was_expected() {
    let server = Server::answering(ok(r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"length"}]}"#)).await;
    let asking = Asking::at(&server).await;
    let said = asking.cloud(json!({ "prompt": "12345678", "max_tokens": 100 })).await.unwrap();
    assert_eq!(said, json!({ "text": "hi", "usage": null, "truncated": true }));
    assert_eq!(asking.tokens_left().await, 10_000 - 100 - 2);
}

#[tokio::test]
async fn what_the_budget_does_not_reach_for_is_not_asked() {
    let server = Server::answering(ok(OPENAI)).await;
    let asking = Asking::at(&server).await;
    let refused = asking.cloud(json!({ "prompt": "1234", "max_tokens": 10_000 })).await;
    let over = EffectError::Budget { what: "llm_tokens", requested: 10_001, used: 0, ceiling: 10_000 };
    assert_eq!(refused, Err(over));
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_model_is_shown_what_the_peer_itself_holds_and_nothing_else() {
    let server = Server::answering(ok(OPENAI)).await;
    let asking = Asking::at(&server).await;
    let (mine, note) =
        (asking.attached(&bob().to_string(), IMAGE).await, asking.attached("claude-bob", b"a note").await);
    let ask = |id: &str| json!({ "messages": [{ "role": "user", "content": ["look", { "attachment": id }] }] });
    asking.cloud(ask(&mine)).await.unwrap();
    asking.cloud(ask(&note)).await.unwrap();
    let shown = |turn: usize| body(&server.seen()[turn])["messages"][0]["content"][1].clone();
    let url = shown(0)["image_url"]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("data:image/png;base64,iVBORw0KGgo"), "{url}");
    assert_eq!(shown(1), json!({ "type": "text", "text": "a note" }));

    let others = asking.attached("claude-eve", b"\x89PNG\r\n\x1a\n of eve").await;
    let (pdf, nobodys) = (asking.attached("claude-bob", b"%PDF-1.7\n").await, "0".repeat(64));
    for (id, said) in [(&others, "this peer has no attachment"), (&nobodys, "no attachment"), (&pdf, "application/pdf")]
    {
        let error = asking.cloud(ask(id)).await.unwrap_err();
        assert_eq!(error.code(), "bad-args", "{error}");
        assert!(error.to_string().contains(said) && error.to_string().contains(id.as_str()), "{error}");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_key_goes_to_its_provider_alone() {
    let other = Server::answering(ok(OPENAI)).await;
    let server = Server::answering(redirect(307, &other.url("/v1/chat/completions"))).await;
    let error = Asking::at(&server).await.cloud(json!({ "prompt": "hello" })).await.unwrap_err();
    assert_eq!(error.code(), "upstream", "{error}");
    assert_eq!(other.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_operator_set_up_wrong_is_told_and_nobody_is_asked() {
    let server = Server::answering(ok(OPENAI)).await;
    let asking = Asking::with_key(&server, key_file(0o644)).await;
    for (args, code, said) in [
        (json!({ "prompt": "hello" }), "effect-unsupported", "provider.openai.api_key_file: others may read it"),
        (json!({ "prompt": "hello", "provider": "gone" }), "bad-args", "no [provider.gone]"),
        (json!({ "prompt": "hello", "provider": "nameless" }), "bad-args", "provider.nameless.model"),
        (json!({ "prompt": "hello", "provider": "other" }), "denied", "no such llm"),
        (json!({ "prompt": "hello", "messages": [] }), "bad-args", "is empty"),
        (json!({}), "bad-args", "either `prompt` or `messages`"),
    ] {
        let error = asking.cloud(args.clone()).await.unwrap_err();
        assert_eq!(error.code(), code, "{args}: {error}");
        assert!(error.to_string().contains(said), "{args}: {error}");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
}
