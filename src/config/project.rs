//! `coalmine.toml`: the peers that a project declares.
//!
//! ```toml
//! [peer.web]                    # the name; everything below may be left out
//! runtime = "claude"            # as in `create --runtime`
//! cwd = "web"                   # from the file's own folder, which is also the default
//! command = ["npm", "start"]
//! env = { PORT = "3000" }
//! restart = "always"
//! restart_knobs = { deaths_max = 3, delay_max = "10s" }
//! idle_after = "2h"
//! wake_policy = "ephemeral"     # a life takes one message
//! limits = { memory_max = "2G", tasks_max = 100 }
//! description = "the shop"
//! start = false                 # declared, and left as it is; true by default
//! ```

use coalmine_actors::{
    error::FleetError,
    fleet::request::CreatePeer,
    peer::{
        limits::Limits, one_task::WakePolicy, restart_knobs::RestartKnobs, restart_policy::RestartPolicy,
        sandbox::Sandbox,
    },
    toml_error::explain,
};
use jiff::SignedDuration;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The file that is looked for where none is named.
pub const PROJECT_FILE: &str = "coalmine.toml";
/// Most peers that a file may declare.
const PEERS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectFile {
    #[serde(default)]
    peer: BTreeMap<String, PeerTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerTable {
    runtime: Option<String>,
    cwd: Option<PathBuf>,
    description: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    restart: Option<RestartPolicy>,
    restart_knobs: Option<RestartKnobs>,
    idle_after: Option<SignedDuration>,
    wake_policy: Option<WakePolicy>,
    #[serde(default)]
    limits: Limits,
    policy: Option<String>,
    sandbox: Option<Sandbox>,
    #[serde(default = "yes")]
    start: bool,
}

fn yes() -> bool {
    true
}

/// The peers that the file at `path` declares, by name; whether they can be, the fleet judges.
///
/// # Errors
/// [`FleetError::BadConfig`]: the file can not be read, or with the line and the nearest key; [`FleetError::Io`] where
/// the working folder is gone.
pub fn load(path: &Path) -> Result<Vec<CreatePeer>, FleetError> {
    let path = std::path::absolute(path).map_err(|source| FleetError::io("resolve", path, source))?;
    let bad = |why| FleetError::BadConfig { path: path.clone(), why };
    let text = super::text(&path)?.ok_or_else(|| bad("there is no such file".into()))?;
    let file: ProjectFile = toml::from_str(&text).map_err(|error| bad(explain(&text, &error)))?;
    if file.peer.len() > PEERS_MAX {
        return Err(bad(format!("it declares {} peers; {PEERS_MAX} are the limit", file.peer.len())));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    Ok(file.peer.into_iter().map(|(name, table)| table.wish(name, folder)).collect())
}

impl PeerTable {
    fn wish(self, name: String, folder: &Path) -> CreatePeer {
        let cwd = self.cwd.map_or_else(|| folder.to_owned(), |cwd| folder.join(cwd));
        CreatePeer {
            name,
            runtime: self.runtime,
            // Without its dots, so that `cwd = "."` means the same folder as no `cwd`.
            cwd: std::path::absolute(&cwd).unwrap_or(cwd),
            description: self.description,
            command: self.command,
            env: self.env,
            restart: self.restart,
            restart_knobs: self.restart_knobs,
            idle_after: self.idle_after,
            wake_policy: self.wake_policy,
            limits: self.limits,
            policy: self.policy,
            sandbox: self.sandbox,
            start: self.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<CreatePeer>, FleetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROJECT_FILE);
        std::fs::write(&path, text).unwrap();
        let mut peers = load(&path)?;
        // The folder's own name differs from run to run.
        peers.iter_mut().for_each(|peer| {
            peer.cwd = Path::new("/project").join(peer.cwd.strip_prefix(folder.path()).unwrap_or(&peer.cwd));
        });
        Ok(peers)
    }

    #[test]
    fn what_a_file_leaves_out_has_a_default() {
        let peers = of("[peer.web]\n[peer.api]\ncwd = \"./api\"\nstart = false\nenv = { PORT = \"1\" }").unwrap();
        let [api, web] = peers.as_slice() else { panic!("{peers:?}") };
        assert_eq!((api.name.as_str(), api.cwd.to_str(), api.start), ("api", Some("/project/api"), false));
        assert_eq!((web.name.as_str(), web.cwd.to_str(), web.start), ("web", Some("/project/"), true));
        assert_eq!(of("").unwrap(), []);
    }

    #[test]
    fn what_is_no_text_of_a_bounded_length_is_refused_as_such() {
        for (path, why) in [
            ("/dev/zero", "it has more than 1048576 bytes"),
            ("/", "it can not be read: Is a directory"),
            ("/nonexistent", "there is no such file"),
        ] {
            let error = load(Path::new(path)).unwrap_err();
            assert_eq!(error.code(), "bad-config");
            assert!(error.to_string().contains(why), "{path}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROJECT_FILE);
        std::fs::write(&path, b"\xff\xfe[peer.web]").unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("valid UTF-8"));
    }

    #[test]
    fn a_slip_is_told_with_its_line_and_the_nearest_key() {
        for (text, why) in [
            ("[peer.web]\ncomand = [\"x\"]", "line 2: unknown key \"comand\"; did you mean \"command\"?"),
            ("[peers.web]", "unknown key \"peers\"; did you mean \"peer\"?"),
            ("[peer.web]\nrestart = \"sometimes\"", "line 2: unknown variant `sometimes`"),
            ("[peer.web]\ncommand = \"x\"", "line 2: invalid type"),
            ("[peer.web", "line 1"),
        ] {
            let error = of(text).unwrap_err();
            assert_eq!(error.code(), "bad-config");
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
