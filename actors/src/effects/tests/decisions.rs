use super::examples::{example, full, outside, request, with};
use crate::effects::{
    EffectError, Op, Policy, Request, decide,
    decide::is_secret,
    kind::{Grant, Kind},
    plan::{Decision, Plan},
    policy::Access,
    policy_file::parse,
    rule::{Never, Rule},
};
use serde_json::{Value, json};
use std::path::Path;

fn is_pure(op: Op) -> bool {
    op.row().needs.is_empty()
}

#[test]
fn an_empty_policy_denies_every_operation_but_the_pure_one() {
    for op in Op::ALL {
        let decision = decide(&Policy::none(), &request(*op));
        assert_eq!(decision.is_allowed(), is_pure(*op), "{op}: {decision:?}");
    }
    assert_eq!(Op::ALL.iter().filter(|op| is_pure(**op)).count(), 1);
}

#[test]
fn what_is_granted_is_allowed_and_without_any_one_of_its_kinds_it_is_not() {
    for op in Op::ALL {
        let decision = decide(&full(), &request(*op));
        assert!(decision.is_allowed(), "{op}: {decision:?}");
        for kind in op.row().needs {
            let mut policy = full();
            policy.allow.retain(|grant| grant.kind() != *kind);
            assert_eq!(*decide(&policy, &request(*op)).rule(), Rule::NotGranted(*kind), "{op} without {kind}");
        }
    }
}

#[test]
fn what_lies_outside_of_its_scope_is_denied() {
    let mut scoped = 0;
    for op in Op::ALL {
        for args in outside(*op) {
            let decision = decide(&full(), &Request::read(*op, args.clone()).unwrap());
            assert!(!decision.is_allowed(), "{op} {args}: {decision:?}");
            scoped += 1;
        }
    }
    assert!(scoped > 60, "{scoped}");
}

#[test]
fn a_scope_that_is_left_out_denies_what_its_kind_would_grant() {
    for op in Op::ALL.iter().filter(|op| !outside(**op).is_empty()) {
        let policy = Policy { allow: full().allow, ..Policy::default() };
        // Kinds that are granted by name reach no further than the name.
        let by_name = op.row().needs.iter().all(|kind| matches!(kind, Kind::Llm | Kind::A2a));
        assert_eq!(decide(&policy, &request(*op)).is_allowed(), by_name, "{op}");
    }
}

#[test]
fn a_setting_of_the_log_that_names_a_file_needs_to_write() {
    let mut policy = full();
    policy.allow.remove(&Grant::whole(Kind::FsWrite).unwrap());
    assert_eq!(*decide(&policy, &request(Op::LogSetSink)).rule(), Rule::NotGranted(Kind::FsWrite));
    let own = Request::read(Op::LogSetSink, json!({ "path": "-" })).unwrap();
    assert!(decide(&policy, &own).is_allowed());
}

#[test]
fn a_missing_a_mistyped_and_an_unknown_argument_are_told_by_name() {
    for op in Op::ALL {
        for arg in op.row().args {
            let mut without = example(*op);
            without.as_object_mut().unwrap().remove(arg.name);
            let read = Request::read(*op, without);
            assert_eq!(read.is_ok(), is_left_out(*op, arg.name, arg.optional), "{op} without {}: {read:?}", arg.name);
            if (arg.schema)() == json!({}) {
                continue; // any JSON is right
            }
            match Request::read(*op, with(*op, arg.name, json!([[[7]]]))) {
                Err(EffectError::BadArgs { which, .. }) => assert_eq!(which, arg.name, "{op}"),
                read => panic!("{op} with a list as {}: {read:?}", arg.name),
            }
        }
        match Request::read(*op, with(*op, "pth", json!(1))) {
            Err(EffectError::BadArgs { which, .. }) => assert_eq!(which, "pth", "{op}"),
            read => panic!("{op} with an unknown argument: {read:?}"),
        }
        for no_object in [json!([]), json!("x"), json!(1)] {
            assert_eq!(Request::read(*op, no_object).unwrap_err().code(), "bad-args", "{op}");
        }
    }
}

