//! Reads `fleet.json`: one bad record never hides the others. Pure.

use super::document::{BadRecord, Document, PeerSpec};
use crate::{
    names::{Generation, Identity, Runtime},
    peer::restart_policy::RestartLimit,
    runtime::check_idle_after,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::HashMap, path::Path};

/// The format that this build writes, and the newest that it reads.
pub const VERSION: u64 = 1;

/// Why a file as a whole is no registry. Nothing is ever written over such a file.
#[derive(Debug, thiserror::Error)]
pub enum BadDocument {
    /// It is not JSON.
    #[error("it is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// Its parts are not what they must be.
    #[error("{0}")]
    Shape(&'static str),
    /// A later version of this program wrote it.
    #[error("it was written by a newer coalmine (format {found}, this one knows {VERSION})")]
    Newer {
        /// The format that it names.
        found: u64,
    },
}

/// Reads the bytes of `fleet.json`.
///
/// # Errors
/// [`BadDocument`] when the file as a whole can not be used. Bad records are not errors: see [`Document::bad`].
pub fn parse(bytes: &[u8]) -> Result<Document, BadDocument> {
    let Value::Object(mut file) = serde_json::from_slice(bytes).map_err(BadDocument::NotJson)? else {
        return Err(BadDocument::Shape("it is not a JSON object"));
    };
    match file.shift_remove("version").map(|version| version.as_u64()) {
        Some(None) => return Err(BadDocument::Shape("`version` is not a number")),
        Some(Some(found)) if found > VERSION => return Err(BadDocument::Newer { found }),
        _ => {}
    }
    let records = match file.shift_remove("peers") {
        Some(Value::Array(records)) => records,
        Some(_) => return Err(BadDocument::Shape("`peers` is not a list")),
        None => return Err(BadDocument::Shape("`peers` is missing")),
    };
    let retired = match file.shift_remove("retired") {
        Some(Value::Object(retired)) => retired,
        Some(_) => return Err(BadDocument::Shape("`retired` is not an object")),
        None => Map::new(),
    };
    let mut document = Document { extra: file, ..Document::default() };
    read_records(records, &mut document);
    read_retired(retired, &mut document);
    Ok(document)
}

fn read_records(records: Vec<Value>, document: &mut Document) {
    let mut first_at = HashMap::new();
    for (index, raw) in records.into_iter().enumerate() {
        let read = read_peer(&raw).and_then(|peer| match first_at.get(&peer.personality) {
            Some(first) => Err(format!("duplicate of record {first}: {}", peer.personality)),
            None => Ok(peer),
        });
        match read {
            Ok(peer) => {
                first_at.insert(peer.personality.clone(), index);
                document.peers.push(peer);
            }
            Err(why) => document.bad.push(BadRecord { index, raw, why }),
        }
    }
}

fn read_peer(raw: &Value) -> Result<PeerSpec, String> {
    if !raw.is_object() {
        return Err("it is not an object".into());
    }
    let mut peer = PeerSpec::deserialize(raw).map_err(|error| error.to_string())?;
    let mut seen: Vec<Runtime> = Vec::new();
    peer.runtimes.retain(|runtime| {
        let new = !seen.contains(runtime);
        seen.push(runtime.clone());
        new
    });
    check(&peer)?;
    Ok(peer)
}

/// What must hold of every peer beyond its fields' types.
///
/// # Errors
/// The first thing that is wrong, as a text.
pub fn check(peer: &PeerSpec) -> Result<(), String> {
    let commands = || peer.command.iter().chain(peer.commands.values());
    if !peer.runtimes.contains(&peer.default_runtime) {
        return Err(format!("default_runtime {} is not among its runtimes", peer.default_runtime));
    }
    if !peer.cwd.is_absolute() {
        return Err(format!("cwd {} is not an absolute path", peer.cwd.display()));
    }
    if peer.cwd.to_str().is_none() {
        return Err(format!("cwd {:?} is not UTF-8, which JSON needs", peer.cwd));
    }
    if has_nul(&peer.cwd) || commands().flatten().any(|word| word.contains('\0')) {
        return Err("cwd or command holds a NUL character".into());
    }
    if let Some(knobs) = peer.restart_knobs {
        knobs.limit(RestartLimit::default()).map_err(|why| format!("restart_knobs.{why}"))?;
    }
    check_idle_after(peer.idle_after).map_err(|why| format!("idle_after {why}"))?;
    peer.limits.check().map_err(|why| format!("limits.{why}"))?;
    if commands().any(Vec::is_empty) {
        return Err("command is empty".into());
    }
    if let Some((key, _)) = peer.env.iter().find(|(key, value)| !is_variable(key, value)) {
        return Err(format!("env {key:?} can not be a variable"));
    }
    Ok(())
}

fn has_nul(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&0)
}

fn is_variable(key: &str, value: &str) -> bool {
    !key.is_empty() && !key.contains(['=', '\0']) && !value.contains('\0')
}

