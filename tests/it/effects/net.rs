//! Connections and models through the real daemon, with variables that would lead them elsewhere.

use super::{audit, call, err, ok, policy, root};
use crate::support::{Daemon, http};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Answers each connection with this body, for as long as the test's process lives, and notes what it was asked.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answering(body: &'static str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let port = http::site(move |head| {
            noted.lock().unwrap().push(head.to_owned());
            ("200 OK", body)
        });
        Self { port, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

const KEY: &str = "sk-of-the-operator";
const SAID: &str = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;

#[tokio::test]
async fn no_proxy_of_the_environment_sees_anything_and_a_key_reaches_its_provider_alone() {
    let (proxy, site, model) = (Server::answering("proxy"), Server::answering("site"), Server::answering(SAID));
    let at = |server: &Server| format!("http://127.0.0.1:{}", server.port);
    let mut root = root();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        root = root.env_also(name, at(&proxy));
    }
    root = root.env_also("OPENAI_BASE_URL", format!("{}/v1", at(&model))).env_also("OPENAI_API_KEY", KEY);
    let granted = format!(
        "[allow]\neffects = [\"net.connect\", \"env\", \"proc\", \"llm:openai\"]\n[scope]\nnet = [{:?}]\nenv = \"any\"\n\
         [program.env]\npath = \"/usr/bin/env\"\nargs = [[]]\n",
        at(&site)
    );
    policy(&root, "worker", &granted);
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["create", "bob", "--policy", "worker", "--", "sleep", "60"]).tells(&["created"]);

    assert_eq!(ok(&daemon, "net.get", &json!({ "url": format!("{}/a", at(&site)) })), "site");
    let answer = ok(&daemon, "http.get", &json!({ "url": at(&site) }));
    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("site")));
    assert_eq!(err(&daemon, "net.get", &json!({ "url": at(&proxy) })), (4, "denied".into()));
    assert_eq!(err(&daemon, "net.get", &json!({ "url": "http://u@127.0.0.1/" })), (2, "bad-args".into()));

    let asked = json!({ "prompt": "hello", "model": "m" });
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 1 });
    let said = json!({ "text": "hi", "usage": usage, "truncated": false });
    assert_eq!(ok(&daemon, "agent.cloud_complete", &asked), said);
    assert!(model.seen()[0].contains(&format!("authorization: Bearer {KEY}\r\n")), "{:?}", model.seen());
    assert_eq!(err(&daemon, "agent.local_complete", &asked), (4, "denied".into()));
    assert_eq!(err(&daemon, "env.get", &json!({ "name": "OPENAI_API_KEY" })), (4, "denied".into()));
    let (_, environment) = call(&daemon, "proc.spawn", &json!({ "program": "env", "args": [] }));
    let shown = format!("{environment}{}{}", daemon.words(), daemon.read("effects/audit.log"));
    assert!(!shown.contains(KEY), "{shown}");

    assert_eq!((proxy.seen().len(), site.seen().len()), (0, 2));
    let outcomes = audit(&daemon).into_iter().filter(|line| line["ev"] == "outcome" && line["llm_tokens"] == 4);
    assert_eq!(outcomes.count(), 1);
}
