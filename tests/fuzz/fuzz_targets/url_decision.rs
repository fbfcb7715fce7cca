//! Any text as an URL: no panic, one reading, and what is allowed is what the policy names.
#![no_main]

use coalmine_actors::effects::{
    Op, Policy, Request,
    address::Reach,
    decide,
    origin::{Origin, Target, URL_BYTES_MAX},
    plan::{Decision, Plan},
    scope::Scope,
};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fn granting(net: Scope<Origin>) -> Policy {
    Policy { allow: ["net.connect".parse().expect("it is a kind")].into(), net, ..Policy::default() }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    #[cfg(feature = "planted")]
    assert!(!text.contains("planted.bug"), "the planted bug"); // no seed is near it

    let Ok(target) = text.parse::<Target>() else {
        assert!(Request::read(Op::NetGet, json!({ "url": text })).is_err());
        return;
    };
    if target.url.as_str().len() > URL_BYTES_MAX {
        return; // it grew by being escaped, and is as long as it was given
    }
    // What was read is sent, and read again it is the same place.
    let again: Target = target.url.as_str().parse().expect("what was read can be read");
    assert_eq!(again, target);
    assert_eq!((target.url.username(), target.url.password(), target.url.fragment()), ("", None, None));
    let origin: Origin = target.origin.to_string().parse().expect("an origin is written as a policy lists it");
    assert_eq!(origin, target.origin);

    let request = Request::read(Op::NetGet, json!({ "url": text })).expect("it is an URL");
    assert!(!decide(&Policy::none(), &request).is_allowed());
    let other = granting(Scope::only(vec!["https://other.example:1".parse().expect("it is an origin")]));
    assert_eq!(decide(&other, &request).is_allowed(), target.origin.to_string() == "https://other.example:1");
    match decide(&granting(Scope::only(vec![origin])), &request) {
        Decision::Allow(Plan::Connect { named, .. }, _) => assert_eq!(named, target.origin.address()),
        decision => panic!("{decision:?}"),
    }
    let public = target.origin.address().is_none_or(|address| Reach::of(address) == Reach::Public);
    assert_eq!(decide(&granting(Scope::Any), &request).is_allowed(), public);
});
