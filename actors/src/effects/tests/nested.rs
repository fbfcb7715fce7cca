//! Nested use can only shrink, and what is told beforehand is what happens.

use super::{
    examples::{FULL, example, outside},
    house::{House, call},
};
use crate::effects::{
    Op, Policy, Request,
    audit::entry::{Entry, Verdict},
    decide,
    policy_file::parse,
    port::Family,
};
use proptest::prelude::*;
use serde_json::json;

/// Policies that differ in what they grant and how far it reaches.
fn policies() -> Vec<Policy> {
    let variants = [
        FULL.to_owned(),
        String::new(),
        FULL.replace("/secret-grant/data\"", "/secret-grant\""),
        FULL.replace("/secret-grant/data/out\"", "/secret-grant/data/out/a\""),
        FULL.replace("fs_read = [\"/secret-grant/data\"]", "fs_read = \"any\""),
        FULL.replace("args = [[\"status\"], [\"log\", \"*\"]]", "args = [[\"status\"]]"),
        FULL.replace("args = [[\"status\"], [\"log\", \"*\"]]", ""),
        FULL.replace("path = \"/secret-grant/bin/git\"", "path = \"/usr/bin/git\""),
        FULL.replace("\"search_issues\"", "\"delete_all\", \"search_issues\""),
        FULL.replace("\"a2a:bob\"", "\"a2a\""),
        FULL.replace("\"llm:ollama\", ", ""),
        FULL.replace("\"https://secret-grant.example\", ", ""),
        FULL.replace("env = [\"LANG\"]", "env = \"any\""),
        FULL.replace("\"proc\",", ""),
    ];
    variants.iter().enumerate().map(|(n, text)| parse(&n.to_string(), text).unwrap()).collect()
}

fn requests() -> Vec<Request> {
    let all = Op::ALL.iter().flat_map(|op| outside(*op).into_iter().chain([example(*op)]).map(|args| (*op, args)));
    all.map(|(op, args)| Request::read(op, args).unwrap()).collect()
}

#[test]
fn what_two_policies_allow_together_each_of_them_allows_alone() {
    let (policies, requests) = (policies(), requests());
    let (mut allowed, mut shrunk) = (0, 0);
    for (one, other) in policies.iter().flat_map(|one| policies.iter().map(move |other| (one, other))) {
        let both = one.meet(other);
        for request in &requests {
            let each = decide(one, request).is_allowed() && decide(other, request).is_allowed();
            let together = decide(&both, request).is_allowed();
            assert!(each || !together, "{} and {}: {request:?}", one.name, other.name);
            allowed += u32::from(together);
            shrunk += u32::from(each && !together);
        }
    }
    assert!(allowed > 2_000, "{allowed}");
    // Together they may allow less: two that mean different programs by one name allow neither.
    assert!(shrunk < allowed / 10, "{shrunk} of {allowed}");
}

proptest! {
    #[test]
    fn meeting_again_changes_nothing_and_the_order_does_not_matter(one in 0_usize..14, other in 0_usize..14) {
        let policies = policies();
        let (one, other) = (&policies[one], &policies[other]);
        let (both, reversed) = (one.meet(other), other.meet(one));
        for request in requests() {
            let verdict = decide(&both, &request).is_allowed();
            prop_assert_eq!(verdict, decide(&reversed, &request).is_allowed());
            prop_assert_eq!(verdict, decide(&both.meet(one), &request).is_allowed());
        }
    }
}

#[tokio::test]
async fn what_is_told_beforehand_is_what_happens_and_what_is_written_down() {
    for text in [FULL, ""] {
        let house = House::of(text).await;
        let session = house.session().await;
        let policy = session.policy();
        for op in Op::ALL {
            for args in outside(*op).into_iter().chain([example(*op)]) {
                let expected = decide(&policy, &Request::read(*op, args.clone()).unwrap());
                let before = house.log.records().len();
                let denied = if expected.is_allowed() && op.family() == Family::Net {
                    // It would wait for ever: once it is with the host, it is let go of.
                    let waiting = tokio::spawn({
                        let session = session.clone();
                        async move { session.call(*op, args).await }
                    });
                    house.host.begun.notified().await;
                    waiting.abort();
                    drop(waiting.await);
                    false
                } else {
                    session.call(*op, args).await.is_err_and(|error| error.code() == "denied")
                };
                assert_eq!(denied, !expected.is_allowed(), "{op}: {expected:?}");
                let records = house.log.records();
                let Entry::Decision(decided) = &records[before].entry else {
                    panic!("{op}: a call begins with its decision")
                };
                let verdict = if denied { Verdict::Denied } else { Verdict::Allowed };
                assert_eq!(
                    (decided.about.verdict, decided.about.rule.as_ref()),
                    (verdict, expected.rule().to_string().as_str())
                );
                assert_eq!(records.len() - before, if denied { 1 } else { 2 }, "{op}: {expected:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_nested_session_shrinks_further_and_uses_the_same_ledger() {
    let house = House::of(&format!("{FULL}\n[budget]\ncalls = 3")).await;
    let session = house.session().await;
    let clock = parse("clock", "[allow]\neffects = [\"clock\", \"random\"]\n[budget]\ncalls = 100").unwrap();
    let nested = session.narrow(&clock);
    let deeper = nested.narrow(&parse("random", "[allow]\neffects = [\"random\"]").unwrap());
    call(&nested, Op::TimeNow, json!({})).await.unwrap();
    assert_eq!(call(&nested, Op::IoPrint, json!({ "line": "x" })).await.unwrap_err().code(), "denied");
    assert_eq!(call(&deeper, Op::TimeNow, json!({})).await.unwrap_err().code(), "denied");
    call(&deeper, Op::RandIntIn, json!({ "lo": 0, "hi": 1 })).await.unwrap();
    call(&session, Op::TimeNow, json!({})).await.unwrap();
    assert_eq!(call(&deeper, Op::RandIntIn, json!({ "lo": 0, "hi": 1 })).await.unwrap_err().code(), "budget");
    // What the parent loses, it loses too.
    house.source.set("bob", Some(""));
    while !session.policy().allow.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(call(&nested, Op::TimeNow, json!({})).await.unwrap_err().code(), "denied");
}
