//! Births and removals: the provider is called in its place, and hinders nobody.

use super::{House, field};
use crate::support::{Daemon, Root, alive, eventually};
use rustix::process::Signal;
use serde_json::json;

#[tokio::test]
async fn each_agent_runtime_is_provisioned_once_with_its_own_argv() {
    let house = House::new("echo done >&2").await;
    house.declare_both();
    let born = house.make("bob");
    assert_eq!((&born["provision"][0]["runtime"], &born["provision"][0]["state"]), (&json!("agent"), &json!("ok")));
    assert_eq!(born["provision"][0]["detail"], "done");
    house.ask(&["create", "bob", "--runtime", "other"]);
    assert_eq!(house.make("bob").get("provision"), None, "nothing is new");
    house.coalmine(&["remove", "bob"]).tells(&["bob is removed", "memory unprovision: agent:ok, other:ok"]);
    let calls = ["on bob agent birth", "on bob other birth", "off bob agent remove", "off bob other remove"];
    assert_eq!(house.calls(), calls.map(|call| house.call(call)));
    let events = house.until_events("memory-provision", 4).await;
    let told: Vec<_> = ["identity", "occasion", "state", "exit"].map(|key| field(&events[2], key)).into();
    assert_eq!(told, ["agent-bob", "remove", "ok", "0"]);
    assert!(field(&events[0], "argv").contains("/provider on bob agent birth --cwd="), "{}", events[0]);
}

#[tokio::test]
async fn a_birth_succeeds_though_the_command_fails_and_names_the_repair() {
    let house = House::new("echo no disk left >&2; exit 3").await;
    house.declare_both();
    let said = house.coalmine(&["create", "bob", "--runtime", "agent"]);
    said.tells(&["created: agent-bob"]);
    for words in ["FAILED", "no disk left", "coalmine memory-plugin on --peer bob"] {
        assert!(said.err.contains(words), "{words:?} is not in {said:?}");
    }
    house.coalmine(&["start", "bob"]).tells(&["agent-bob is up"]);
    let removed = house.ask(&["remove", "bob", "--force"]);
    let run = &removed["unprovision"][0];
    assert_eq!(
        (&run["state"], &run["exit_code"], &run["detail"]),
        (&json!("failed"), &json!(3), &json!("no disk left"))
    );
}

