//! Paths, patterns of them, and places that may be a path.

use super::{super::folder::PATH_BYTES_MAX, Argument, Unfit, text_of, text_schema, without_nul};
use serde_json::{Value, json};
use std::path::PathBuf;

/// An absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathArg(pub PathBuf);

impl Argument for PathArg {
    const SHAPE: &'static str = "path";

    fn read(given: Value) -> Result<Self, Unfit> {
        let text = without_nul(text_of(given, PATH_BYTES_MAX)?)?;
        match text.as_bytes().first() {
            None => Err(Unfit::is_not("is empty")),
            Some(b'/') => Ok(Self(text.into())),
            Some(_) => Err(Unfit::is_not("is not an absolute path")),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": PATH_BYTES_MAX, "pattern": "^/" })
    }
}

/// Where a log or a database is: a path, or the one word for a place that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<const WORD: char> {
    /// `-` for the session's own log, `:` (as in `:memory:`) for a database in memory.
    Own,
    /// A file.
    At(PathArg),
}

impl<const WORD: char> Argument for Place<WORD> {
    const SHAPE: &'static str = if WORD == ':' { "path or `:memory:`" } else { "path or `-`" };

    fn read(given: Value) -> Result<Self, Unfit> {
        let own = if WORD == ':' { ":memory:" } else { "-" };
        if given == own { Ok(Self::Own) } else { PathArg::read(given).map(Self::At) }
    }

    fn schema() -> Value {
        text_schema(PATH_BYTES_MAX)
    }
}

/// An absolute path that may hold `*`, `?`, `[…]` and `**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub PathArg);

impl Pattern {
    /// The folder above the first part that is a pattern, and the rest.
    pub fn split(&self) -> (PathBuf, PathBuf) {
        let is_plain = |part: &std::path::Component<'_>| {
            !part.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
        };
        let parts = self.0.0.components();
        let folder: PathBuf = parts.clone().take_while(is_plain).collect();
        (folder, parts.skip_while(is_plain).collect())
    }
}

impl Argument for Pattern {
    const SHAPE: &'static str = "pattern";

    fn read(given: Value) -> Result<Self, Unfit> {
        PathArg::read(given).map(Self)
    }

    fn schema() -> Value {
        PathArg::schema()
    }
}
