//! What an identity's other traces say of it where its `state.json` is lost: which life lives, what was to follow, and
//! the highest generation that was ever given out.
//!
//! Only looked at, never changed: also whoever merely shows the fleet reads this.

use super::{
    boot::boot_id,
    exits, late_canary, life_mark, life_paths, lock_holder,
    witness::{claim, proc_stat},
};
use crate::paths::Paths;
use coalmine_actors::{
    journal::logfmt,
    names::Identity,
    peer::file::{Desired, Life, LifePhase, PeerFile},
    ports::LifeKey,
};
use std::io;

/// What would stand in the lost file, as far as it can be known. A peer that has no traces never lived.
///
/// # Errors
/// The journal can not be read.
pub fn rebuild(paths: &Paths, identity: &Identity) -> io::Result<PeerFile> {
    let alive = living(paths, identity)?;
    let in_folder = late_canary::generations(&paths.peer(identity)).last().copied().unwrap_or_default();
    let of_living = alive.as_ref().map(|life| life.generation).unwrap_or_default();
    let highest = exits::highest_generation(&paths.journal(), identity)?.max(in_folder).max(of_living);
    let claimed = claimed(paths, &LifeKey { identity: identity.clone(), generation: highest })?;
    let desired = match (&alive, claimed) {
        (_, Some(then)) => then,
        (Some(_), None) => Desired::Up,
        (None, None) => Desired::Asleep,
    };
    let lives = alive.into_iter().map(|life| match claimed {
        Some(_) if life.generation == highest => Life { phase: LifePhase::Stopping, ..life },
        _ => life,
    });
    Ok(PeerFile { highest, lives: lives.collect(), desired, ..PeerFile::default() })
}

/// The life whose server holds the identity's lock and bears its mark. How far it came, its screen says.
fn living(paths: &Paths, identity: &Identity) -> io::Result<Option<Life>> {
    if !paths.peer(identity).exists() && !paths.peer_socket(identity).exists() {
        return Ok(None); // as for every peer that is just made
    }
    let Some(server) = lock_holder::find_id(&paths.server_lock(identity), lock_holder::SERVER_FD) else {
        return Ok(None);
    };
    let Some(generation) = life_mark::generation(server.pid, &paths.life_marks(identity)) else { return Ok(None) };
    Ok(Some(Life {
        generation,
        boot_id: boot_id()?.to_owned(),
        phase: LifePhase::Starting,
        started_boot_ms: proc_stat::ticks_to_ms(server.start_ticks),
        up_boot_ms: None,
        command: Vec::new(),
        held_by: String::new(),
        resumed: false,
        replied: false,
        server: Some(server),
        canary: None,
    }))
}

/// What was to follow a life whose end is claimed.
fn claimed(paths: &Paths, life: &LifeKey) -> io::Result<Option<Desired>> {
    let Some(text) = claim::read(&life_paths(paths, life))? else { return Ok(None) };
    let fields = logfmt::parse(text.trim_end()).unwrap_or_default();
    let says = |key: &str, value: &str| fields.iter().any(|(name, is)| name == key && is == value);
    Ok(Some(match () {
        () if says("then", "start") => Desired::Up,
        () if says("why", "idle") => Desired::Asleep,
        () => Desired::Stopped,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::names::Generation;

    fn rebuilt(files: &[(&str, &str)]) -> PeerFile {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        rebuild(&Paths::new(root.path()).unwrap(), &"shell-a".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_peer_without_traces_never_lived() {
        assert_eq!(rebuilt(&[]), PeerFile::default());
    }

    #[test]
    fn the_highest_generation_is_that_of_any_trace() {
        let log = "ts=2026-01-01T00:00:00Z seq=1 ev=up identity=shell-a gen=6\nseq=2 ev=up identity=shell-ab gen=60\n";
        for (highest, files) in [
            (3, vec![("peers/shell-a/claim-g3", ""), ("peers/shell-a/pane-g2", "")]),
            (4, vec![("peers/shell-a/canary-g4.lock", "")]),
            (5, vec![("peers/shell-a/pane-g5", ""), ("journal/exits.log", "identity=shell-a gen=2\n")]),
            (6, vec![("journal/lifecycle.log", log)]),
            (6, vec![("journal/lifecycle.log.3", log), ("journal/lifecycle.log", "ev=up identity=shell-a gen=1\n")]),
            (7, vec![("journal/server-deaths/shell-a-g7.txt", ""), ("journal/lifecycle.log", log)]),
        ] {
            assert_eq!(rebuilt(&files).highest, Generation(highest), "{files:?}");
        }
    }

    #[test]
    fn what_was_stopped_stays_stopped() {
        for (claim, desired) in [
            ("why=stop by=operator then=stop", Desired::Stopped),
            ("why=idle by=fleet then=stop", Desired::Asleep),
            ("why=restart by=operator then=start", Desired::Up),
        ] {
            let file = rebuilt(&[("peers/shell-a/claim-g3", claim)]);
            assert_eq!((file.desired, file.lives), (desired, vec![]), "{claim}");
        }
        // A later life took its place.
        let file = rebuilt(&[("peers/shell-a/claim-g3", "then=stop"), ("peers/shell-a/pane-g4", "")]);
        assert_eq!((file.desired, file.highest), (Desired::Asleep, Generation(4)));
    }
}
