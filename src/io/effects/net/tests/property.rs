//! What a decision says of an address, and what a connection does with it, are the same.

use super::{
    super::resolve::{Named, addresses},
    Names,
};
use coalmine_actors::effects::{
    Op, Policy, Request, decide,
    origin::Origin,
    plan::{Decision, Plan},
    scope::Scope,
};
use proptest::prelude::*;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses near the edges of blocks as often as any others.
fn any_address() -> impl Strategy<Value = IpAddr> {
    let edges = prop::sample::select(vec![
        [0, 0, 0, 1],
        [10, 255, 255, 255],
        [11, 0, 0, 0],
        [100, 64, 0, 0],
        [100, 128, 0, 0],
        [127, 0, 0, 1],
        [128, 0, 0, 0],
        [169, 254, 169, 254],
        [172, 15, 255, 255],
        [172, 16, 0, 0],
        [192, 168, 0, 1],
        [198, 20, 0, 0],
        [224, 0, 0, 0],
    ]);
    let v4 = prop_oneof![any::<u32>().prop_map(Ipv4Addr::from), edges.prop_map(Ipv4Addr::from)];
    let disguised = v4.clone().prop_map(|v4| v4.to_ipv6_mapped().into());
    let v6 = any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into());
    let public = any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits >> 3 | 1 << 125).into());
    prop_oneof![v4.prop_map(IpAddr::from), disguised, v6, public]
}

/// One way of several to write it.
fn spelled(address: IpAddr, way: u8) -> String {
    match (address, way % 3) {
        (IpAddr::V4(address), 0) => address.to_string(),
        (IpAddr::V4(address), 1) => address.to_bits().to_string(),
        (IpAddr::V4(address), _) => format!("0x{:x}", address.to_bits()),
        (IpAddr::V6(address), 0) => format!("[{address}]"),
        (IpAddr::V6(address), _) => {
            let parts: Vec<_> = address.segments().iter().map(|part| format!("{part:04X}")).collect();
            format!("[{}]", parts.join(":"))
        }
    }
}

proptest! {
    #[test]
    fn what_is_decided_of_an_address_is_what_a_connection_does(
        address in any_address(), way: u8, listed in any::<bool>(), others in any_address(),
    ) {
        let url = format!("http://{}:8080/x", spelled(address, way));
        let request = Request::read(Op::NetGet, json!({ "url": url })).unwrap();
        let origin = |address: IpAddr| -> Origin { format!("http://{}:8080", spelled(address, 0)).parse().unwrap() };
        let net = if listed { Scope::only(vec![origin(others), origin(address)]) } else { Scope::Any };
        let policy = Policy { allow: ["net.connect".parse().unwrap()].into(), net, ..Policy::default() };
        let decision = decide(&policy, &request);
        // As it would be carried out: by the plan, or, where it is denied, as an open scope would have it.
        let named = match &decision {
            Decision::Allow(Plan::Connect { named, .. }, _) => *named,
            _ => None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(addresses(&Names::default(), &origin(address), Named::ByRule(named)));
        prop_assert_eq!(decision.is_allowed(), found.is_ok());
        prop_assert_eq!(decision.is_allowed(), listed || found.is_ok());
        if let Ok(found) = found {
            prop_assert_eq!(found[0].ip(), address);
        }
    }
}
