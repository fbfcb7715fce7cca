//! A fleet in a root of its own. When it is dropped, also by a failing test, every process that bears a mark of
//! this root is ended and the root removed.

use super::{bearers, eventually};
use coalmine::{
    Fleet, FleetBuilder, FleetHandle,
    actors::{
        fleet::request::CreatePeer,
        peer::restart_policy::RestartLimit,
        view::{Event, PeerView, PhaseName},
    },
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A fleet under test.
pub struct Rig {
    /// The fleet.
    pub fleet: FleetHandle,
    root: TempDir,
}

/// The helper that was built with these tests.
pub fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_coalmine-helper"))
}

impl Rig {
    /// A fleet with the defaults.
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// A fleet whose peers wait for nothing between their lives, however often they die.
    pub async fn impatient() -> Self {
        let limit = RestartLimit { delay_first_ms: 0, ..RestartLimit::default() };
        Self::with(|builder| builder.restart_limit(limit)).await
    }

    /// A fleet as `shape` makes it.
    pub async fn with(shape: impl FnOnce(FleetBuilder) -> FleetBuilder) -> Self {
        let root = tempfile::Builder::new().prefix("cm-").tempdir().unwrap();
        let fleet = shape(Fleet::builder().root(root.path()).helper(helper())).start().await.unwrap();
        Self { fleet, root }
    }

    /// The state root.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A request for a `shell` peer that runs `script`, started at once.
    pub fn script(&self, name: &str, script: &str) -> CreatePeer {
        CreatePeer {
            name: name.into(),
            cwd: self.root.path().into(),
            command: vec!["/bin/sh".into(), "-c".into(), script.into()],
            start: true,
            ..CreatePeer::default()
        }
    }

    /// A peer that does nothing for an hour.
    pub async fn sleeper(&self, name: &str) -> PeerView {
        self.fleet.create(self.script(name, "exec sleep 3600")).await.unwrap().peer
    }

    /// The only identity of this name, as it is now.
    pub fn view(&self, name: &str) -> PeerView {
        self.fleet.show(name).unwrap().remove(0)
    }

    /// Waits until NAME satisfies the condition; a failure tells all that is known.
    pub async fn until(&self, name: &str, what: &str, condition: impl Fn(&PeerView) -> bool) -> PeerView {
        let deadline = tokio::time::Instant::now() + super::PATIENCE;
        loop {
            let view = self.view(name);
            if condition(&view) {
                return view;
            }
            if tokio::time::Instant::now() > deadline {
                let panes = self.outsider(&view, &["list-panes", "-a", "-F", "#{pane_id} dead=#{pane_dead}"]);
                let (events, exits) = (self.events().await, self.exits());
                panic!("{name} is never {what}:\n{view:#?}\n{panes:?}\n{exits:#?}\n{events:#?}");
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Waits until NAME lives its `generation`th life and is up.
    pub async fn until_up(&self, name: &str, generation: u64) -> PeerView {
        self.until(name, &format!("up in life {generation}"), |view| {
            view.phase == PhaseName::Up && view.generation.0 == generation
        })
        .await
    }

    /// Everything in the journal so far.
    pub async fn events(&self) -> Vec<Event> {
        self.fleet.events_after(0, 100_000).await.unwrap()
    }

    /// Waits until the journal holds `count` events of this kind, and gives them.
    pub async fn until_events(&self, ev: &str, count: usize) -> Vec<Event> {
        eventually(&format!("{count} events {ev}"), || async {
            let mut events = self.events().await;
            events.retain(|event| event.ev == ev);
            (events.len() >= count).then_some(events)
        })
        .await
    }

    /// The lines of exits.log.
    pub fn exits(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root().join("journal/exits.log")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// The records of deaths.
    pub fn records(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.root().join("journal/server-deaths")).unwrap();
        let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
        files.sort();
        files
    }

    /// Waits until nothing that a death set going is under way: every life but those that live is settled.
    pub async fn settled(&self, name: &str) {
        let file = self.fleet.paths().peer(&self.view(name).identity).join("state.json");
        eventually("all deaths settled", || async {
            let text = std::fs::read_to_string(&file).ok()?;
            let state: serde_json::Value = serde_json::from_str(&text).ok()?;
            let live = usize::from(self.view(name).server_pid.is_some());
            (state["lives"].as_array()?.len() == live).then_some(())
        })
        .await;
    }

    /// Calls tmux as an outsider would, against a peer's own socket.
    pub fn outsider(&self, view: &PeerView, args: &[&str]) -> std::process::Output {
        let socket = self.fleet.paths().peer_socket(&view.identity);
        std::process::Command::new("tmux").arg("-N").arg("-S").arg(socket).args(args).output().unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // The tree first: a fleet that sees a server die starts its next life.
        let fleet = self.fleet.clone();
        let runtime = tokio::runtime::Handle::current();
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(fleet.shutdown())).join()).unwrap();
        bearers::clear(self.root.path());
    }
}
