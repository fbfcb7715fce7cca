//! Servers by an url, played by a small one on this host.

use super::{Fair, LONG, text_of, until};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use coalmine_actors::effects::{
    EffectError,
    policy::{McpGrant, McpServer},
    scope::Scope,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{net::TcpListener, task::JoinSet};

/// What was asked: the message, and the session and the version that were named.
type Asked = (Value, Option<String>, Option<String>);

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Asked>>>);

/// A server, gone when it is dropped.
struct Place {
    url: String,
    seen: Seen,
    _serving: JoinSet<()>,
}

impl Place {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let seen = Seen::default();
        let app = Router::new().fallback(answer).with_state(seen.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen, _serving: serving }
    }

    fn fair(&self) -> Fair {
        let mut fair = Fair::new();
        let grant = McpGrant { at: McpServer::Url(self.url.clone()), tools: Scope::Any, timeout: LONG };
        fair.policy.mcp.insert("it".into(), grant);
        fair
    }

    fn asked(&self, method: &str) -> Vec<Asked> {
        let seen = self.seen.0.lock().unwrap();
        seen.iter().filter(|(message, ..)| message["method"] == method).cloned().collect()
    }
}

fn reply(id: &Value, result: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

fn message(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}

async fn answer(State(seen): State<Seen>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let asked = serde_json::from_slice(&body).unwrap_or_else(|_| json!({ "method": method.as_str() }));
    seen.0.lock().unwrap().push((asked.clone(), told("mcp-session-id"), told("mcp-protocol-version")));
    let id = &asked["id"];
    let say = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
    match (asked["method"].as_str(), asked["params"]["name"].as_str()) {
        (Some("initialize"), _) => {
            let begun = json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                "serverInfo": { "name": "it", "version": "1" } });
            ([("mcp-session-id", "s1")], message(reply(id, begun))).into_response()
        }
        (Some("tools/list"), _) => {
            let tool = |name| json!({ "name": name, "inputSchema": { "type": "object" } });
            let tools = ["plain", "stream", "expired", "page"].map(tool);
            message(reply(id, json!({ "tools": tools })))
        }
        (Some("tools/call"), Some("plain")) => message(reply(id, say("plain"))),
        (Some("tools/call"), Some("stream")) => {
            let announced = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
            let asks = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
            let events = format!(
                ": hello\n\ndata: {announced}\n\ndata: {asks}\n\nevent: message\ndata: {}\n\n",
                reply(id, say("stream"))
            );
            ([(CONTENT_TYPE, "text/event-stream")], events).into_response()
        }
        (Some("tools/call"), Some("expired")) => (StatusCode::NOT_FOUND, "no such session").into_response(),
        (Some("tools/call"), Some("page")) => ([(CONTENT_TYPE, "text/html")], "<html>").into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

#[tokio::test]
async fn a_server_by_an_url_is_called_in_one_session_and_told_when_that_is_over() {
    let place = Place::open().await;
    let fair = place.fair();
    let session = fair.session();
    assert_eq!(text_of(&session.call("plain").await.unwrap()), "plain");
    let done = session.done("it", "stream", json!({})).await.unwrap();
    assert_eq!(done.sandbox, None, "nothing of it runs here");
    assert_eq!(text_of(&done.output.into_json()), "stream");
    assert_eq!(place.asked("initialize").len(), 1);
    let calls = place.asked("tools/call");
    assert!(
        calls.iter().all(|(_, session, version)| {
            (session.as_deref(), version.as_deref()) == (Some("s1"), Some("2025-06-18"))
        })
    );
    // Its ping has the number of our call, and is answered all the same.
    let answers = || place.seen.0.lock().unwrap().iter().filter(|(message, ..)| message["result"] == json!({})).count();
    until("its ping is answered", || answers() == 1).await;
    drop(session);
    until("it is told", || place.asked("DELETE").len() == 1).await;
}

#[tokio::test]
async fn what_fails_is_told_and_the_next_call_begins_anew() {
    let place = Place::open().await;
    let fair = place.fair();
    let session = fair.session();
    let expired = session.call("expired").await.unwrap_err();
    assert_eq!(expired, EffectError::Status { status: 404, body: "no such session".into() });
    let page = session.call("page").await.unwrap_err();
    assert_eq!(page.code(), "protocol");
    session.call("plain").await.unwrap();
    assert_eq!(place.asked("initialize").len(), 3);
}

#[tokio::test]
async fn nobody_there_is_an_error_of_the_network() {
    let place = Place::open().await;
    let fair = place.fair();
    drop(place);
    assert_eq!(fair.session().call("plain").await.unwrap_err().code(), "network");
}
