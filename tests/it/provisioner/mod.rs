//! The memory provider as people and programs meet it: a fake one that keeps a journal, and a real daemon.
mod hostile;
mod joints;
mod plugin;
mod sweeps;
mod told;

use crate::support::{Daemon, Root, eventually};
use serde_json::{Value, json};
use std::{
    ops::Deref,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What every fake begins with: each call is one line of its journal, its arguments apart by `|`. One write a line, for
/// two of them run at once.
const JOURNALING: &str = "#!/bin/sh\ncall=$(printf '%s|' \"$@\")\nprintf '%s\\n' \"$call\" >>JOURNAL\n";

/// A daemon whose agents are `agent` and `other`, and a provider that does what a script says.
pub struct House {
    pub daemon: Daemon,
}

impl Deref for House {
    type Target = Daemon;
    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl House {
    pub async fn new(provider: &str) -> Self {
        Self::with("", provider).await
    }

    /// With more in the config.
    pub async fn with(config: &str, provider: &str) -> Self {
        let agents = "[runtime.agent]\nkind = \"agent\"\nargv = [\"sleep\", \"3600\"]\n\
                      [runtime.other]\nkind = \"agent\"\nargv = [\"sleep\", \"3600\"]\n";
        let root = Root::with(&[("home/.config/coalmine/config.toml", &format!("{config}\n{agents}"))]);
        let house = Self { daemon: Daemon::on(root).await };
        house.provider(provider);
        house
    }

    /// Puts this script in the provider's place, after the line that keeps its journal.
    pub fn provider(&self, script: &str) {
        let journal = self.folder().join("provider.journal").display().to_string();
        program(&self.program(), &format!("{}{script}\n", JOURNALING.replace("JOURNAL", &journal)));
    }

    pub fn program(&self) -> PathBuf {
        self.folder().join("provider")
    }

    /// A command block with `verb` in front of what the tests look at.
    pub fn block(&self, verb: &str) -> Value {
        json!({ "command": self.program(), "args": [verb, "{personality}", "{runtime}", "{occasion}", "--cwd={cwd}"] })
    }

    /// Declares these blocks.
    pub fn declare(&self, blocks: Value) {
        declare(&self.daemon, blocks);
    }

    /// Declares both directions.
    pub fn declare_both(&self) {
        self.declare(json!({ "provision": self.block("on"), "unprovision": self.block("off") }));
    }

    /// What the provider was called with, in order.
    pub fn calls(&self) -> Vec<String> {
        self.read("provider.journal").lines().map(ToOwned::to_owned).collect()
    }

    /// An agent that is made and not started.
    pub fn make(&self, name: &str) -> Value {
        self.ask(&["create", name, "--runtime", "agent"])
    }

    /// The line of a call, as the journal has it.
    pub fn call(&self, words: &str) -> String {
        format!("{}|--cwd={}|", words.replace(' ', "|"), self.folder().display())
    }

    /// Waits until the journal of the fleet holds so many events, and gives them.
    pub async fn until_events(&self, ev: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} events {ev}"), || async {
            let said = self.coalmine(&["--json", "events"]);
            let events: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found: Vec<_> = events.into_iter().filter(|event| event["ev"] == ev).collect();
            (found.len() >= count).then_some(found)
        })
        .await
    }
}

/// A field of an event.
pub fn field<'e>(event: &'e Value, key: &str) -> &'e str {
    let fields = event["fields"].as_array().unwrap();
    let found = fields.iter().find(|field| field[0] == key).unwrap_or_else(|| panic!("{key} is not in {event}"));
    found[1].as_str().unwrap()
}

/// Writes a declaration with these blocks, as a provider does: beside it, then renamed.
pub fn declare(root: &Root, blocks: Value) {
    let mut all = json!({ "provider": "mem", "package": "mem-package", "version": "1.2.0", "registeredAt": "now" });
    all.as_object_mut().unwrap().extend(blocks.as_object().unwrap().clone());
    let (new, file) = (root.path().join("provider.new"), root.path().join("memory-provider.json"));
    std::fs::write(&new, all.to_string()).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// An executable file, put in place whole: the old one may be running.
pub fn program(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, path).unwrap();
}