/// A completion needs one of the two, which of them is another matter.
fn is_left_out(op: Op, arg: &str, optional: bool) -> bool {
    optional && !(matches!(op, Op::AgentLocalComplete | Op::AgentCloudComplete) && matches!(arg, "prompt" | "messages"))
        || op == Op::AgentLocalComplete && arg == "messages"
        || op == Op::AgentCloudComplete && arg == "prompt"
}

#[test]
fn what_is_over_a_limit_is_refused_by_that_limit() {
    let mut limits = 0;
    for op in Op::ALL {
        for arg in op.row().args {
            let schema = (arg.schema)();
            // Limits of texts, lists and numbers, one over each; `oneOf` begins with the text.
            let schema = if schema["oneOf"].is_array() { &schema["oneOf"][0] } else { &schema };
            let over = |key: &str| schema[key].as_u64().filter(|max| *max < u64::from(u32::MAX)).map(|max| max + 1);
            let count = |key: &str| over(key).map(|count| usize::try_from(count).unwrap());
            let given = match (count("maxLength"), count("maxItems"), over("maximum")) {
                (Some(length), ..) => json!("/".repeat(length)),
                (_, Some(items), _) => Value::Array(vec![json!(""); items]),
                (_, _, Some(number)) if arg.shape != "port" => json!(number),
                _ => continue,
            };
            match Request::read(*op, with(*op, arg.name, given)) {
                Err(EffectError::Limit { which, .. }) => assert_eq!(which, arg.name, "{op}"),
                read => panic!("{op} with too much as {}: {read:?}", arg.name),
            }
            limits += 1;
        }
    }
    assert!(limits > 60, "{limits}");
}

#[test]
fn hostile_arguments_are_refused_before_anything_is_decided() {
    let long = json!(vec!["x".repeat(64 * 1024); 17]);
    for (op, args, which) in [
        (Op::IoRead, json!({ "path": "" }), "path"),
        (Op::IoRead, json!({ "path": "a" }), "path"),
        (Op::IoRead, json!({ "path": "/a\0b" }), "path"),
        (Op::IoRead, json!({ "path": null }), "path"),
        (Op::ProcSpawn, json!({ "program": "../git" }), "program"),
        (Op::ProcSpawn, json!({ "program": "/usr/bin/git" }), "program"),
        (Op::ProcSpawn, json!({ "program": "git", "args": ["a\0b"] }), "args"),
        (Op::ProcSpawn, json!({ "program": "git", "args": long }), "args"),
        (Op::ProcSpawn, json!({ "program": "git", "args": ["x".repeat(64 * 1024 + 1)] }), "args"),
        (Op::ProcessSpawn, json!({ "program": "git", "env": { "A=B": "" } }), "env"),
        (Op::ProcessKill, json!({ "handle": "0".repeat(32), "signal": "9" }), "signal"),
        (Op::ProcessKill, json!({ "handle": "0".repeat(31) }), "handle"),
        (Op::NetGet, json!({ "url": "https://a@secret-grant.example/" }), "url"),
        (Op::NetGet, json!({ "url": "file:///etc/passwd" }), "url"),
        (Op::HttpSend, json!({ "method": "GET", "url": "http://a/", "headers": [["A\r\nB", "x"]] }), "headers"),
        (Op::HttpSend, json!({ "method": "GET", "url": "http://a/", "headers": [["A", "x\r\nB: y"]] }), "headers"),
        (Op::HttpSend, json!({ "method": "get", "url": "http://a/" }), "method"),
        (Op::NetServe, json!({ "port": 0, "handler": { "function": "a" } }), "port"),
        (Op::NetServe, json!({ "port": 1, "handler": { "function": "a", "peer": "b" } }), "handler"),
        (Op::IoWrite, json!({ "path": "/a", "contents": { "base64": "%" } }), "contents"),
        (Op::RandIntIn, json!({ "lo": 2, "hi": 1 }), "hi"),
        (Op::RandIntIn, json!({ "lo": 0.5, "hi": 1 }), "lo"),
        (Op::RandIntIn, json!({ "lo": 0, "hi": u64::MAX }), "hi"),
        (Op::CryptoRandom, json!({ "n": -1 }), "n"),
        (Op::AgentLocalComplete, json!({ "prompt": "a", "messages": [] }), "messages"),
        (Op::AgentLocalComplete, json!({ "prompt": "a", "messages": [{ "role": "user", "content": "b" }] }), "prompt"),
        (Op::AgentLocalComplete, json!({}), "prompt"),
        (Op::SqlQuery, json!({ "handle": "0".repeat(32), "sql": "", "params": [u64::MAX] }), "params"),
    ] {
        match Request::read(op, args.clone()).unwrap_err() {
            EffectError::BadArgs { which: told, .. } | EffectError::Limit { which: told, .. } => {
                assert_eq!(told, which, "{op} {args}");
            }
            error => panic!("{op} {args}: {error:?}"),
        }
    }
}

