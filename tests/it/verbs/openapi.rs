//! `/v1/openapi.json`: a daemon answers as its own document says.

use crate::support::{Daemon, Root, http, kill};
use serde_json::{Value, json};
use std::path::Path;

/// What is wrong with `value` as an instance of `schema`: only what the document uses is understood.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return faults(document, document.pointer(&reference[1..]).unwrap(), value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| faults(document, choice, value, at).is_empty());
        return if fits { vec![] } else { vec![format!("{at}: {value} fits none of {choices:?}")] };
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return if allowed.contains(value) { vec![] } else { vec![format!("{at}: {value} is not among {allowed:?}")] };
    }
    let of = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wanted = &schema["type"];
    if !wanted.is_null() && *wanted != of && !wanted.as_array().is_some_and(|all| all.contains(&json!(of))) {
        return vec![format!("{at}: {value} is not {wanted}")];
    }
    match value {
        Value::Array(items) => {
            let schema_of = |index: usize| schema["prefixItems"].get(index).unwrap_or(&schema["items"]);
            let all = items.iter().enumerate();
            all.flat_map(|(index, item)| faults(document, schema_of(index), item, &format!("{at}/{index}"))).collect()
        }
        Value::Object(fields) if schema["properties"].is_object() => {
            let required = schema["required"].as_array().into_iter().flatten();
            let missing = required.filter(|key| !fields.contains_key(key.as_str().unwrap()));
            let mut found: Vec<_> = missing.map(|key| format!("{at}: {key} is missing")).collect();
            for (key, value) in fields {
                match schema["properties"].get(key) {
                    Some(schema) => found.extend(faults(document, schema, value, &format!("{at}/{key}"))),
                    None => found.push(format!("{at}: {key} is not documented")),
                }
            }
            found
        }
        _ => vec![],
    }
}

#[tokio::test]
async fn what_a_daemon_answers_is_what_its_document_says() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let document = document_of(&socket);
    let bob = daemon.sleeper("bob");
    kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    daemon.until("bob", "is on record", |_| !daemon.ask(&["deaths", "bob"]).as_array().unwrap().is_empty()).await;
    daemon.until("bob", "is up", |peer| peer["gen"] == 2 && peer["phase"] == "up").await;
    let ann = json!({ "name": "ann", "cwd": daemon.folder(), "command": ["sleep", "60"], "restart": "never" });
    let name = "/v1/peers/{name}";
    for (method, path, target, body) in [
        ("get", "/v1/status", "/v1/status", Value::Null),
        ("post", "/v1/plan", "/v1/plan", json!([ann, { "name": "Bad", "cwd": "/" }])),
        ("post", "/v1/peers", "/v1/peers", ann),
        ("get", "/v1/peers", "/v1/peers", Value::Null),
        ("get", name, "/v1/peers/bob", Value::Null),
        ("get", "/v1/peers/{name}/explain", "/v1/peers/bob/explain", Value::Null),
        ("get", "/v1/peers/{name}/wait", "/v1/peers/bob/wait?for=up", Value::Null),
        ("get", "/v1/peers/{name}/capture", "/v1/peers/bob/capture", Value::Null),
        ("get", "/v1/deaths", "/v1/deaths", Value::Null),
        ("post", "/v1/peers/{name}/ready", "/v1/peers/shell-bob/ready", json!({ "gen": 2 })),
        ("post", "/v1/peers/{name}/restart", "/v1/peers/bob/restart", Value::Null),
        ("post", "/v1/peers/{name}/stop", "/v1/peers/bob/stop", Value::Null),
        ("post", "/v1/peers/{name}/reset", "/v1/peers/bob/reset", Value::Null),
        ("post", "/v1/peers/{name}/start", "/v1/peers/bob/start", Value::Null),
        ("delete", name, "/v1/peers/bob?force=true", Value::Null),
        ("post", "/v1/shutdown", "/v1/shutdown", json!({ "peers": false })),
    ] {
        answers_as_documented(&socket, &document, method, path, target, body);
    }
}

