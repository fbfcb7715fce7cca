//! The protocol before a box of tools, in one process: what a client gets to see, whatever it says.

use super::{
    Refusal, Server, ToolSet, Toolbox,
    answer::{self, Given},
    tool::Row,
};
use rmcp::{
    ServiceExt,
    model::{CallToolRequestParams, JsonObject, Tool},
    transport::async_rw::AsyncRwTransport,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex, split};

/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest line that the server under test takes, bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Tools that say what they were given.
struct Echo;

impl Toolbox for Echo {
    async fn list(&self) -> Vec<Tool> {
        ToolSet::Fleet.rows().into_iter().map(Row::tool).collect()
    }

    async fn call(&self, name: String, args: JsonObject) -> Given {
        match name.as_str() {
            "peers" => answer::value(&json!({ "given": args })),
            "inbox" => std::future::pending().await,
            _ => Err(Refusal::new("unknown-tool", format!("there is no tool {name:?}"), "")),
        }
    }
}

/// A client that writes lines.
struct Wire {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

impl Wire {
    fn open() -> Self {
        let (client, server) = duplex(1024 * 1024);
        tokio::spawn(async move {
            let (reader, writer) = split(server);
            let transport = AsyncRwTransport::new_server(reader, writer).with_max_line_length(LINE_BYTES_MAX);
            if let Ok(running) = Server::new(Echo, ToolSet::Fleet).serve(transport).await {
                let _ended = running.waiting().await;
            }
        });
        let (reader, writer) = split(client);
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    async fn initialized() -> Self {
        let mut wire = Self::open();
        wire.greet(1).await;
        wire
    }

    async fn greet(&mut self, id: u64) {
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let answer = self.ask(id, "initialize", params).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "coalmine", "{answer}");
        self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    }

    async fn say(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
    }

    async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("an answer in time").unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The answer to a request, whatever came before it.
    async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()).await;
        loop {
            let answer = self.next().await.expect("the server goes on");
            if answer["id"] == id {
                return answer;
            }
        }
    }

    async fn works(&mut self, id: u64) {
        let answer = self.ask(id, "tools/call", json!({ "name": "peers", "arguments": { "a": 1 } })).await;
        assert_eq!(answer["result"]["structuredContent"]["given"]["a"], 1, "{answer}");
    }
}

#[tokio::test]
async fn a_client_lists_and_calls_and_gets_value_and_text() {
    let (client, server) = duplex(64 * 1024);
    let serving =
        tokio::spawn(async move { Server::new(Echo, ToolSet::Fleet).serve(server).await.unwrap().waiting().await });
    let client = ().serve(client).await.unwrap();
    assert!(client.peer_info().unwrap().instructions.as_ref().unwrap().contains("send_to_peer"));
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 11);
    for tool in &tools {
        let hints = tool.annotations.as_ref().unwrap();
        assert!(hints.read_only_hint.is_some() && hints.destructive_hint.is_some(), "{}", tool.name);
        assert!(hints.idempotent_hint.is_some() && hints.open_world_hint == Some(false), "{}", tool.name);
        assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
        assert!(tool.description.as_ref().is_some_and(|about| about.len() > 20), "{}", tool.name);
    }
    let called = client.call_tool(CallToolRequestParams::new("peers")).await.unwrap();
    assert_eq!(called.structured_content, Some(json!({ "given": {} })));
    assert_eq!(called.content[0].as_text().unwrap().text, r#"{"given":{}}"#);
    client.cancel().await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_message_is_survived() {
    let mut wire = Wire::initialized().await;
    for (at, line) in [
        "",
        "{",
        "\u{0}",
        "nonsense",
        "[]",
        "{}",
        "[1,2]",
        r#"{"jsonrpc":"1.0"}"#,
        "\u{feff}{}",
        r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        wire.say(line).await;
        wire.works(100 + at as u64).await;
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_is_dropped_and_the_next_one_served() {
    let mut wire = Wire::initialized().await;
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"peers","arguments":{{"a":"{}"}}}}}}"#,
        "x".repeat(4 * LINE_BYTES_MAX)
    );
    wire.say(&long).await;
    wire.works(6).await;
}

#[tokio::test]
async fn unknown_methods_are_errors_of_the_protocol_and_unknown_tools_are_answers() {
    let mut wire = Wire::initialized().await;
    let answer = wire.ask(2, "tools/cal", json!({})).await;
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let answer = wire.ask(3, "tools/call", json!({ "name": "nonsense" })).await;
    assert_eq!(
        (&answer["result"]["isError"], &answer["result"]["structuredContent"]["error"]["code"]),
        (&json!(true), &json!("unknown-tool"))
    );
    let answer = wire.ask(4, "tools/call", json!({ "arguments": {} })).await;
    assert!(answer["error"].is_object(), "a call of nothing: {answer}");
    let answer = wire.ask(5, "tools/call", json!({ "name": "peers", "arguments": [] })).await;
    assert!(answer["error"].is_object(), "arguments that are no object: {answer}");
    wire.works(9).await;
}

#[tokio::test]
async fn a_call_that_is_called_off_is_dropped_and_nothing_else() {
    let mut wire = Wire::initialized().await;
    wire.say(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"inbox"}}"#).await;
    wire.works(8).await;
    wire.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"x"}}"#).await;
    wire.works(9).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_line_ends_the_server() {
    let mut wire = Wire::initialized().await;
    wire.writer.write_all(br#"{"jsonrpc":"2.0","id":7,"#).await.unwrap();
    wire.writer.shutdown().await.unwrap();
    assert_eq!(wire.next().await, None, "nothing more is said");
}

#[tokio::test]
async fn a_call_before_the_greeting_is_refused_and_the_greeting_still_taken() {
    let mut wire = Wire::open();
    let answer = wire.ask(1, "tools/call", json!({ "name": "peers", "arguments": { "a": 1 } })).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = wire.ask(2, "tools/list", json!({})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    wire.greet(3).await;
    wire.works(4).await;
}