#[test]
fn a_plan_names_the_deepest_root_and_the_way_beneath_it() {
    let policy =
        parse("p", "[allow]\neffects = [\"fs.read\"]\n[scope]\nfs_read = [\"/a\", \"/a/b\", \"/a/bc\"]").unwrap();
    let plan = |path: &str| match decide(&policy, &Request::read(Op::IoRead, json!({ "path": path })).unwrap()) {
        Decision::Allow(Plan::File(at), _) => (at.access, at.root, at.path),
        decision => panic!("{path}: {decision:?}"),
    };
    assert_eq!(plan("/a/b/c"), (Access::Read, 1, "c".into()));
    assert_eq!(plan("/a/bcd"), (Access::Read, 0, "bcd".into()));
    assert_eq!(plan("/a//b/./c/../d"), (Access::Read, 1, "c/../d".into()));
    assert_eq!(plan("/a/b"), (Access::Read, 1, "".into()));
}

#[test]
fn the_fleets_own_is_granted_to_nobody() {
    let mut policy =
        parse("p", "[allow]\neffects = [\"fs.read\", \"fs.write\"]\n[scope]\nfs_read = \"any\"\nfs_write = \"any\"")
            .unwrap();
    policy.never = vec!["/state/fleet".into()];
    let rule = |op, path: &str| decide(&policy, &Request::read(op, json!({ "path": path, })).unwrap()).rule().clone();
    for path in ["/state/fleet", "/state/fleet/policies/a.toml", "/state/./fleet/x", "/state/a/../fleet/x"] {
        assert_eq!(rule(Op::IoRead, path), Rule::Never(Never::FleetsOwn), "{path}");
    }
    // What is above it can be read, and not removed with it.
    assert!(decide(&policy, &Request::read(Op::IoRead, json!({ "path": "/state/other" })).unwrap()).is_allowed());
    assert_eq!(rule(Op::FsRemove, "/state"), Rule::Never(Never::FleetsOwn));
}

#[test]
fn a_secret_is_shown_to_nobody_whatever_the_scope() {
    let policy = parse("p", "[allow]\neffects = [\"env\"]\n[scope]\nenv = \"any\"").unwrap();
    for (name, secret) in [
        ("OPENAI_API_KEY", true),
        ("GITHUB_TOKEN", true),
        ("aws_secret_access_key", true),
        ("PGPASSWORD", true),
        ("DB_PASSWORD", true),
        ("COALMINE_TOKEN_FILE", true),
        ("SSH_AUTH_SOCK", true),
        ("LANG", false),
        ("KEYBOARD", false),
        ("XAUTHORITY", false),
    ] {
        let decision = decide(&policy, &Request::read(Op::EnvGet, json!({ "name": name })).unwrap());
        assert_eq!((is_secret(name), decision.is_allowed()), (secret, !secret), "{name}");
    }
}

