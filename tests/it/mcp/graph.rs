//! The nine tools of the reference memory server, over the fleet's memory.

use super::{Agent, names, peer, request};
use crate::support::Daemon;
use serde_json::{Value, json};

fn graph(daemon: &Daemon) -> Agent {
    Agent::greeted(daemon, &["--compat", "server-memory"], None)
}

fn entity(name: &str, observations: &[&str]) -> Value {
    json!({ "name": name, "entityType": "person", "observations": observations })
}

fn relation(from: &str, to: &str) -> Value {
    json!({ "from": from, "to": to, "relationType": "knows" })
}

#[tokio::test]
async fn a_graph_is_built_searched_and_taken_apart() {
    let daemon = Daemon::start().await;
    let mut agent = graph(&daemon);
    assert_eq!(
        agent.tools(),
        [
            "create_entities",
            "create_relations",
            "add_observations",
            "delete_entities",
            "delete_observations",
            "delete_relations",
            "read_graph",
            "search_nodes",
            "open_nodes"
        ]
    );
    let all = json!({ "entities": [entity("Ann", &["likes tea", "digs"]), entity("Bob", &[])] });
    assert_eq!(agent.call("create_entities", all.clone()), all);
    assert_eq!(agent.call("create_entities", all.clone()), json!({ "entities": [] }), "they are there already");
    let knows = json!({ "relations": [relation("Ann", "Bob")] });
    assert_eq!(agent.call("create_relations", knows.clone()), knows);
    let more = json!({ "observations": [{ "entityName": "Bob", "contents": ["sings", "sings"] }] });
    let added = json!({ "results": [{ "entityName": "Bob", "addedObservations": ["sings"] }] });
    assert_eq!(agent.call("add_observations", more), added);
    let none = json!({ "observations": [{ "entityName": "Bob", "contents": ["x"] }, { "entityName": "Eve", "contents": ["x"] }] });
    let refusal = agent.call("add_observations", none);
    assert_eq!(refusal["error"]["message"], "Entity with name Eve not found");
    let whole = json!({ "entities": [entity("Ann", &["likes tea", "digs"]), entity("Bob", &["sings"])], "relations": [relation("Ann", "Bob")] });
    assert_eq!(agent.call("read_graph", json!({})), whole, "nothing of a refused call was kept");
    let bob = json!({ "entities": [entity("Bob", &["sings"])], "relations": [relation("Ann", "Bob")] });
    assert_eq!(agent.call("search_nodes", json!({ "query": "SING" })), bob);
    assert_eq!(agent.call("open_nodes", json!({ "names": ["Bob", "Eve"] })), bob);
    let less = json!({ "deletions": [{ "entityName": "Ann", "observations": ["digs", "flies"] }] });
    assert_eq!(agent.call("delete_observations", less)["success"], true);
    assert_eq!(agent.call("delete_relations", knows)["success"], true);
    assert_eq!(agent.call("delete_entities", json!({ "entityNames": ["Bob", "Eve"] }))["success"], true);
    let left = json!({ "entities": [entity("Ann", &["likes tea"])], "relations": [] });
    assert_eq!(agent.call("read_graph", json!({})), left);
    // It is memory as any other: found by its words, kept over daemons.
    let found = daemon.ask(&["memory", "search", "tea"]);
    assert!(found.to_string().contains("likes tea"), "{found}");
    drop(agent);
    daemon.signal(rustix::process::Signal::TERM);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    assert_eq!(graph(&daemon).call("read_graph", json!({})), left);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_place() {
    let daemon = Daemon::start().await;
    let mut agent = graph(&daemon);
    for (tool, args, words) in [
        ("create_entities", json!({}), "`entities` is missing"),
        ("create_entities", json!({ "entities": [{ "name": "x" }] }), "`entities[0].entityType` is missing"),
        ("create_relations", json!({ "relations": [1] }), "`relations[0]` is not an object"),
        ("open_nodes", json!({ "names": "x" }), "`names` is not a list"),
        ("search_nodes", json!({}), "`query` is missing"),
        ("read_graph", json!({ "limit": 1 }), "`limit` is no argument; there are none"),
        (
            "create_entities",
            json!({ "entities": [entity(&"x".repeat(65_000), &["y".repeat(65_000).as_str()])] }),
            "bytes",
        ),
    ] {
        let refusal = agent.call(tool, args);
        assert!(
            refusal["error"]["message"].as_str().is_some_and(|message| message.contains(words)),
            "{words}: {refusal}"
        );
    }
    assert_eq!(agent.call("read_graph", json!({})), json!({ "entities": [], "relations": [] }));
    assert_eq!(agent.call("memory_add", json!({}))["error"]["code"], "unknown-tool");
}

/// Where whoever comes last writes the whole file, the others' words are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_write_at_once_nobody_loses_a_word() {
    const WRITERS: usize = 8;
    const WORDS: usize = 10;
    let daemon = Daemon::start().await;
    let ann = peer(&daemon, "ann");
    let post = |tool: &str, args: Value| {
        let (target, headers) =
            (format!("/v1/tools/{tool}?set=server-memory"), format!("host: x\r\nauthorization: Bearer {ann}\r\n"));
        let (status, answer) = request(&daemon, "POST", &target, &headers, args.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        answer["data"]["structuredContent"].clone()
    };
    let made: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let made = post("create_entities", json!({ "entities": [entity("Ann", &[])] }));
                    for word in 0..WORDS {
                        let contents = [format!("{writer} says {word}"), format!("all say {word}")];
                        post(
                            "add_observations",
                            json!({ "observations": [{ "entityName": "Ann", "contents": contents }] }),
                        );
                    }
                    made["entities"].as_array().unwrap().len()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(made, 1, "one of them made it");
    let graph = post("read_graph", json!({}));
    let observations = graph["entities"][0]["observations"].as_array().unwrap();
    assert_eq!((graph["entities"].as_array().unwrap().len(), observations.len()), (1, WRITERS * WORDS + WORDS));
    let items = daemon.ask(&["memory", "list", "--tag", "graph", "--limit", "1000"]);
    let items = items["items"].as_array().unwrap();
    assert_eq!(items.len(), 1 + WRITERS * WORDS + WORDS, "and nothing is there twice");
    assert!(items.iter().all(|item| item["source"] == "shell-ann"));
    let (_, listed) = request(&daemon, "GET", "/v1/tools?set=server-memory", "host: x\r\n", b"");
    assert_eq!(names(&listed["data"]).len(), 9);
}
