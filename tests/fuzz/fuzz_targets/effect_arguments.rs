//! Any JSON as the arguments of any operation: no panic, and what is allowed lies where the policy says.
#![no_main]

use coalmine_actors::effects::{
    Op, Policy, Request, decide,
    plan::{Beneath, Decision, Plan},
    policy_file::parse,
};
use libfuzzer_sys::fuzz_target;
use std::{path::Component, sync::LazyLock};

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"
        [allow]
        effects = ["io", "fs.read", "fs.write", "fs.list", "log", "log.admin", "clock", "random", "env", "proc",
                   "net.connect", "net.listen", "chat", "kv", "sql", "mcp:m", "llm:ollama", "a2a"]
        [scope]
        fs_read = ["/a", "/a/b"]
        fs_write = ["/a/b"]
        net = ["https://a.example", "http://127.0.0.1:8080"]
        env = ["LANG"]
        [program.p]
        path = "/bin/p"
        args = [["x", "*"]]
        [mcp.m]
        url = "http://127.0.0.1:1"
        tools = ["t"]
    "#;
    parse("fuzz", text).expect("it is a policy")
});

/// Beneath its root, and never above it.
fn stays(at: &Beneath) {
    assert!(at.root < POLICY.roots(at.access).len() && at.path.is_relative());
    let mut depth = 0;
    for part in at.path.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth -= 1,
            part => panic!("{part:?}"),
        }
        assert!(depth >= 0);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [which, json @ ..] = bytes else { return };
    let op = Op::ALL[usize::from(*which) % Op::ALL.len()];
    let Ok(args) = serde_json::from_slice(json) else { return };
    let Ok(request) = Request::read(op, args) else { return };
    #[cfg(feature = "planted")]
    assert!(!request.resource().contains("planted bug"), "the planted bug"); // no seed is near it

    assert!(request.resource().len() <= 1_024);
    assert!(!decide(&Policy::none(), &request).is_allowed() || op.row().needs.is_empty());
    match decide(&POLICY, &request) {
        Decision::Allow(Plan::File(at) | Plan::Store(Some(at)) | Plan::Glob { within: at, .. }, _) => stays(&at),
        Decision::Allow(Plan::Copy { from, to }, _) => [from, to].iter().for_each(stays),
        Decision::Allow(Plan::Connect { target, .. }, _) => {
            assert!(["https://a.example:443", "http://127.0.0.1:8080"].contains(&target.origin.to_string().as_str()));
            assert_eq!((target.url.username(), target.url.password(), target.url.fragment()), ("", None, None));
        }
        Decision::Allow(Plan::Program(program), _) => assert_eq!(program.name, "p"),
        _ => {}
    }
});