#[tokio::test]
async fn the_memory_answers_as_the_document_says_on_every_route_of_it() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let document = document_of(&socket);
    let fact = json!({ "kind": "fact", "content": "the mine has two shafts", "tags": ["mine"], "source": "bob" });
    let item = "/v1/memory/items/{id}";
    let requests = [
        ("post", "/v1/memory/items", "/v1/memory/items", fact.clone()),
        ("post", "/v1/memory/import", "/v1/memory/import", json!([fact, { "kind": "dream", "content": "x" }])),
        ("get", "/v1/memory/items", "/v1/memory/items?query=%7B%22limit%22:1%7D", Value::Null),
        ("get", item, "/v1/memory/items/1", Value::Null),
        ("get", "/v1/memory/search", "/v1/memory/search?words=shaft*&limit=5", Value::Null),
        ("delete", item, "/v1/memory/items/1", Value::Null),
        ("get", "/v1/memory/stats", "/v1/memory/stats", Value::Null),
        ("get", "/v1/memory/export", "/v1/memory/export?after=0", Value::Null),
        ("post", "/v1/memory/compact", "/v1/memory/compact", json!({})),
        ("get", "/v1/memory/verify", "/v1/memory/verify", Value::Null),
    ];
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, methods) in paths.filter(|(path, _)| path.starts_with("/v1/memory/")) {
        for method in methods.as_object().unwrap().keys() {
            assert!(requests.iter().any(|request| (request.0, request.1) == (method, path)), "{method} {path}");
        }
    }
    for (method, path, target, body) in requests {
        if path.ends_with("/verify") {
            // A damaged line, so that there is something to document.
            let file = std::fs::File::options().append(true).open(daemon.paths().memory());
            std::io::Write::write_all(&mut file.unwrap(), b"{\"id\":900,\n").unwrap();
        }
        answers_as_documented(&socket, &document, method, path, target, body);
    }
}

#[tokio::test]
async fn the_memory_provider_answers_as_the_document_says() {
    let agent = "[runtime.agent]\nkind = \"agent\"\nargv = [\"sleep\", \"60\"]\n";
    let daemon = Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", agent)])).await;
    let socket = daemon.paths().daemon_socket();
    let document = document_of(&socket);
    let command = json!({ "command": "/bin/sh", "args": ["-c", "echo x >&2; kill -9 $$", "{cwd}"] });
    crate::provisioner::declare(&daemon, json!({ "provision": command, "unprovision": 7, "heartbeat": "/no/beat" }));
    let bob = json!({ "name": "bob", "cwd": daemon.folder(), "runtime": "agent" });
    let (sweep, name) = ("/v1/memory-plugin/{id}", "/v1/peers/{name}");
    for (method, path, target, body) in [
        ("get", "/v1/status", "/v1/status", Value::Null),
        ("post", "/v1/peers", "/v1/peers", bob),
        ("post", "/v1/memory-plugin", "/v1/memory-plugin", json!({ "direction": "on", "peer": "bob" })),
        ("get", sweep, "/v1/memory-plugin/1?known=0&wait_ms=20000", Value::Null),
        ("delete", sweep, "/v1/memory-plugin/1", Value::Null),
        ("delete", name, "/v1/peers/bob", Value::Null),
    ] {
        answers_as_documented(&socket, &document, method, path, target, body);
    }
    let (status, _) = ask(&socket, "POST", "/v1/memory-plugin", &json!({ "direction": "on" }));
    assert_eq!(status, 400, "neither one peer nor all");
}

#[tokio::test]
async fn the_attachments_answer_as_the_document_says_on_every_route_of_them() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let document = document_of(&socket);
    let put = http::request("PUT", "/v1/attachments?label=a%20note&width=3&height=4&commit=false", b"some words");
    let (status, put) = http::talk(&socket, &put);
    assert_eq!(status, 200, "{put}");
    let schema = &document["paths"]["/v1/attachments"]["put"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(faults(&document, &schema["schema"], &put, "put"), Vec::<String>::new(), "{put}");
    let id = put["data"]["id"].as_str().unwrap();
    let (one, meta) = (format!("/v1/attachments/{id}"), format!("/v1/attachments/{id}/meta"));
    let read = http::answer(&socket, &http::request("GET", &one, b""));
    assert!(read.starts_with("HTTP/1.1 200") && read.ends_with("some words"), "{read}");
    let ids = json!({ "session": "operator", "ids": [id] });
    let requests = [
        ("post", "/v1/attachments/commit", "/v1/attachments/commit", ids),
        ("get", "/v1/attachments", "/v1/attachments?session=operator&limit=5", Value::Null),
        ("get", "/v1/attachments/{id}/meta", meta.as_str(), Value::Null),
        (
            "post",
            "/v1/attachments/adopt",
            "/v1/attachments/adopt",
            json!({ "parent": "operator", "child": "shell-bob" }),
        ),
        ("get", "/v1/attachments/verify", "/v1/attachments/verify", Value::Null),
        ("delete", "/v1/attachments/{id}", one.as_str(), Value::Null),
        ("post", "/v1/attachments/release", "/v1/attachments/release", json!({ "session": "operator" })),
        ("post", "/v1/attachments/gc", "/v1/attachments/gc", json!({ "grace_ms": 0 })),
        ("get", "/v1/status", "/v1/status", Value::Null),
    ];
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, methods) in paths.filter(|(path, _)| path.starts_with("/v1/attachments")) {
        for method in methods.as_object().unwrap().keys() {
            let as_bytes = [("put", "/v1/attachments"), ("get", "/v1/attachments/{id}")];
            let asked = requests.iter().any(|request| (request.0, request.1) == (method, path));
            assert!(asked || as_bytes.contains(&(method, path)), "{method} {path}");
        }
    }
    for (method, path, target, body) in requests {
        answers_as_documented(&socket, &document, method, path, target, body);
    }
}

