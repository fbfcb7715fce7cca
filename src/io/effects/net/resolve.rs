//! From a host to addresses: asked once, and each of them looked at. What is connected to is what was looked at here.

use coalmine_actors::{
    effects::{
        EffectError,
        address::Reach,
        origin::Origin,
        rule::{Never, Rule},
    },
    ports::BoxFuture,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use url::Host;

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Who knows the addresses of names. A test has names of its own.
pub(in crate::io::effects) trait Lookup: Send + Sync + 'static {
    /// All that `name` has.
    fn lookup(&self, name: String) -> BoxFuture<io::Result<Vec<IpAddr>>>;
}

/// The system: its files and its servers.
#[derive(Debug)]
pub(super) struct System;

impl Lookup for System {
    fn lookup(&self, name: String) -> BoxFuture<io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// Who says where a connection goes, and so which addresses it may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io::effects) enum Named {
    /// A peer, within its policy: the internet, and the address that a rule names.
    ByRule(Option<IpAddr>),
    /// The operator, in the config or as a server of the policy: the address itself, and where it is a name also what
    /// the house has. What answers whoever happens to be there is no name's.
    ByOperator,
}

impl Named {
    fn reaches(self, address: IpAddr, is_literal: bool) -> bool {
        match (self, Reach::of(address)) {
            (_, Reach::Public) => true,
            (Self::ByRule(named), _) => named == Some(address),
            (Self::ByOperator, Reach::House) => true,
            (Self::ByOperator, Reach::Special) => is_literal,
        }
    }
}

/// Where to connect to for `origin`.
///
/// # Errors
/// [`EffectError::Denied`] where it leads to an address out of reach; [`EffectError::Network`] where it leads nowhere.
pub(super) async fn addresses(
    lookup: &dyn Lookup,
    origin: &Origin,
    named: Named,
) -> Result<Vec<SocketAddr>, EffectError> {
    let (found, is_literal) = match origin.host() {
        Host::Domain(name) => (look_up(lookup, name).await?, false),
        Host::Ipv4(address) => (vec![(*address).into()], true),
        Host::Ipv6(address) => (vec![(*address).into()], true),
    };
    // One private address among public ones is no slip that is passed over.
    if !found.iter().all(|address| named.reaches(*address, is_literal)) {
        return Err(EffectError::Denied { rule: Rule::Never(Never::Address) });
    }
    Ok(found.into_iter().take(ADDRESSES_MAX).map(|address| SocketAddr::new(address, origin.port())).collect())
}

async fn look_up(lookup: &dyn Lookup, name: &str) -> Result<Vec<IpAddr>, EffectError> {
    match lookup.lookup(name.to_owned()).await {
        Ok(found) if !found.is_empty() => Ok(found),
        // The resolver's words differ from host to host, and say no more.
        _ => Err(EffectError::Network { what: "the name has no address".into() }),
    }
}
