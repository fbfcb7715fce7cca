//! Where a fleet lies: state root, daemon socket and config file, from flags, environment and home, in that order.

use coalmine_actors::error::FleetError;
use std::path::{Path, PathBuf};

/// What the command line said of the place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceFlags {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
}

/// Where the fleet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The state root, absolute; it need not exist.
    pub root: PathBuf,
    /// The daemon's socket, where it was named; else it follows from the root.
    pub socket: Option<PathBuf>,
    /// The config file; it need not exist.
    pub config: PathBuf,
}

impl Place {
    /// Finds it: `--root`, else `$COALMINE_ROOT`, else `$XDG_STATE_HOME/coalmine`, else `~/.local/state/coalmine`.
    ///
    /// An explicit `--root` also beats `$COALMINE_SOCKET`, which every peer's program has in its environment: the
    /// two would name different fleets.
    ///
    /// # Errors
    /// [`FleetError::Usage`] when nothing says where, or a relative path can not be made absolute.
    pub fn find(flags: PlaceFlags, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, FleetError> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // XDG says that a relative path in these variables is to be ignored.
        let xdg = |name: &str| set(name).filter(|path| path.is_absolute());
        let home = |below: &str| {
            set("HOME").map(|home| home.join(below)).ok_or_else(|| FleetError::Usage {
                what: "no place for the fleet's state: HOME is not set".into(),
                hint: "name one with --root DIR or COALMINE_ROOT".into(),
            })
        };
        let socket = match &flags.root {
            Some(_) => flags.socket,
            None => flags.socket.or_else(|| set("COALMINE_SOCKET")),
        };
        let root = match flags.root.or_else(|| set("COALMINE_ROOT")) {
            Some(root) => root,
            None => match xdg("XDG_STATE_HOME") {
                Some(state) => state.join("coalmine"),
                None => home(".local/state/coalmine")?,
            },
        };
        let config = match set("COALMINE_CONFIG") {
            Some(config) => config,
            None => match xdg("XDG_CONFIG_HOME") {
                Some(folder) => folder.join("coalmine/config.toml"),
                // Without a home there is no file, and none is needed.
                None => home(".config/coalmine/config.toml").unwrap_or_else(|_| "/etc/coalmine/config.toml".into()),
            },
        };
        Ok(Self { root: absolute(&root)?, socket: socket.map(|path| absolute(&path)).transpose()?, config })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, FleetError> {
    std::path::absolute(path).map_err(|source| FleetError::io("resolve", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(root: Option<&str>, env: &[(&str, &str)]) -> Place {
        let flags = PlaceFlags { root: root.map(PathBuf::from), socket: None };
        let env: std::collections::BTreeMap<_, _> = env.iter().copied().collect();
        Place::find(flags, &|name| env.get(name).map(|value| (*value).to_owned())).unwrap()
    }

    #[test]
    fn the_flag_beats_the_variable_beats_the_state_home_beats_home() {
        let all = [("COALMINE_ROOT", "/env"), ("XDG_STATE_HOME", "/state"), ("HOME", "/home/u")];
        assert_eq!(find(Some("/flag"), &all).root, Path::new("/flag"));
        assert_eq!(find(None, &all).root, Path::new("/env"));
        assert_eq!(find(None, &all[1..]).root, Path::new("/state/coalmine"));
        assert_eq!(find(None, &all[2..]).root, Path::new("/home/u/.local/state/coalmine"));
        assert_eq!(find(None, &[("COALMINE_ROOT", ""), ("HOME", "/h")]).root, Path::new("/h/.local/state/coalmine"));
    }

    #[test]
    fn a_relative_root_is_made_absolute() {
        let root = find(Some("fleet"), &[]).root;
        assert_eq!(root, std::env::current_dir().unwrap().join("fleet"));
    }

    #[test]
    fn a_named_root_is_not_overruled_by_the_socket_of_the_peer_that_asks() {
        let peer = [("COALMINE_SOCKET", "/run/daemon.sock"), ("HOME", "/h")];
        assert_eq!(find(Some("/flag"), &peer).socket, None);
        assert_eq!(find(None, &peer).socket.as_deref(), Some(Path::new("/run/daemon.sock")));
    }

    #[test]
    fn without_any_place_the_error_says_how_to_name_one() {
        let error = Place::find(PlaceFlags::default(), &|_| None).unwrap_err();
        assert!(error.hint().contains("--root"), "{error:?}");
    }
}
