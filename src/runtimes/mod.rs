//! The built-in runtimes: one TOML file each, embedded; the config overrides them or adds to them.

use coalmine_actors::{names::Runtime, runtime::RuntimeDef};
use std::collections::BTreeMap;

/// Name and definition, as the files of this folder hold them.
const FILES: [(&str, &str); 3] = [
    ("shell", include_str!("shell.toml")),
    ("claude", include_str!("claude.toml")),
    ("codex", include_str!("codex.toml")),
];

/// The runtimes that every fleet knows.
pub fn built_in() -> BTreeMap<Runtime, RuntimeDef> {
    FILES
        .iter()
        .map(|(name, text)| {
            let name: Runtime = name.parse().expect("a built-in name fits the grammar");
            let def = toml::from_str(text).expect("a built-in definition parses: it is tested");
            (name, def)
        })
        .collect()
}

#[cfg(test)]
mod tests;
