//! What a name means: an identity, or a personality (its default runtime, or all of them). Pure.
//!
//! The registry lets no peer have a name that is another one's identity. A file that was written before that rule, or
//! by hand, may hold such a pair: an identity is looked for first, so that each can always be named in full.

use crate::{
    error::FleetError,
    names::Identity,
    registry::{
        document::{Document, PeerSpec, RegistryPhase},
        nearest::nearest,
    },
};

/// The one identity that NAME means: a personality's default, or the identity itself.
///
/// # Errors
/// No peer has this name; the nearest ones are in the error.
pub fn one(document: &Document, name: &str) -> Result<Identity, FleetError> {
    let default = || peer(document, name).map(PeerSpec::default_identity);
    identity(document, name).or_else(default).ok_or_else(|| unknown(document, name))
}

/// All identities that NAME means: every one of a personality, or the identity itself.
///
/// # Errors
/// As [`one`].
pub fn all(document: &Document, name: &str) -> Result<Vec<Identity>, FleetError> {
    let one = identity(document, name).map(|identity| vec![identity]);
    one.or_else(|| peer(document, name).map(|spec| spec.identities().collect())).ok_or_else(|| unknown(document, name))
}

/// The settled peer that has this identity, or this personality.
pub fn spec<'d>(document: &'d Document, name: &str) -> Option<&'d PeerSpec> {
    let owner = settled(document).find(|spec| spec.identities().any(|id| id.to_string() == name));
    owner.or_else(|| peer(document, name))
}

fn settled(document: &Document) -> impl Iterator<Item = &PeerSpec> {
    document.peers.iter().filter(|spec| spec.phase != Some(RegistryPhase::Newborn))
}

fn peer<'d>(document: &'d Document, name: &str) -> Option<&'d PeerSpec> {
    settled(document).find(|spec| spec.personality.as_str() == name)
}

fn identity(document: &Document, name: &str) -> Option<Identity> {
    let wanted: Identity = name.parse().ok()?;
    settled(document).flat_map(PeerSpec::identities).find(|identity| *identity == wanted)
}

fn unknown(document: &Document, name: &str) -> FleetError {
    let known: Vec<String> = settled(document)
        .flat_map(|spec| spec.identities().map(|id| id.to_string()).chain([spec.personality.to_string()]))
        .collect();
    let nearest = nearest(name, known.iter().map(String::as_str));
    FleetError::UnknownPeer { name: name.chars().take(64).collect(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::document::Intelligence;

    fn fleet() -> Document {
        let spec = |name: &str, runtimes: &[&str], phase| PeerSpec {
            personality: name.parse().unwrap(),
            runtimes: runtimes.iter().map(|runtime| runtime.parse().unwrap()).collect(),
            default_runtime: runtimes[0].parse().unwrap(),
            cwd: "/tmp".into(),
            description: String::new(),
            intelligence: Intelligence::Artificial,
            command: None,
            commands: std::collections::BTreeMap::new(),
            env: std::collections::BTreeMap::new(),
            restart: None,
            restart_knobs: None,
            idle_after: None,
            wake_policy: None,
            limits: crate::peer::limits::Limits::default(),
            policy: None,
            sandbox: None,
            phase,
            extra: serde_json::Map::new(),
        };
        let peers = vec![
            spec("bob", &["claude", "codex"], None),
            spec("codex-bob", &["shell"], None),
            spec("unborn", &["shell"], Some(RegistryPhase::Newborn)),
        ];
        Document { peers, ..Document::default() }
    }

    fn names(identities: Vec<Identity>) -> Vec<String> {
        identities.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_personality_means_its_default_or_all_of_it() {
        assert_eq!(one(&fleet(), "bob").unwrap().to_string(), "claude-bob");
        assert_eq!(names(all(&fleet(), "bob").unwrap()), ["claude-bob", "codex-bob"]);
        assert_eq!(names(all(&fleet(), "claude-bob").unwrap()), ["claude-bob"]);
    }

    #[test]
    fn an_identity_means_itself_also_where_an_old_file_has_a_peer_of_that_name() {
        assert_eq!(one(&fleet(), "codex-bob").unwrap().to_string(), "codex-bob");
        assert_eq!(names(all(&fleet(), "codex-bob").unwrap()), ["codex-bob"]);
        assert_eq!(spec(&fleet(), "codex-bob").unwrap().personality.as_str(), "bob");
        assert_eq!(one(&fleet(), "shell-codex-bob").unwrap().to_string(), "shell-codex-bob");
    }

    #[test]
    fn an_unknown_name_offers_the_nearest_and_a_newborn_is_unknown() {
        let FleetError::UnknownPeer { nearest, .. } = one(&fleet(), "boob").unwrap_err() else { panic!() };
        assert_eq!(nearest[0], "bob");
        assert!(one(&fleet(), "unborn").is_err());
        assert!(one(&fleet(), "#(touch x)").is_err());
    }
}
