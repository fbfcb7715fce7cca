//! The place where a program takes its input: how it looks, as data of a runtime, and what a look at it found.

use super::id::MessageId;
use crate::runtime::Attention;
use serde::{Deserialize, Serialize};

/// How something is typed into a program, and how its screen tells what became of it. The patterns are regular
/// expressions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composer {
    /// Matches where the composer is on the screen, whatever it holds, and ends in its first line. The last match is
    /// meant.
    pub shown: String,
    /// Matches that line where it holds nothing. Text that is drawn faint, as hints are, is blank there.
    pub empty: String,
    /// Matches the last lines of the screen while the program works: nothing may be typed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// The keys that hand over what it holds, in tmux's names.
    #[serde(default = "enter")]
    pub submit: Vec<String>,
    /// The keys that interrupt the program's work; none where it can not be interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupt: Vec<String>,
}

/// How something is typed into a peer, and what may stand before its composer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub composer: Composer,
    /// Screens on which it waits for a person.
    pub dialogs: Vec<Attention>,
}

fn enter() -> Vec<String> {
    vec!["Enter".into()]
}

/// What a composer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It is not on the screen.
    Absent,
    /// Nothing.
    Nothing,
    /// Something.
    Something,
}

/// What the terminal's server remembers: it outlives the daemon, and writes this down with the act itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// The message that was pasted last in this life.
    pub pasted: Option<MessageId>,
    /// The message for which the submit keys were pressed last.
    pub pressed: Option<MessageId>,
}

/// What one look at a terminal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// What the composer holds.
    pub composer: Holds,
    /// The program works.
    pub busy: bool,
    /// A dialog stands before the composer.
    pub dialog: Option<String>,
    /// A person is attached and pressed a key a moment ago.
    pub person: bool,
    /// What was done before.
    pub marks: Marks,
}

impl Sight {
    /// Why nothing may be typed now; nothing where it may.
    pub fn obstacle(&self) -> Option<String> {
        if let Some(dialog) = &self.dialog {
            return Some(format!("a dialog waits for a person: {dialog}"));
        }
        if self.busy {
            return Some("it works".into());
        }
        if self.person {
            return Some("a person is typing".into());
        }
        match self.composer {
            Holds::Nothing => None,
            Holds::Something => Some("its composer holds a text already".into()),
            Holds::Absent => Some("its composer is not on the screen".into()),
        }
    }
}
