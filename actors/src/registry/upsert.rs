//! How a wanted peer is merged into what the registry has (spec 01 §7). Pure.
//!
//! What the wish leaves out stays as it is: an absent description is not an empty one. Runtimes and variables
//! are added to, never taken away; the default runtime, the kind of intelligence and the phase are not a
//! second wish's to change.

use super::{
    document::{Document, PeerSpec, RegistryPhase},
    parse,
};
use crate::{
    error::FleetError,
    names::{Personality, Runtime},
};

/// Merges `wanted` into the peer that has its name, or adds it as a newborn.
///
/// # Errors
/// [`FleetError::NameTaken`] when the name belongs to a peer in another folder, to one that is being removed, or to a
/// record that can not be read, or when a personality would be another peer's identity; [`FleetError::Usage`] when `wanted` could not be stored.
pub fn upsert(document: &mut Document, wanted: &PeerSpec) -> Result<(), FleetError> {
    parse::check(wanted).map_err(|why| FleetError::Usage {
        what: format!("{} can not be stored: {why}", wanted.personality),
        hint: "correct it and try again".into(),
    })?;
    no_name_means_two(document, wanted)?;
    let name = &wanted.personality;
    if let Some(known) = document.peers.iter_mut().find(|peer| peer.personality == *name) {
        return merge(known, wanted);
    }
    // A damaged record still owns its name: whoever mends it finds no namesake.
    if let Some(bad) = document.bad.iter().find(|bad| bad.raw["personality"] == name.as_str()) {
        return Err(taken(name, format!("record {} of fleet.json has it and can not be read: {}", bad.index, bad.why)));
    }
    document.peers.push(PeerSpec { phase: Some(RegistryPhase::Newborn), ..wanted.clone() });
    Ok(())
}

/// A personality may hold dashes, so it may read like an identity. Whichever of the two comes second is refused: else
/// one name would mean two peers, and what is meant for one would hit the other.
fn no_name_means_two(document: &Document, wanted: &PeerSpec) -> Result<(), FleetError> {
    let known = document.peer(&wanted.personality);
    if known.is_some_and(|known| wanted.runtimes.iter().all(|runtime| known.runtimes.contains(runtime))) {
        return Ok(()); // it brings no new name
    }
    for other in &document.peers {
        if let Some(identity) = other.identities().find(|identity| identity.to_string() == wanted.personality.as_str())
        {
            let why = format!("it is {} under the runtime {}", other.personality, identity.runtime());
            return Err(taken(&wanted.personality, why));
        }
        if let Some(identity) = wanted.identities().find(|identity| identity.to_string() == other.personality.as_str())
        {
            let why = format!("{} under the runtime {} would have it too", wanted.personality, identity.runtime());
            return Err(taken(&other.personality, why));
        }
    }
    Ok(())
}

fn merge(known: &mut PeerSpec, wanted: &PeerSpec) -> Result<(), FleetError> {
    if known.phase == Some(RegistryPhase::Leaving) {
        return Err(taken(&known.personality, "that peer is being removed".into()));
    }
    if known.cwd != wanted.cwd {
        return Err(taken(&known.personality, format!("that peer's folder is {}", known.cwd.display())));
    }
    let new = |runtime: &&Runtime| !known.runtimes.contains(runtime);
    let added: Vec<Runtime> = wanted.runtimes.iter().filter(new).cloned().collect();
    known.runtimes.extend(added);
    if !wanted.description.is_empty() {
        known.description.clone_from(&wanted.description);
    }
    known.env.extend(wanted.env.clone());
    known.extra.extend(wanted.extra.clone());
    for runtime in &wanted.runtimes {
        if let Some(command) = wanted.command_of(runtime) {
            known.set_command(runtime, command.clone());
        }
    }
    inherit(&mut known.restart, &wanted.restart);
    known.restart_knobs = match (wanted.restart_knobs, known.restart_knobs) {
        (Some(wanted), Some(known)) => Some(wanted.over(known)),
        (wanted, known) => wanted.or(known),
    };
    inherit(&mut known.idle_after, &wanted.idle_after);
    inherit(&mut known.wake_policy, &wanted.wake_policy);
    known.limits = wanted.limits.over(known.limits);
    inherit(&mut known.policy, &wanted.policy);
    inherit(&mut known.sandbox, &wanted.sandbox);
    Ok(())
}

