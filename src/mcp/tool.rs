//! What a client is told of a tool.

use super::arguments::{Arg, schema};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;

/// One tool.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What it does, for a model that chooses among tools.
    pub(crate) about: &'static str,
    pub(crate) hints: Hints,
    pub(crate) args: &'static [Arg],
}

/// What a call of a tool does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hints {
    /// It changes nothing.
    pub(crate) reads: bool,
    /// What was there may be gone afterwards.
    pub(crate) destroys: bool,
    /// A second time changes nothing more.
    pub(crate) repeats: bool,
    /// It reaches beyond the fleet and its host.
    pub(crate) reaches_out: bool,
}

impl Hints {
    /// Only looks.
    pub(crate) const READS: Self = Self { reads: true, destroys: false, repeats: true, reaches_out: false };
    /// Adds, each time anew.
    pub(crate) const ADDS: Self = Self { reads: false, destroys: false, repeats: false, reaches_out: false };
    /// Adds, and only once.
    pub(crate) const ADDS_ONCE: Self = Self { repeats: true, ..Self::ADDS };
    /// Takes away.
    pub(crate) const REMOVES: Self = Self { reads: false, destroys: true, repeats: true, reaches_out: false };

    /// As the protocol writes it.
    pub(crate) fn annotations(self, title: &str) -> ToolAnnotations {
        let Self { reads, destroys, repeats, reaches_out } = self;
        ToolAnnotations::from_raw(Some(title.into()), Some(reads), Some(destroys), Some(repeats), Some(reaches_out))
    }
}

impl Row {
    /// As the protocol writes it.
    pub(crate) fn tool(&self) -> Tool {
        described(self.name, self.about, schema(self.args))
            .with_title(self.title)
            .with_annotations(self.hints.annotations(self.title))
    }
}

/// A tool with this schema.
pub(crate) fn described(name: impl Into<String>, about: impl Into<String>, schema: Value) -> Tool {
    let schema = match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    Tool::new(name.into(), about.into(), schema)
}
