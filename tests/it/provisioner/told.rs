//! What people are told of the slot.

use super::{House, field};
use crate::support::{Root, names_in};
use serde_json::json;

#[tokio::test]
async fn status_tells_who_keeps_the_memory_and_of_its_heartbeat() {
    let house = House::new("").await;
    house.coalmine(&["status"]).tells(&["memory slot", "none"]);
    let beat = house.folder().join("beat");
    house.declare(json!({ "heartbeat": beat }));
    house.coalmine(&["status"]).tells(&["mem 1.2.0; daemon not running: no heartbeat file"]);
    std::fs::write(&beat, "").unwrap();
    house.coalmine(&["status"]).tells(&["mem 1.2.0, heartbeat "]);
    let slot = &house.ask(&["status"])["memory_slot"];
    assert_eq!(
        (&slot["provider"]["package"], &slot["provider"]["heartbeat"]["path"]),
        (&json!("mem-package"), &json!(beat))
    );
    assert!(slot["provider"]["heartbeat"]["at"].is_string());
}

#[tokio::test]
async fn what_is_dropped_is_told_by_status_and_doctor_and_once_in_the_journal() {
    let house = House::new("").await;
    house.declare(json!({ "provision": { "command": "iapeer-memory", "args": [] } }));
    let problem = "provision: command \"iapeer-memory\" is not absolute";
    house.coalmine(&["status"]).tells(&[problem]);
    house.make("bob");
    assert!(house.coalmine(&["doctor"]).out.contains(problem));
    house.declare(json!({ "provision": { "command": "iapeer-memory", "args": [] }, "unprovision": 1 }));
    house.make("ann");
    let events = house.until_events("memory-slot", 2).await;
    assert_eq!(events.len(), 2, "once for each version of the file");
    assert_eq!(field(&events[0], "problems"), problem);
    assert!(field(&events[1], "problems").contains("unprovision: it must be an object"), "{}", events[1]);
    std::fs::write(house.path().join("memory-provider.json"), vec![b' '; 1024 * 1024 + 1]).unwrap();
    house.coalmine(&["status"]).tells(&["none", "declaration: it has 1048577 bytes"]);
}

#[test]
fn without_a_daemon_the_file_is_read_and_nothing_made() {
    let root = Root::new();
    super::declare(&root, json!({ "plugin": { "name": "" } }));
    let said = root.coalmine(&["status"]);
    said.tells(&["mem 1.2.0", "plugin: name must be text that is not empty"]);
    assert!(root.coalmine(&["doctor"]).out.contains("mem 1.2.0"));
    assert_eq!(names_in(root.path()), ["memory-provider.json"]);
    assert_eq!(root.coalmine(&["memory-plugin", "on", "--all"]).code, 69);
}

#[tokio::test]
async fn doctor_names_a_command_that_can_not_be_run() {
    let house = House::new("").await;
    house.declare(json!({ "provision": { "command": "/no/such/provider", "args": [] } }));
    let said = house.coalmine(&["doctor"]);
    assert!(said.out.contains("provision: command not found or not executable: /no/such/provider"), "{said:?}");
    assert!(said.out.contains("unprovision: not declared"), "{said:?}");
}