fn inherit<T: Clone>(known: &mut Option<T>, wanted: &Option<T>) {
    if wanted.is_some() {
        known.clone_from(wanted);
    }
}

fn taken(name: &Personality, why: String) -> FleetError {
    FleetError::NameTaken { name: name.to_string(), why }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        peer::{
            limits::Limits, one_task::WakePolicy, restart_knobs::RestartKnobs, restart_policy::RestartPolicy,
            sandbox::Sandbox,
        },
        registry::document::{BadRecord, Intelligence},
    };
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// A peer with nothing but what it must have.
    pub(in crate::registry) fn spec(name: &str, cwd: &str) -> PeerSpec {
        let claude: Runtime = "claude".parse().unwrap();
        PeerSpec {
            personality: name.parse().unwrap(),
            runtimes: vec![claude.clone()],
            default_runtime: claude,
            cwd: cwd.into(),
            description: String::new(),
            intelligence: Intelligence::Artificial,
            command: None,
            commands: BTreeMap::new(),
            env: BTreeMap::new(),
            restart: None,
            restart_knobs: None,
            idle_after: None,
            wake_policy: None,
            limits: Limits::default(),
            policy: None,
            sandbox: None,
            phase: None,
            extra: serde_json::Map::new(),
        }
    }

    fn full() -> PeerSpec {
        let mut full = spec("bob", "/b");
        full.description = "the builder".into();
        full.intelligence = Intelligence::Natural;
        full.command = Some(vec!["sh".into()]);
        full.env = BTreeMap::from([("A".into(), "1".into())]);
        full.restart = Some(RestartPolicy::Never);
        full.restart_knobs = Some(RestartKnobs { deaths_max: Some(3), ..RestartKnobs::default() });
        full.idle_after = Some(SignedDuration::from_hours(2));
        full.limits = Limits { memory_max: Some("2G".parse().unwrap()), tasks_max: Some(100) };
        full.policy = Some("strict".into());
        full.sandbox = Some(Sandbox::Required);
        full.wake_policy = Some(WakePolicy::Ephemeral);
        full.extra.insert("interfaces".into(), json!("mcp"));
        full
    }

    fn holding(peer: PeerSpec) -> Document {
        Document { peers: vec![peer], ..Document::default() }
    }

    fn merged(known: PeerSpec, wanted: &PeerSpec) -> PeerSpec {
        let mut document = holding(known);
        upsert(&mut document, wanted).unwrap();
        document.peers.remove(0)
    }

    #[test]
    fn what_the_wish_leaves_out_stays() {
        assert_eq!(merged(full(), &spec("bob", "/b")), full());
    }

    #[test]
    fn what_the_wish_names_is_taken() {
        let wanted = PeerSpec { intelligence: Intelligence::Artificial, ..full() };
        let got = merged(spec("bob", "/b"), &wanted);
        assert_eq!(got, wanted);
    }

    #[test]
    fn runtimes_and_variables_are_added_and_no_default_flips() {
        let codex: Runtime = "codex".parse().unwrap();
        let mut wanted = spec("bob", "/b");
        (wanted.runtimes, wanted.default_runtime) = (vec![codex.clone()], codex);
        wanted.env = BTreeMap::from([("B".into(), "2".into())]);
        let got = merged(full(), &wanted);
        assert_eq!(got.runtimes, ["claude".parse().unwrap(), "codex".parse().unwrap()]);
        assert_eq!(got.default_runtime, "claude".parse().unwrap());
        assert_eq!(got.env.len(), 2);
        assert_eq!(got.intelligence, Intelligence::Natural);
    }

    #[test]
    fn a_command_belongs_to_the_runtime_that_it_was_given_for() {
        let (claude, codex): (Runtime, Runtime) = ("claude".parse().unwrap(), "codex".parse().unwrap());
        let under = |runtime: &Runtime, command: &str| PeerSpec {
            runtimes: vec![runtime.clone()],
            default_runtime: runtime.clone(),
            command: Some(vec![command.into()]),
            ..spec("bob", "/b")
        };
        let bare = PeerSpec { command: None, ..under(&codex, "") };
        let bob = merged(under(&claude, "a"), &bare);
        assert_eq!((bob.command_of(&claude), bob.command_of(&codex)), (Some(&vec!["a".into()]), None));
        let bob = merged(bob, &under(&codex, "b"));
        assert_eq!(
            (bob.command_of(&claude), bob.command_of(&codex)),
            (Some(&vec!["a".into()]), Some(&vec!["b".into()]))
        );
        let bob = merged(merged(spec("bob", "/b"), &under(&codex, "b")), &spec("bob", "/b"));
        assert_eq!((bob.command_of(&claude), bob.command_of(&codex)), (None, Some(&vec!["b".into()])));
    }

    #[test]
    fn a_name_that_is_taken_is_refused_with_the_reason() {
        let leaving = PeerSpec { phase: Some(RegistryPhase::Leaving), ..spec("bob", "/b") };
        let bad = BadRecord { index: 3, raw: json!({ "personality": "bob" }), why: "missing field `cwd`".into() };
        for (document, why) in [
            (holding(spec("bob", "/elsewhere")), "that peer's folder is /elsewhere"),
            (holding(leaving), "that peer is being removed"),
            (Document { bad: vec![bad], ..Document::default() }, "record 3 of fleet.json has it and can not be read"),
        ] {
            let mut after = document.clone();
            let error = upsert(&mut after, &spec("bob", "/b")).unwrap_err();
            assert_eq!(error.code(), "name-taken");
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(after, document);
        }
    }

    #[test]
    fn no_personality_is_another_peers_identity_whichever_comes_first() {
        for (first, second, why) in [
            ("bob", "claude-bob", "the name claude-bob is taken: it is bob under the runtime claude"),
            ("claude-bob", "bob", "the name claude-bob is taken: bob under the runtime claude would have it too"),
        ] {
            let mut document = Document::default();
            upsert(&mut document, &spec(first, "/b")).unwrap();
            let before = document.clone();
            let error = upsert(&mut document, &spec(second, "/b")).unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), ("name-taken", why));
            assert_eq!(document, before);
        }
        // Its first part being a runtime's name is no reason: nobody has the identity.
        upsert(&mut Document::default(), &spec("claude-bob", "/b")).unwrap();
    }

    #[test]
    fn what_could_not_be_read_again_is_not_stored() {
        let error = upsert(&mut Document::default(), &spec("bob", "relative")).unwrap_err();
        assert_eq!(error.code(), "usage");
    }

    prop_compose! {
        fn any_spec()(
            name in "[a-c]", cwd in "/[xy]", description in "[a-z]{0,3}", codex in any::<bool>(),
            command in prop::option::of(Just(vec!["sh".to_owned()])), policy in prop::option::of("[pq]"),
            env in prop::collection::btree_map("[A-C]", "[0-9]", 0..3),
        ) -> PeerSpec {
            let mut any = spec(&name, &cwd);
            if codex {
                any.runtimes.push("codex".parse().unwrap());
            }
            PeerSpec { description, command, policy, env, ..any }
        }
    }

    proptest! {
        #[test]
        fn an_upsert_is_idempotent_and_touches_nobody_else(wishes in prop::collection::vec(any_spec(), 1..12)) {
            let mut document = Document::default();
            for wanted in wishes {
                let before = document.clone();
                if upsert(&mut document, &wanted).is_err() {
                    prop_assert_eq!(&document, &before);
                    continue;
                }
                let mut again = document.clone();
                upsert(&mut again, &wanted).unwrap();
                prop_assert_eq!(&again, &document);
                for known in &before.peers {
                    let after = document.peer(&known.personality).expect("nobody is lost");
                    if known.personality == wanted.personality {
                        prop_assert!(known.runtimes.iter().all(|runtime| after.runtimes.contains(runtime)));
                        prop_assert!(known.description.is_empty() || !after.description.is_empty());
                        prop_assert_eq!(&known.default_runtime, &after.default_runtime);
                    } else {
                        prop_assert_eq!(known, after);
                    }
                }
            }
        }
    }
}