#[tokio::test]
async fn the_mailroom_answers_as_the_document_says_on_every_route_of_it() {
    let daemon = Daemon::on(crate::mail::root()).await;
    crate::mail::peer(&daemon, "bob");
    let socket = daemon.paths().daemon_socket();
    let document = document_of(&socket);
    let put = http::request("PUT", "/v1/attachments?label=a%20map", b"some words");
    let (_, put) = http::talk(&socket, &put);
    let body = json!({
        "to": "bob", "body": "hello", "topic": "the build", "idempotency_key": "k", "attachments": [put["data"]["id"]],
        "expires_at": "2126-01-01T00:00:00Z"
    });
    let (status, sent) = ask(&socket, "POST", "/v1/messages?until=submitted&wait_ms=20000", &body);
    assert_eq!((status, &sent["data"]["state"]), (200, &json!("submitted")), "{sent}");
    daemon.sleeper("sh");
    let refused = json!({ "to": "sh", "body": "x" });
    crate::mail::works(&daemon, "bob").await;
    let (_, waits) = ask(&socket, "POST", "/v1/messages", &json!({ "to": "bob", "body": "waits" }));
    let one = format!("/v1/messages/{}", sent["data"]["id"].as_str().unwrap());
    let other = format!("/v1/messages/{}", waits["data"]["id"].as_str().unwrap());
    let seen = format!("{one}/seen");
    let requests = [
        ("post", "/v1/messages", "/v1/messages", refused),
        ("post", "/v1/messages", "/v1/messages", body),
        ("get", "/v1/messages", "/v1/messages?to=bob&state=queued&limit=5", Value::Null),
        ("get", "/v1/messages/{id}", one.as_str(), Value::Null),
        ("post", "/v1/messages/{id}/seen", seen.as_str(), Value::Null),
        ("delete", "/v1/messages/{id}", other.as_str(), Value::Null),
        ("get", "/v1/peers/{name}/inbox", "/v1/peers/bob/inbox?limit=2", Value::Null),
        ("post", "/v1/peers/{name}/interrupt", "/v1/peers/bob/interrupt", Value::Null),
    ];
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, methods) in paths.filter(|(path, _)| path.starts_with("/v1/messages")) {
        for method in methods.as_object().unwrap().keys() {
            assert!(requests.iter().any(|request| (request.0, request.1) == (method, path)), "{method} {path}");
        }
    }
    for (method, path, target, body) in requests {
        answers_as_documented(&socket, &document, method, path, target, body);
    }
}

#[tokio::test]
async fn the_tools_answer_as_the_document_says() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let document = document_of(&socket);
    let fact = json!({ "kind": "fact", "content": "the mine has two shafts" });
    let one = "/v1/tools/{name}";
    for (method, path, target, body) in [
        ("get", "/v1/tools", "/v1/tools", Value::Null),
        ("get", "/v1/tools", "/v1/tools?set=server-memory", Value::Null),
        ("post", one, "/v1/tools/memory_add?wait_ms=1000", fact),
        ("post", one, "/v1/tools/memory_get", json!({ "id": 77 })),
        ("post", one, "/v1/tools/read_graph?set=server-memory", json!({})),
    ] {
        answers_as_documented(&socket, &document, method, path, target, body);
    }
}

fn ask(socket: &Path, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http::talk(socket, &http::request(method, target, body.as_bytes()))
}

fn document_of(socket: &Path) -> Value {
    let (status, document) = ask(socket, "GET", "/v1/openapi.json", &Value::Null);
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    document
}

fn answers_as_documented(socket: &Path, document: &Value, method: &str, path: &str, target: &str, body: Value) {
    let (status, answer) = ask(socket, &method.to_uppercase(), target, &body);
    assert_eq!(status, 200, "{target}: {answer}");
    let schema = &document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} has no schema");
    assert_eq!(faults(document, schema, &answer, path), Vec::<String>::new(), "{answer}");
}

#[tokio::test]
async fn a_refusal_is_documented_too() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let (_, document) = http::talk(&socket, &http::request("GET", "/v1/openapi.json", b""));
    let (status, answer) = http::talk(&socket, &http::request("GET", "/v1/peers/nobody", b""));
    let schema = json!({ "$ref": "#/components/schemas/ErrorEnvelope" });
    assert_eq!((status, faults(&document, &schema, &answer, "")), (404, vec![]), "{answer}");
}