fn read_retired(retired: Map<String, Value>, document: &mut Document) {
    for (key, value) in retired {
        match (key.parse::<Identity>(), value.as_u64()) {
            (Ok(identity), Some(generation)) => {
                document.retired.insert(identity, Generation(generation));
            }
            _ => {
                document.bad_retired.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::render::render;
    use serde_json::json;

    fn bob() -> Value {
        json!({ "personality": "bob", "runtimes": ["claude"], "default_runtime": "claude", "cwd": "/b" })
    }

    /// A record like bob's with one more key, or with one changed.
    fn with(key: &str, value: Value) -> Value {
        let mut record = bob();
        record[key] = value;
        record
    }

    fn read(peers: Value) -> Document {
        parse(json!({ "version": 1, "peers": peers }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_bad_record_is_told_and_left_out() {
        for (record, why) in [
            (json!("bob"), "it is not an object"),
            (json!({ "personality": "bob" }), "missing field `runtimes`"),
            (with("personality", json!("Bob")), "does not start with a lower-case letter"),
            (with("runtimes", json!([])), "default_runtime claude is not among its runtimes"),
            (with("runtimes", json!(["cl-aude"])), "may hold only a-z and 0-9"),
            (with("default_runtime", json!("codex")), "default_runtime codex is not among"),
            (with("cwd", json!("b")), "cwd b is not an absolute path"),
            (with("cwd", json!("/b\0")), "NUL"),
            (with("restart", json!("sometimes")), "unknown variant `sometimes`"),
            (with("command", json!([])), "command is empty"),
            (with("env", json!({ "A=B": "1" })), "env \"A=B\" can not be a variable"),
            (with("limits", json!({ "memory_max": "abc" })), "as in 512M"),
            (with("limits", json!({ "tasks_max": 1 })), "limits.tasks_max is 1; it must be 8 to"),
            (with("restart_knobs", json!({ "window": "-1s" })), "restart_knobs.window must be over 0"),
            (with("idle_after", json!("-1s")), "idle_after must be 0 (never) to 30 days"),
            (with("phase", json!("dead")), "unknown variant `dead`"),
        ] {
            let anna = json!({ "personality": "anna", "runtimes": ["shell"], "default_runtime": "shell", "cwd": "/a" });
            let document = read(json!([record, anna]));
            assert_eq!(document.peers.len(), 1, "anna stays: {record}");
            assert!(document.bad[0].why.contains(why), "{record}: {}", document.bad[0].why);
            assert!(document.problems()[0].contains("record 0"), "{:?}", document.problems());
        }
    }

    #[test]
    fn the_second_record_of_a_name_is_the_bad_one() {
        let document = read(json!([bob(), with("cwd", json!("/elsewhere"))]));
        assert_eq!(document.peers[0].cwd, Path::new("/b"));
        assert_eq!(document.bad[0].why, "duplicate of record 0: bob");
    }

    #[test]
    fn a_runtime_that_is_listed_twice_counts_once() {
        assert_eq!(read(json!([with("runtimes", json!(["claude", "claude"]))])).peers[0].runtimes.len(), 1);
    }

    #[test]
    fn a_file_that_is_no_registry_is_refused() {
        for (text, why) in [
            ("", "it is not JSON"),
            ("{", "it is not JSON"),
            ("[]", "it is not a JSON object"),
            ("{}", "`peers` is missing"),
            (r#"{"peers":{}}"#, "`peers` is not a list"),
            (r#"{"peers":[],"retired":[]}"#, "`retired` is not an object"),
            (r#"{"version":"1","peers":[]}"#, "`version` is not a number"),
            (r#"{"version":2,"peers":[]}"#, "it was written by a newer coalmine (format 2, this one knows 1)"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), why, "{text}");
        }
    }

    /// A file of the first released format, with everything that a later one or a hand may have put into it.
    const OLD: &str = r#"{
  "version": 1,
  "peers": [
    {
      "personality": "zoe"
    },
    {
      "personality": "bob",
      "runtimes": [
        "claude",
        "codex"
      ],
      "default_runtime": "codex",
      "cwd": "/home/bob",
      "description": "the builder",
      "intelligence": "natural",
      "command": [
        "sh",
        "-c",
        "true"
      ],
      "env": {
        "A": "1"
      },
      "restart": "never",
      "policy": "strict",
      "phase": "newborn",
      "interfaces": [
        "mcp"
      ],
      "moods": {
        "on": "mail"
      }
    },
    17
  ],
  "retired": {
    "claude-anna": 7,
    "nobody": "x"
  },
  "theme": "dark"
}
"#;

    #[test]
    fn what_is_not_understood_is_written_back_where_it_was() {
        let document = parse(OLD.as_bytes()).unwrap();
        assert_eq!(document.problems().len(), 3);
        assert_eq!(document.retired.len(), 1);
        assert_eq!(render(&document).unwrap(), OLD);
    }
}
