//! What a program writes down of what it was told, as data of its runtime, and which of those lines say that a message
//! was read.
//!
//! An agent's transcript is a file of lines, most often JSON. What its user entered stands there, and so does what the
//! agent itself says; the words of [`Transcript::entry`] tell one from the other. A word with a quote within it, such as
//! `"role":"user"`, is part of a JSON line's structure and nothing that somebody said: what is said has its quotes
//! escaped.

use super::envelope::{Opening, openings};
use crate::ports::Answer;
use jiff::Timestamp;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Most folders that a definition names, and most words.
const PARTS_MAX: usize = 16;

/// Where a program writes what it was told, and how its user's lines are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// Folders at or below which its files are: `/…`, `~/…`, or `$NAME/…` with a variable of the peer's. The first one
    /// counts whose variable has a value.
    pub folders: Vec<String>,
    /// The names of its files, as a glob: `rollout-*.jsonl`.
    pub files: String,
    /// Words that a line holds, all of them, where it is what the program's user entered.
    pub entry: Vec<String>,
}

impl Transcript {
    /// Checks all but the glob.
    ///
    /// # Errors
    /// The key, and what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, parts) in [("folders", &self.folders), ("entry", &self.entry)] {
            if parts.is_empty() || parts.len() > PARTS_MAX {
                return Err((key, format!("has {} values; it must have 1 to {PARTS_MAX}", parts.len())));
            }
        }
        if let Some(folder) = self.folders.iter().find(|folder| Folder::parse(folder).is_none()) {
            return Err(("folders", format!("{folder:?} must begin with /, ~/ or $NAME/ and have no .. in it")));
        }
        if self.entry.iter().any(|word| word.trim().is_empty() || word.contains('\n')) {
            return Err(("entry", "an empty word is in every line, and one of two lines in none".into()));
        }
        if self.files.is_empty() || self.files.contains('/') {
            return Err(("files", format!("{:?} must be a file's name, like rollout-*.jsonl", self.files)));
        }
        Ok(())
    }

    /// Where a peer with these variables has its transcripts; nothing where none of the folders can be told.
    pub fn folder(&self, variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
        self.folders.iter().find_map(|folder| {
            let Folder { variable: name, rest } = Folder::parse(folder)?;
            let base = match name {
                Some(name) => variable(name).map(PathBuf::from).filter(|base| base.is_absolute())?,
                None => PathBuf::from("/"),
            };
            Some(base.join(rest))
        })
    }

    /// The messages that were entered with this line.
    pub fn entered(&self, line: &[u8]) -> Vec<Opening> {
        let holds = |word: &String| memmem::find(line, word.as_bytes()).is_some();
        if !self.entry.iter().all(holds) {
            return Vec::new();
        }
        openings(&String::from_utf8_lossy(line))
    }
}

/// `$NAME/rest`, taken apart.
struct Folder<'t> {
    /// What it begins with; nothing for the root.
    variable: Option<&'t str>,
    rest: &'t str,
}

impl<'t> Folder<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (head, rest) = text.split_once('/').unwrap_or((text, ""));
        let variable = match head {
            "" if !text.is_empty() => None,
            "~" => Some("HOME"),
            head => Some(head.strip_prefix('$').filter(|name| !name.is_empty())?),
        };
        (!rest.starts_with('/') && rest.split('/').all(|part| part != "..")).then_some(Self { variable, rest })
    }
}

/// The transcripts of one peer, as they grow.
pub trait Entries: Send + Sync + 'static {
    /// The messages that were entered since the last look, in files that were written to since then. What stood there
    /// before may be told too.
    fn look(&self, since: Timestamp) -> Answer<Vec<Opening>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::MessageId;
    use proptest::prelude::*;
    use serde_json::json;

    fn transcript() -> Transcript {
        Transcript {
            folders: vec!["$CODEX_HOME/sessions".into(), "~/.codex/sessions".into()],
            files: "rollout-*.jsonl".into(),
            entry: vec![r#""role":"user""#.into(), r#""text":"<coalmine-message "#.into()],
        }
    }

    fn line(role: &str, text: &str) -> Vec<u8> {
        json!({ "payload": { "role": role, "content": [{ "text": text }] } }).to_string().into_bytes()
    }

    fn block(id: MessageId) -> String {
        format!("<coalmine-message id=\"{id}\" from=\"ann\" kind=\"artificial\">\nhello\n</coalmine-message>")
    }

    #[test]
    fn what_the_user_entered_counts_and_what_somebody_quotes_does_not() {
        let id = MessageId::at(7, 7);
        let entered = |line: &[u8]| transcript().entered(line).iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(entered(&line("user", &block(id))), [id]);
        for quoting in [
            line("assistant", &block(id)),
            line("user", &format!("what is this? {}", block(id))),
            line("tool", &String::from_utf8(line("user", &block(id))).unwrap()),
            line("user", &id.to_string()),
            b"\xff\xfe".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(entered(&quoting), [], "{}", String::from_utf8_lossy(&quoting));
        }
    }

    proptest! {
        /// Whatever an agent says, it can not say that it was told something.
        #[test]
        fn nobody_enters_a_message_by_speaking_of_it(before: String, after: String, times in 0..3usize) {
            let mut said = format!("{before}{}{after}", block(MessageId::at(7, 7)));
            for _ in 0..times {
                said = format!("{before}{}", String::from_utf8(line("user", &said)).unwrap());
            }
            prop_assert_eq!(transcript().entered(&line("assistant", &said)), []);
        }
    }

    #[test]
    fn the_first_folder_that_can_be_told_is_meant() {
        for (codex_home, home, folder) in [
            (Some("/c"), Some("/h"), Some("/c/sessions")),
            (None, Some("/h"), Some("/h/.codex/sessions")),
            (Some(""), Some("/h"), Some("/h/.codex/sessions")),
            (Some("c"), Some("/h"), Some("/h/.codex/sessions")),
            (None, Some("h"), None),
            (None, None, None),
        ] {
            let variable = |name: &str| if name == "HOME" { home } else { codex_home }.map(ToOwned::to_owned);
            assert_eq!(transcript().folder(variable), folder.map(PathBuf::from), "{codex_home:?} {home:?}");
        }
        let rooted = Transcript { folders: vec!["/var/log/agent".into()], ..transcript() };
        assert_eq!(rooted.folder(|_| None), Some("/var/log/agent".into()));
    }

    #[test]
    fn a_definition_that_could_never_serve_is_refused_by_its_key() {
        let base = transcript;
        let folders = |folder: &str| Transcript { folders: vec![folder.into()], ..base() };
        let rows = [
            (folders("sessions"), "folders"),
            (folders(""), "folders"),
            (folders("$/x"), "folders"),
            (folders("//x"), "folders"),
            (folders("~/../x"), "folders"),
            (Transcript { folders: Vec::new(), ..base() }, "folders"),
            (Transcript { entry: Vec::new(), ..base() }, "entry"),
            (Transcript { entry: vec![" ".into()], ..base() }, "entry"),
            (Transcript { entry: vec!["x".into(); 17], ..base() }, "entry"),
            (Transcript { files: "a/*.jsonl".into(), ..base() }, "files"),
            (Transcript { files: String::new(), ..base() }, "files"),
        ];
        for (transcript, key) in rows {
            assert_eq!(transcript.check().unwrap_err().0, key, "{transcript:?}");
        }
        for folder in ["/", "~", "~/x", "$HOME", "$X/y z"] {
            assert_eq!(folders(folder).check(), Ok(()), "{folder}");
        }
    }
}
