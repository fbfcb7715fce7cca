//! What is installed once for the whole host: it comes with its first user and goes with its last (v1.1). Pure.

use super::{occasion::Occasion, port::HostPlugins};
use crate::names::Personality;

impl HostPlugins {
    /// What `occasion` of `peer` means for the installation `key`: its users afterwards, and whether commands must be
    /// run first. Nothing where nothing changes.
    pub fn after(&self, key: &str, peer: &Personality, occasion: Occasion) -> (Self, bool) {
        let mut after = self.clone();
        match occasion {
            Occasion::Birth | Occasion::SweepOn => {
                let users = after.users.entry(key.to_owned()).or_default();
                let is_first = users.is_empty();
                users.insert(peer.clone());
                (after, is_first)
            }
            Occasion::OffAll => {
                let was_there = after.users.remove(key).is_some();
                (after, was_there)
            }
            Occasion::OffPeer | Occasion::Remove => {
                let Some(users) = after.users.get_mut(key) else { return (after, false) };
                let is_last = users.remove(peer) && users.is_empty();
                if is_last {
                    after.users.remove(key);
                }
                (after, is_last)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_with_the_first_user_and_goes_with_the_last_or_for_all() {
        use Occasion::{Birth, OffAll, OffPeer, Remove, SweepOn};
        let mut plugins = HostPlugins::default();
        for (peer, occasion, runs, users) in [
            ("a", OffPeer, false, 0),
            ("a", Birth, true, 1),
            ("a", SweepOn, false, 1),
            ("b", Birth, false, 2),
            ("c", OffPeer, false, 2),
            ("a", Remove, false, 1),
            ("b", OffPeer, true, 0),
            ("b", SweepOn, true, 1),
            ("a", SweepOn, false, 2),
            ("a", OffAll, true, 0),
            ("b", OffAll, false, 0),
        ] {
            let (after, must_run) = plugins.after("codex:p@m", &peer.parse().unwrap(), occasion);
            assert_eq!(must_run, runs, "{peer} {occasion:?}");
            plugins = after;
            assert_eq!(plugins.users.get("codex:p@m").map_or(0, |users| users.len()), users, "{peer} {occasion:?}");
        }
        assert!(plugins.users.is_empty());
    }
}
