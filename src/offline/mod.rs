//! The fleet as its files tell it when no daemon answers: `fleet.json` and `peers/*/state.json`, read only.
//!
//! Nothing here is claimed that was not seen: a server is named as running only when a process with its pid *and*
//! its start time lives in the boot that the file names.

mod host;
mod registry;
mod view;

pub use host::Host;

use crate::{
    config::Config,
    fleet::{
        plan::{Plan, plan},
        start::rules,
    },
    io::{
        effects::{Keys, Policies},
        provisioner, traces,
    },
    paths::Paths,
};
use coalmine_actors::{
    error::FleetError,
    fleet::request::CreatePeer,
    names::{BadName, Identity, Personality},
    peer::{config::FleetRules, file::PeerFile},
    provisioner::view::SlotView,
    registry::{
        document::{Document, RegistryPhase},
        nearest::nearest,
    },
    view::{FleetStatus, PeerView, PhaseName},
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Largest `fleet.json` and `state.json` that are read, bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A fleet's files, as they stood when they were opened.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    document: Document,
    peers: Vec<PeerView>,
    state_problems: Vec<String>,
    slot: Option<SlotView>,
}

impl Files {
    /// Reads the fleet below `root`, of which `config` says the rest; a root that is not there is an empty fleet. Blocks.
    ///
    /// # Errors
    /// [`FleetError::Damaged`] when neither `fleet.json` nor its backup can be read; [`FleetError::Io`].
    pub fn open(root: &Path, config: &Config) -> Result<Self, FleetError> {
        let paths = match Paths::new(root) {
            Ok(paths) => paths,
            Err(FleetError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::empty(root));
            }
            Err(error) => return Err(error),
        };
        let document = document(&paths)?;
        let mut files = Self { root: paths.root().to_path_buf(), document, ..Self::empty(root) };
        files.slot = Some(slot_view(&paths));
        files.look(&paths, &rules(config)?, &Host::now());
        Ok(files)
    }

    fn empty(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            document: Document::default(),
            peers: Vec::new(),
            state_problems: Vec::new(),
            slot: None,
        }
    }

    fn look(&mut self, paths: &Paths, rules: &FleetRules, host: &Host) {
        for spec in self.document.peers.iter().filter(|spec| spec.phase != Some(RegistryPhase::Newborn)) {
            for identity in spec.identities() {
                let path = paths.peer(&identity).join("state.json");
                let file = match peer_file(&path) {
                    Ok(file) if path.exists() => file,
                    // What lives is told, also where the file that should tell of it is lost or damaged.
                    kept => {
                        self.state_problems.extend(kept.err());
                        traces::rebuild(paths, &identity).unwrap_or_default()
                    }
                };
                self.peers.push(view::of(spec, identity, rules, &file, host, written(&path, paths)));
            }
        }
        self.peers.sort_by(|a, b| a.identity.cmp(&b.identity));
    }

    /// All peers, by identity.
    pub fn list(&self) -> Vec<PeerView> {
        self.peers.clone()
    }

    /// The identities that NAME means: one for an identity, all of a personality.
    ///
    /// # Errors
    /// A bad name, or one that is unknown, with the nearest ones.
    pub fn show(&self, name: &str) -> Result<Vec<PeerView>, FleetError> {
        check(name)?;
        let of = |wanted: &dyn Fn(&PeerView) -> bool| self.peers.iter().filter(|peer| wanted(peer)).cloned().collect();
        let found: Vec<_> = of(&|peer| peer.personality.as_str() == name);
        if !found.is_empty() {
            return Ok(found);
        }
        let found: Vec<_> = of(&|peer| peer.identity.to_string() == name);
        if found.is_empty() { Err(self.unknown(name)) } else { Ok(found) }
    }

    /// The one identity that NAME means: itself, or a personality's default.
    ///
    /// # Errors
    /// As [`Files::show`].
    pub fn identity(&self, name: &str) -> Result<Identity, FleetError> {
        check(name)?;
        if let Some(spec) = self.document.peers.iter().find(|spec| spec.personality.as_str() == name) {
            return Ok(spec.default_identity());
        }
        let named = self.peers.iter().map(|peer| &peer.identity).find(|identity| identity.to_string() == name);
        named.cloned().ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> FleetError {
        let names = self.peers.iter().flat_map(|peer| [peer.personality.to_string(), peer.identity.to_string()]);
        let mut names: Vec<_> = names.collect();
        names.sort();
        names.dedup();
        FleetError::UnknownPeer { name: name.to_owned(), nearest: nearest(name, names.iter().map(String::as_str)) }
    }

    /// What making all of `declared` would change, under this configuration.
    ///
    /// # Errors
    /// The host does not say which boot this is.
    pub fn plan(&self, declared: Vec<CreatePeer>, config: &Config) -> Result<Plan, FleetError> {
        let policies = Policies::of_root(&self.root).keeping(Keys::of(config.providers.clone()));
        Ok(plan(&self.document, &self.peers, declared, &rules(config)?, &policies))
    }

    /// What is wrong with `fleet.json`, one text each.
    pub fn registry_problems(&self) -> Vec<String> {
        self.document.problems()
    }

    /// What is wrong with any of the files, one text each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.document.problems();
        problems.extend(self.state_problems.iter().cloned());
        problems
    }

    /// The fleet as a whole. The journal's last number is not looked for: it would mean reading all of it.
    pub fn status(&self) -> FleetStatus {
        let mut phases: Vec<(PhaseName, usize)> = Vec::new();
        for peer in &self.peers {
            match phases.iter_mut().find(|(phase, _)| *phase == peer.phase) {
                Some((_, count)) => *count += 1,
                None => phases.push((peer.phase, 1)),
            }
        }
        let attention = self.peers.iter().filter(|peer| {
            matches!(peer.phase, PhaseName::NeedsAttention | PhaseName::Quarantined | PhaseName::Blocked)
        });
        FleetStatus {
            daemon_pid: None,
            since: None,
            version: env!("CARGO_PKG_VERSION").into(),
            root: self.root.clone(),
            phases,
            attention: attention.map(|peer| (peer.identity.clone(), peer.phase.to_string())).collect(),
            last_seq: 0,
            memory: None,
            effects: None,
            mail: None,
            attachments: None,
            memory_slot: self.slot.clone(),
            records_owed: 0,
            unavailable: Vec::new(),
            problems: self.problems(),
        }
    }
}

