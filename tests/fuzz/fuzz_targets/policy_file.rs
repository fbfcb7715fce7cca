//! Any bytes as a policy: no panic, nothing granted that the file does not name, and what holds can be reviewed.
#![no_main]

use coalmine_actors::effects::{Op, Policy, Request, decide, kind::Kind, policy_file::parse, review::review, scope::Scope};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let policy = match parse("fuzzed", text) {
        Ok(policy) => policy,
        Err(why) => return assert!(!why.is_empty(), "a refusal has a reason"),
    };
    #[cfg(feature = "planted")]
    assert!(policy.random_seed != Some(4_242), "the planted bug"); // no seed is near it

    review(&policy);
    assert_eq!(policy.digest(), parse("fuzzed", text).expect("the same text").digest());
    for (scope, is_any) in [(policy.fs_read.is_any(), &policy.fs_read), (policy.fs_write.is_any(), &policy.fs_write)] {
        assert!(!scope || text.contains("any"), "what is open is spelled out");
        assert!(!matches!(is_any, Scope::Only(list) if list.as_slice().is_empty()));
    }
    for op in Op::ALL.iter().filter(|op| op.row().args.is_empty()) {
        let request = Request::read(*op, json!({})).expect("it takes nothing");
        let granted = op.row().needs.iter().all(|kind| policy.grants(*kind, None));
        assert_eq!(decide(&policy, &request).is_allowed(), granted);
    }
    // Together with nothing it allows nothing, and with itself what it allows.
    assert!(policy.meet(&Policy::none()).allow.is_empty());
    let again = policy.meet(&policy);
    assert!(Kind::ALL.iter().all(|kind| again.grants(*kind, None) == policy.grants(*kind, None)));
});
