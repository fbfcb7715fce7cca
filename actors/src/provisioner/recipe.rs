//! What a runtime needs done so that a memory can be provisioned for it: data of the runtime's definition.

use serde::{Deserialize, Serialize};

/// What is done around a provider's command, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRecipe {
    /// Set before anything is provisioned.
    #[serde(default)]
    pub before_provision: Vec<Setting>,
    /// Set wherever a provider occupies the slot: the runtime's own memory would stand beside it.
    #[serde(default)]
    pub on_slot_occupied: Vec<Setting>,
    /// How a plugin of the runtime's own is installed (v1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginRecipe>,
}

impl MemoryRecipe {
    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One value in one of the runtime's settings files; everything else in the file stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The file, `.json` or `.toml`; `{cwd}` is the peer's folder, a `~/` in front the user's home.
    pub file: String,
    /// The way to the value, key by key; `{cwd}` is replaced in each.
    pub key: Vec<String>,
    /// The value.
    pub value: SettingValue,
}

/// What a setting can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// `true` or `false`.
    Bool(bool),
    /// A text.
    Text(String),
}

/// The runtime's own commands, each with `{name}`, `{marketplace}`, `{marketplaceRef}` and the usual placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginRecipe {
    /// One installation serves every peer of the host: done once, and undone with its last user.
    #[serde(default)]
    pub host_global: bool,
    /// Run one after the other to install it.
    pub on: Vec<Vec<String>>,
    /// Run one after the other to remove it.
    pub off: Vec<Vec<String>>,
}