#[tokio::test]
async fn a_provider_that_hangs_delays_a_birth_by_its_deadline_and_nobody_else() {
    let house = House::with("[provision]\ntimeout = \"700ms\"", "exec sleep 3600").await;
    house.declare_both();
    let command = house.command(&["--json", "create", "bob", "--runtime", "agent"]);
    let making = tokio::task::spawn_blocking(move || crate::support::Said::of(&mut { command }));
    eventually("the provider runs", || async { (house.calls().len() == 1).then_some(()) }).await;
    // Reserved, and not announced; the fleet goes on.
    assert_eq!(house.ask(&["list"]), json!([]));
    house.ask(&["create", "ann", "--", "sleep", "60"]);
    let said = making.await.unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    let run = &said.json()["data"]["provision"][0];
    assert_eq!((&run["state"], &run["detail"]), (&json!("timeout"), &json!("timed out after 700 ms")));
    assert_eq!(house.ask(&["list"]).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_peer_without_an_agent_calls_nobody_and_is_no_failure() {
    let house = House::new("").await;
    house.declare_both();
    let said = house.coalmine(&["create", "ann", "--", "sleep", "60"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let bob = house.ask(&["create", "bob", "--", "sleep", "60"]);
    assert_eq!(bob["provision"][0]["state"], "skipped-no-agentic-runtime");
    house.coalmine(&["memory-plugin", "on", "--peer", "bob"]).tells(&["skipped-no-agentic-runtime"]);
    assert_eq!(house.calls(), [""; 0]);
}

#[tokio::test]
async fn what_a_folder_is_called_reaches_the_provider_as_one_argument() {
    let house = House::new("test \"$PWD\" = \"${5#--cwd=}\"").await;
    house.declare_both();
    for (index, name) in ["{occasion}", "a$&b", "--help", "two\nlines"].into_iter().enumerate() {
        let folder = house.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        let cwd = folder.to_str().unwrap();
        let born = house.ask(&["create", &format!("p{index}"), "--runtime", "agent", "--cwd", cwd]);
        let run = &born["provision"][0];
        assert_eq!((&run["state"], &run["argv"][5]), (&json!("ok"), &json!(format!("--cwd={cwd}"))), "{run}");
    }
}

#[tokio::test]
async fn a_removal_that_a_daemons_death_cut_short_is_finished_with_the_provider() {
    let house = House::new("test -e go || { touch began; exec sleep 3600; }").await;
    house.make("bob");
    house.declare_both();
    let command = house.command(&["remove", "bob"]);
    let removing = tokio::task::spawn_blocking(move || crate::support::Said::of(&mut { command }));
    eventually("the provider runs", || async { house.folder().join("began").exists().then_some(()) }).await;
    assert!(house.path().join("peers/agent-bob").exists(), "nothing is purged yet");
    house.put("go", "");
    house.signal(Signal::KILL);
    let (_, root) = house.daemon.ended().await;
    assert_ne!(removing.await.unwrap().code, 0);
    let daemon = Daemon::on(root).await;
    eventually("bob is gone", || async { (!daemon.read("fleet.json").contains("\"bob\"")).then_some(()) }).await;
    let calls = daemon.read("provider.journal");
    assert_eq!(calls.matches("off|bob|agent|remove|").count(), 2, "{calls}");
    assert!(!daemon.path().join("peers/agent-bob").exists());
}

#[tokio::test]
async fn a_daemon_that_ends_takes_the_provider_that_runs_with_it() {
    let house = House::new("echo $$ >pid.new; mv pid.new pid; trap '' TERM; sleep 3600 & wait").await;
    house.declare_both();
    let command = house.command(&["create", "bob", "--runtime", "agent"]);
    let making = tokio::task::spawn_blocking(move || crate::support::Said::of(&mut { command }));
    let file = house.folder().join("pid");
    let pid =
        eventually("the provider runs", || async { std::fs::read_to_string(&file).ok()?.trim().parse().ok() }).await;
    assert!(alive(pid));
    house.signal(Signal::TERM);
    let (status, root) = house.daemon.ended().await;
    assert!(status.success());
    assert_ne!(making.await.unwrap().code, 0, "nobody says that bob was made");
    eventually("the provider is gone", || async { (!alive(pid)).then_some(()) }).await;
    let daemon = Daemon::on(root).await;
    assert_eq!(daemon.ask(&["list"]), json!([]), "who was half made is forgotten");
}

#[tokio::test]
async fn the_example_of_the_documents_works() {
    let house = House {
        daemon: Daemon::on(Root::with(&[(
            "home/.config/coalmine/config.toml",
            "[runtime.agent]\nkind = \"agent\"\nargv = [\"sleep\", \"3600\"]\n",
        )]))
        .await,
    };
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/memory-provider");
    let registered = std::process::Command::new(example).arg("register").arg(house.path()).status().unwrap();
    assert!(registered.success());
    house.coalmine(&["status"]).tells(&["notebook 1.0.0, heartbeat ", " ago"]);
    house.coalmine(&["doctor"]).out.find("notebook 1.0.0, heartbeat").unwrap();
    let born = house.make("bob");
    assert_eq!(born["provision"][0]["detail"], "notebook of bob is ready (birth)");
    let page = house.folder().join(".notebook/agent");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "bob is agent\n");
    house.coalmine(&["memory-plugin", "on", "--all"]).tells(&["bob  agent:ok"]);
    house.coalmine(&["remove", "bob"]).tells(&["memory unprovision: agent:ok"]);
    assert!(!page.parent().unwrap().exists());
}
