//! What every verb needs: where the fleet is, who answers there, and how the answer is written.

use super::{
    background,
    failure::{Failure, Outcome},
    output,
};
use crate::{
    api::{
        client::{Client, ClientError},
        wire::SCHEMA_VERSION,
    },
    config::{self, Config, Overrides, place::Place},
    offline::Files,
    paths::Paths,
    text::one_line,
};
use serde::Serialize;

/// Longest problem that is noted aside, characters.
const PROBLEM_CHARS_MAX: usize = 300;

/// The command line's global part, understood.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) place: Place,
    pub(super) json: bool,
    pub(super) verbose: u8,
}

/// Something that was read, and why files had to serve, where they had to.
pub(super) struct Read<T> {
    pub(super) data: T,
    pub(super) offline: Option<Offline>,
}

/// Why no daemon was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offline {
    /// None runs.
    NotRunning,
    /// One runs, and does not answer.
    Mute,
}

impl Offline {
    /// As it stands beside what was read.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotRunning => "not running",
            Self::Mute => "not answering",
        }
    }
}

impl Context {
    /// A client of the fleet's daemon; whether one answers is another question.
    ///
    /// Fails where there is no state root yet: then there is no daemon either.
    pub(super) fn client(&self) -> Outcome<Client> {
        if let Some(socket) = &self.place.socket {
            return Ok(Client::new(socket));
        }
        match Paths::new(&self.place.root) {
            Ok(paths) => Ok(Client::of(&paths)),
            Err(_) => Err(Failure::no_daemon(format!("there is no fleet in {}", self.place.root.display()))),
        }
    }

    /// A client of a daemon that answers; one is started where none does, unless that is forbidden.
    pub(super) async fn client_or_start(&self, no_daemon: bool) -> Outcome<Client> {
        if let Ok(client) = self.client() {
            match client.status().await {
                Err(error) if error.is_unreachable() && !no_daemon => {}
                // One that starts just now, it may be: it is waited for as if it were ours.
                Err(ClientError::Deaf { .. }) if !no_daemon => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(client),
            }
        }
        if no_daemon {
            return Err(Failure::no_daemon("no daemon answers, and --no-daemon forbids to start one"));
        }
        let (client, pid) = background::start(&self.place, self.verbose).await?;
        self.note(&format!("started the daemon (pid {pid}); `coalmine down` ends it"));
        Ok(client)
    }

    /// What the daemon answers, or what the files say where none does.
    pub(super) async fn read<T>(
        &self,
        ask: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
        look: impl FnOnce(&Files) -> Outcome<T>,
    ) -> Outcome<Read<T>> {
        let mut offline = Offline::NotRunning;
        if let Ok(client) = self.client() {
            match ask(client).await {
                Ok(data) => return Ok(Read { data, offline: None }),
                Err(error) if error.is_mute() => {
                    self.note(&error.to_string());
                    offline = Offline::Mute;
                }
                Err(error) if !error.is_unreachable() => return Err(error.into()),
                Err(_nobody) => {}
            }
        }
        let files = self.files()?;
        for problem in files.problems() {
            self.note(&format!("{}; `coalmine verify` says more", one_line(&problem, PROBLEM_CHARS_MAX)));
        }
        Ok(Read { data: look(&files)?, offline: Some(offline) })
    }

    /// The configuration that a daemon of now would go by. One that can not be read stops no reader.
    pub(super) fn config(&self) -> Config {
        config::load(&self.place.config, &|name| std::env::var(name).ok(), &Overrides::default()).unwrap_or_default()
    }

    /// The fleet's files, told as a daemon of now would go by them.
    pub(super) fn files(&self) -> Outcome<Files> {
        Ok(Files::open(&self.place.root, &self.config())?)
    }

    /// The state root that the answering daemon names, else the one of the command line: with `--socket` the two
    /// may differ.
    pub(super) async fn root(&self) -> std::path::PathBuf {
        if self.place.socket.is_some()
            && let Ok(client) = self.client()
            && let Ok(status) = client.status().await
        {
            return status.root;
        }
        self.place.root.clone()
    }

    /// A word aside on stderr, in the shape that its reader expects there.
    pub(super) fn note(&self, text: &str) {
        if self.json {
            output::note(&output::json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "note": text })));
        } else {
            output::note(text);
        }
    }

    /// Writes a value as a document, or as the text that `human` makes of it.
    pub(super) fn answer<T: Serialize>(&self, data: &T, human: impl FnOnce(&T) -> String) -> Outcome {
        if self.json { output::document(data, None) } else { output::print(&human(data)) }
    }

    /// The same for something that may have been read from files.
    pub(super) fn answer_read<T: Serialize>(&self, read: &Read<T>, human: impl FnOnce(&T) -> String) -> Outcome {
        if self.json {
            output::document(&read.data, read.offline)
        } else {
            output::headed(&human(&read.data), read.offline)
        }
    }
}