#[test]
fn a_server_listens_for_this_host_alone_unless_an_address_is_named() {
    let listen = |net: &str| {
        let text = format!("[allow]\neffects = [\"net.listen\"]\n[scope]\nnet = {net}");
        match decide(&parse("p", &text).unwrap(), &request(Op::NetServe)) {
            Decision::Allow(Plan::Listen { address, .. }, _) => Some(address.to_string()),
            _ => None,
        }
    };
    assert_eq!(listen("\"any\"").as_deref(), Some("127.0.0.1"));
    assert_eq!(listen("[\"http://localhost:8080\"]").as_deref(), Some("127.0.0.1"));
    assert_eq!(listen("[\"http://[::1]:8080\"]").as_deref(), Some("::1"));
    assert_eq!(listen("[\"http://192.0.2.7:8080\"]").as_deref(), Some("192.0.2.7"));
    assert_eq!(listen("[\"http://name.example:8080\"]"), None);
    assert_eq!(listen("[\"https://127.0.0.1:8080\"]"), None);
}

#[test]
fn an_open_net_names_no_address() {
    let named = |net: &str, url: &str| {
        let text = format!("[allow]\neffects = [\"net.connect\"]\n[scope]\nnet = {net}");
        match decide(&parse("p", &text).unwrap(), &Request::read(Op::NetGet, json!({ "url": url })).unwrap()) {
            Decision::Allow(Plan::Connect { named, .. }, _) => Ok(named.map(|address| address.to_string())),
            Decision::Deny(rule) => Err(rule),
            decision => panic!("{decision:?}"),
        }
    };
    let never = Err(Rule::Never(Never::Address));
    for private in ["http://127.0.0.1:8080/", "http://127.1/", "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/"]
    {
        assert_eq!(named("\"any\"", private), never, "{private}");
    }
    assert_eq!(named("\"any\"", "http://1.1.1.1/"), Ok(None));
    assert_eq!(named("\"any\"", "http://localhost/"), Ok(None), "what a name leads to is looked at when it is used");
    assert_eq!(named("[\"http://127.0.0.1:8080\"]", "http://127.1:8080/"), Ok(Some("127.0.0.1".into())));
    assert_eq!(named("[\"http://localhost\"]", "http://LOCALHOST./"), Ok(None));
}

#[test]
fn a_refusal_names_nothing_of_what_is_allowed() {
    for op in Op::ALL {
        for args in outside(*op).into_iter().chain([example(*op)]) {
            for policy in [full(), Policy { allow: full().allow, ..Policy::default() }, Policy::default()] {
                let request = Request::read(*op, args.clone()).unwrap();
                if let Decision::Deny(rule) = decide(&policy, &request) {
                    let told = EffectError::Denied { rule }.to_json().to_string();
                    for hidden in ["secret-grant", "127.0.0.1", "search_issues", "LANG", "ollama"] {
                        assert!(!told.contains(hidden), "{op} {args}: {told}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_record_of_a_call_holds_no_contents_and_is_short() {
    for op in Op::ALL {
        let resource = request(*op).resource();
        assert!(
            resource.len() <= 1_024 && !resource.contains("key=1") && !resource.contains("8899aabb"),
            "{op}: {resource}"
        );
    }
    let long = Request::read(Op::ProcSpawn, json!({ "program": "git", "args": vec!["ä".repeat(900); 40] })).unwrap();
    assert!(long.resource().len() <= 1_024 && long.resource().ends_with('…'));
    let path = Request::read(Op::IoRead, json!({ "path": "/a//b/./c/../d/" })).unwrap();
    assert_eq!(path.resource(), "/a/b/c/../d");
    assert_eq!(Path::new("/a").join(request(Op::FsRemove).resource()), Path::new("/secret-grant/data/out/a"));
}

#[test]
fn the_schema_of_every_operation_says_what_is_needed_and_allows_nothing_else() {
    for op in Op::ALL {
        let schema = op.schema();
        assert_eq!(schema["additionalProperties"], false, "{op}");
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(properties.len(), op.row().args.len(), "{op}");
        assert!(example(*op).as_object().unwrap().keys().all(|key| properties.contains_key(key)), "{op}");
    }
}
