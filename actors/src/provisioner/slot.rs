//! The memory slot: what `memory-provider.json` declares, and what of it had to be dropped, and why. Pure.
//!
//! Nothing is ever refused because of the file: one that is missing or wrong is an empty slot. But never silently:
//! whatever was dropped is a [`Problem`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Largest declaration, bytes.
pub const SLOT_BYTES_MAX: usize = 1024 * 1024;

/// What some editors put before the first character.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What was found where the declaration belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotFile {
    /// No file.
    Missing,
    /// This one, of at most [`SLOT_BYTES_MAX`] bytes.
    Found(Vec<u8>, Stamp),
    /// One that can not be read, and why.
    Unusable(String, Stamp),
}

/// Tells one version of the file from the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The file's inode.
    pub inode: u64,
    /// When it was written last, nanoseconds.
    pub written_ns: i128,
    /// Its length.
    pub bytes: u64,
}

/// The slot as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot {
    /// Who occupies it; nobody in an empty one.
    pub provider: Option<Provider>,
    /// What was dropped.
    pub problems: Vec<Problem>,
}

/// Who keeps the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// The package that it came in.
    pub package: String,
    /// Its version.
    pub version: String,
    /// When it registered itself, in its own words; may be empty.
    pub registered_at: String,
    /// The file that it touches as long as it lives.
    pub heartbeat: Option<PathBuf>,
    /// Brings memory into a peer's folder.
    pub provision: Option<CommandSpec>,
    /// Takes it out again.
    pub unprovision: Option<CommandSpec>,
    /// A plugin of the runtimes' own (v1.1); ignored where there is a command.
    pub plugin: Option<PluginSpec>,
}

impl Provider {
    /// Whether it is called by commands: then the plugin is ignored, also where a command fails.
    pub fn has_commands(&self) -> bool {
        self.provision.is_some() || self.unprovision.is_some()
    }
}

/// A command as it is declared, its placeholders not yet replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// The program, absolute.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A plugin as it is declared (v1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSpec {
    /// Its name in the marketplace.
    pub name: String,
    /// The marketplace's name.
    pub marketplace: String,
    /// Where the marketplace is found.
    pub marketplace_ref: String,
}

/// Something that was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which block: `declaration`, `provision`, `heartbeat`, …
    pub block: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.block, self.why)
    }
}

impl Slot {
    /// What this file declares.
    pub fn of(file: &SlotFile) -> Self {
        match file {
            SlotFile::Missing => Self::default(),
            SlotFile::Found(bytes, _) => parse(bytes),
            SlotFile::Unusable(why, _) => Self::invalid(why),
        }
    }

    fn invalid(why: impl Into<String>) -> Self {
        Self { provider: None, problems: vec![Problem { block: "declaration".into(), why: why.into() }] }
    }
}

/// Reads a declaration.
pub fn parse(bytes: &[u8]) -> Slot {
    if bytes.len() > SLOT_BYTES_MAX {
        return Slot::invalid(too_large(bytes.len() as u64));
    }
    // Said aloud, since nobody sees it in the file.
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Slot::invalid("it begins with a byte order mark (EF BB BF), which JSON has not: write it without");
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(keys)) => declaration(&keys),
        Ok(_) => Slot::invalid("it is not a JSON object"),
        Err(error) => Slot::invalid(format!("it is not JSON: {error}")),
    }
}

/// Why a file of this length is not looked at.
pub fn too_large(bytes: u64) -> String {
    format!("it has {bytes} bytes; {SLOT_BYTES_MAX} are the limit")
}

fn declaration(keys: &Map<String, Value>) -> Slot {
    let mut missing = Vec::new();
    let mut required = |key: &str| {
        let text = word(keys.get(key));
        if text.is_none() {
            missing.push(key.to_owned());
        }
        text.unwrap_or_default()
    };
    let (name, package, version) = (required("provider"), required("package"), required("version"));
    if !missing.is_empty() {
        return Slot::invalid(format!("{} must be text that is not empty", missing.join(", ")));
    }
    let mut problems = Vec::new();
    let provider = Provider {
        name,
        package,
        version,
        registered_at: keys.get("registeredAt").and_then(Value::as_str).unwrap_or_default().to_owned(),
        heartbeat: block(keys, "heartbeat", heartbeat, &mut problems),
        provision: block(keys, "provision", command, &mut problems),
        unprovision: block(keys, "unprovision", command, &mut problems),
        plugin: block(keys, "plugin", plugin, &mut problems),
    };
    Slot { provider: Some(provider), problems }
}

/// An optional part: absent, good, or dropped with the reason.
fn block<T>(
    keys: &Map<String, Value>,
    key: &str,
    read: fn(&Value) -> Result<T, String>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let value = keys.get(key).filter(|value| !value.is_null())?;
    match read(value) {
        Ok(read) => Some(read),
        Err(why) => {
            problems.push(Problem { block: key.to_owned(), why });
            None
        }
    }
}

fn heartbeat(value: &Value) -> Result<PathBuf, String> {
    let path = word(Some(value)).ok_or("it must be a path")?;
    if !is_absolute(&path) {
        return Err(format!("{path:?} is not absolute"));
    }
    Ok(path.into())
}