/// Who belongs to the fleet.
///
/// # Errors
/// [`FleetError::Damaged`] when neither `fleet.json` nor its backup can be read; [`FleetError::Io`].
pub fn document(paths: &Paths) -> Result<Document, FleetError> {
    registry::read(&paths.registry())
}

/// Refuses what can be neither a personality nor an identity.
fn check(name: &str) -> Result<(), BadName> {
    name.parse::<Personality>().map(drop).or_else(|bad| name.parse::<Identity>().map(drop).map_err(|_| bad))
}

/// The memory slot, by its file.
fn slot_view(paths: &Paths) -> SlotView {
    let slot = provisioner::read_slot(paths);
    let heartbeat = slot.provider.as_ref().and_then(|provider| provisioner::touched(provider.heartbeat.as_ref()?));
    SlotView::of(slot, heartbeat)
}

/// A peer's `state.json`; a missing one is a peer that never lived.
///
/// # Errors
/// Which file can not be used, and why, as a text.
pub fn peer_file(path: &Path) -> Result<PeerFile, String> {
    match read(path) {
        Ok(None) => Ok(PeerFile::default()),
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// A whole file within the limit; nothing where there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some(bytes))
}

/// When a state was written last, for a peer that no life dates.
fn written(state: &Path, paths: &Paths) -> jiff::Timestamp {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let at = changed(state).or_else(|| changed(&paths.registry()));
    at.and_then(|at| at.try_into().ok()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