fn command(value: &Value) -> Result<CommandSpec, String> {
    let keys = value.as_object().ok_or("it must be an object with command and args")?;
    let command = word(keys.get("command")).ok_or("command must be text that is not empty")?;
    if !is_absolute(&command) {
        return Err(format!("command {command:?} is not absolute"));
    }
    let args = keys.get("args").and_then(Value::as_array).ok_or("args must be a list of texts")?;
    let args: Option<Vec<String>> = args.iter().map(|arg| arg.as_str().map(ToOwned::to_owned)).collect();
    let args = args.ok_or("args must be a list of texts")?;
    if args.iter().chain([&command]).any(|text| text.contains('\0')) {
        return Err("no program can be given a NUL character".into());
    }
    Ok(CommandSpec { command, args })
}

fn plugin(value: &Value) -> Result<PluginSpec, String> {
    let keys = value.as_object().ok_or("it must be an object")?;
    let text = |key: &str| {
        let text = word(keys.get(key)).filter(|text| !text.contains('\0'));
        text.ok_or_else(|| format!("{key} must be text that is not empty"))
    };
    Ok(PluginSpec { name: text("name")?, marketplace: text("marketplace")?, marketplace_ref: text("marketplaceRef")? })
}

/// Trimmed text that is not empty.
fn word(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn is_absolute(path: &str) -> bool {
    Path::new(path).is_absolute()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(more: Value) -> Slot {
        let mut all = json!({ "provider": " mem ", "package": "mem-pkg", "version": "1.2" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(all.to_string().as_bytes())
    }

    fn problems(slot: &Slot) -> Vec<String> {
        slot.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_whole_declaration_is_read_and_unknown_keys_are_passed_over() {
        let slot = with(json!({
            "registeredAt": "2026-01-01", "heartbeat": " /run/beat ", "later": [1],
            "provision": { "command": " /bin/mem ", "args": ["on", "{cwd}"], "env": {} },
            "unprovision": { "command": "/bin/mem", "args": [] },
            "plugin": { "name": "p", "marketplace": "m", "marketplaceRef": "o/r" },
        }));
        assert_eq!(slot.problems, []);
        let provider = slot.provider.unwrap();
        assert_eq!((provider.name.as_str(), provider.registered_at.as_str()), ("mem", "2026-01-01"));
        assert_eq!(provider.heartbeat.as_deref(), Some(Path::new("/run/beat")));
        let provision = CommandSpec { command: "/bin/mem".into(), args: vec!["on".into(), "{cwd}".into()] };
        assert_eq!(provider.provision, Some(provision));
        assert_eq!(provider.unprovision.unwrap().args, Vec::<String>::new());
        assert_eq!(provider.plugin.unwrap().marketplace_ref, "o/r");
    }

    #[test]
    fn what_is_no_declaration_is_an_empty_slot_with_the_reason() {
        for (text, why) in [
            ("", "it is not JSON"),
            ("{", "it is not JSON"),
            ("[]", "it is not a JSON object"),
            ("\u{feff}{}", "it begins with a byte order mark"),
            ("null", "it is not a JSON object"),
            (r#"{"provider":"a","package":"b"}"#, "version must be text"),
            (r#"{"provider":"  ","package":"b","version":1}"#, "provider, version must be text"),
        ] {
            let slot = parse(text.as_bytes());
            assert_eq!(slot.provider, None, "{text}");
            let told = problems(&slot).join("\n");
            assert!(told.starts_with("declaration: ") && told.contains(why), "{text}: {told}");
        }
        let told = problems(&parse(&vec![b' '; SLOT_BYTES_MAX + 1]));
        assert_eq!(told, [format!("declaration: it has {} bytes; {SLOT_BYTES_MAX} are the limit", SLOT_BYTES_MAX + 1)]);
        assert_eq!(Slot::of(&SlotFile::Missing), Slot::default());
    }

    #[test]
    fn a_wrong_block_is_absent_with_the_reason_and_the_declaration_stays() {
        let command = |value: Value| json!({ "provision": value });
        for (more, told) in [
            (command(json!({ "command": "mem", "args": [] })), "provision: command \"mem\" is not absolute"),
            (command(json!({ "command": " ", "args": [] })), "provision: command must be text that is not empty"),
            (command(json!({ "command": "/m" })), "provision: args must be a list of texts"),
            (command(json!({ "command": "/m", "args": ["a", 1] })), "provision: args must be a list of texts"),
            (command(json!({ "command": "/m", "args": "a" })), "provision: args must be a list of texts"),
            (command(json!({ "command": "/m", "args": ["\0"] })), "provision: no program can be given a NUL character"),
            (command(json!(["/m"])), "provision: it must be an object with command and args"),
            (command(json!("/m")), "provision: it must be an object with command and args"),
            (json!({ "unprovision": 1 }), "unprovision: it must be an object with command and args"),
            (json!({ "heartbeat": "beat" }), "heartbeat: \"beat\" is not absolute"),
            (json!({ "heartbeat": 1 }), "heartbeat: it must be a path"),
            (
                json!({ "plugin": { "name": "p", "marketplace": "m", "marketplaceRef": " " } }),
                "plugin: marketplaceRef must be text that is not empty",
            ),
        ] {
            let slot = with(more.clone());
            let provider = slot.provider.clone().unwrap_or_else(|| panic!("{more}"));
            assert_eq!((provider.provision, provider.unprovision, provider.plugin), (None, None, None), "{more}");
            assert_eq!(problems(&slot), [told], "{more}");
        }
    }

    #[test]
    fn a_block_that_is_null_is_absent_and_no_problem() {
        let slot = with(json!({ "provision": null, "heartbeat": null, "registeredAt": 7 }));
        assert_eq!(slot.problems, []);
        assert_eq!(slot.provider.unwrap().registered_at, "");
    }
}
