//! Sets one value in a runtime's settings file, JSON or TOML; comments, order and everything else stay.

use super::damaged;
use crate::io::atomic;
use coalmine_actors::{
    error::FleetError,
    provisioner::{errand::Edit, recipe::SettingValue},
};
use serde_json::{Map, Value};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use toml_edit::{DocumentMut, Item, Table, TableLike};

/// Largest settings file that is changed, bytes.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;
/// The mode of a settings file that is new.
const NEW_MODE: u32 = 0o600;

/// Makes the file and its folder where they are missing; a file that has the value already is not written. Blocks.
pub(super) fn set(edit: &Edit, home: Option<&Path>) -> Result<(), FleetError> {
    let named = at_home(&edit.file, home)?;
    // A link stays a link, and what it leads to is changed.
    let path = named.canonicalize().unwrap_or(named);
    let (text, mode) = read(&path)?;
    let changed = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => in_json(&text, edit),
        Some("toml") => in_toml(&text, edit),
        _ => Err("only .json and .toml files can be set".into()),
    };
    let Some(changed) = changed.map_err(|why| damaged(path.clone(), why))? else { return Ok(()) };
    let write = || {
        fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        atomic::replace(&path, changed.as_bytes())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
    };
    write().map_err(|source| FleetError::io("write", path.clone(), source))
}

fn at_home(file: &str, home: Option<&Path>) -> Result<PathBuf, FleetError> {
    match (file.strip_prefix("~/"), home) {
        (None, _) => Ok(file.into()),
        (Some(rest), Some(home)) if home.is_absolute() => Ok(home.join(rest)),
        (Some(_), _) => Err(damaged(file.into(), "HOME is not set, or does not pass (`provision.env`)")),
    }
}

fn read(path: &Path) -> Result<(String, u32), FleetError> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok((String::new(), NEW_MODE)),
        Err(source) => return Err(FleetError::io("read", path, source)),
    };
    if !meta.is_file() || meta.len() > SETTINGS_BYTES_MAX {
        return Err(damaged(path.to_owned(), format!("not a file of at most {SETTINGS_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|source| FleetError::io("read", path, source))?;
    Ok((text, meta.permissions().mode() & 0o7777))
}

/// The new text; nothing where the old one says so already.
fn in_json(text: &str, edit: &Edit) -> Result<Option<String>, String> {
    let mut root = match text.trim() {
        "" => Value::Object(Map::new()),
        text => serde_json::from_str(text).map_err(|error| error.to_string())?,
    };
    let (last, way) = edit.key.split_last().ok_or("no key")?;
    let mut at = &mut root;
    for key in way {
        at = object(at, key)?.entry(key.as_str()).or_insert_with(|| Value::Object(Map::new()));
    }
    let new = match &edit.value {
        SettingValue::Bool(value) => Value::from(*value),
        SettingValue::Text(value) => Value::from(value.as_str()),
    };
    if object(at, last)?.insert(last.clone(), new.clone()) == Some(new) {
        return Ok(None);
    }
    let mut text = serde_json::to_string_pretty(&root).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(Some(text))
}

fn object<'v>(value: &'v mut Value, key: &str) -> Result<&'v mut Map<String, Value>, String> {
    value.as_object_mut().ok_or_else(|| format!("what should hold {key:?} is not an object"))
}

/// The new text; nothing where the old one says so already.
fn in_toml(text: &str, edit: &Edit) -> Result<Option<String>, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let (last, way) = edit.key.split_last().ok_or("no key")?;
    let mut at: &mut dyn TableLike = document.as_table_mut();
    for key in way {
        let item = at.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true); // no header of its own for a step on the way
            Item::Table(table)
        });
        at = item.as_table_like_mut().ok_or_else(|| format!("{key:?} is not a table"))?;
    }
    let is_so = match (&edit.value, at.get(last)) {
        (SettingValue::Bool(value), Some(item)) => item.as_bool() == Some(*value),
        (SettingValue::Text(value), Some(item)) => item.as_str() == Some(value),
        (_, None) => false,
    };
    if is_so {
        return Ok(None);
    }
    let new = match &edit.value {
        SettingValue::Bool(value) => toml_edit::value(*value),
        SettingValue::Text(value) => toml_edit::value(value.as_str()),
    };
    at.insert(last, new);
    Ok(Some(document.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(file: &str, key: &[&str], value: SettingValue) -> Edit {
        Edit { file: file.into(), key: key.iter().map(|key| (*key).to_owned()).collect(), value }
    }

    #[test]
    fn one_value_changes_and_the_rest_stays() {
        let off = edit("", &["autoMemoryEnabled"], SettingValue::Bool(false));
        assert_eq!(in_json("", &off).unwrap().unwrap(), "{\n  \"autoMemoryEnabled\": false\n}\n");
        let there = in_json("{\"z\": [1], \"autoMemoryEnabled\": true, \"a\": {}}", &off).unwrap().unwrap();
        assert_eq!(there, "{\n  \"z\": [\n    1\n  ],\n  \"autoMemoryEnabled\": false,\n  \"a\": {}\n}\n");
        assert_eq!(in_json("{\"autoMemoryEnabled\":false}", &off).unwrap(), None);

        let trust = edit("", &["projects", "/a b/c.d", "trust_level"], SettingValue::Text("trusted".into()));
        let text = "# mine\nmodel = \"x\" # why\n\n[projects.\"/other\"]\ntrust_level = \"untrusted\"\n";
        let once = in_toml(text, &trust).unwrap().unwrap();
        assert_eq!(once, format!("{text}\n[projects.\"/a b/c.d\"]\ntrust_level = \"trusted\"\n"));
        assert_eq!(in_toml(&once, &trust).unwrap(), None);
        let off = edit("", &["features", "memories"], SettingValue::Bool(false));
        assert_eq!(
            in_toml("features = { web = true }\n", &off).unwrap().unwrap(),
            "features = { web = true , memories = false }\n"
        );
    }

    #[test]
    fn what_can_not_be_understood_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("a.json", "{ // note\n}"), ("b.json", "[]"), ("c.toml", "x ="), ("d.toml", "a = 1"), ("e.ini", "")]
        {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let error = set(&edit(path.to_str().unwrap(), &["a", "b"], SettingValue::Bool(true)), None).unwrap_err();
            assert_eq!((error.code(), fs::read_to_string(&path).unwrap().as_str()), ("damaged", text), "{name}");
        }
    }

    #[test]
    fn a_link_stays_a_link_and_a_mode_a_mode() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().join("real.toml");
        fs::write(&real, "").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, home.path().join("link.toml")).unwrap();
        set(&edit("~/link.toml", &["a"], SettingValue::Bool(true)), Some(home.path())).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "a = true\n");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(home.path().join("link.toml").is_symlink());
        set(&edit("~/new/folder/x.json", &["a"], SettingValue::Bool(true)), Some(home.path())).unwrap();
        assert!(home.path().join("new/folder/x.json").is_file());
        assert!(set(&edit("~/x.json", &["a"], SettingValue::Bool(true)), None).is_err());
    }
}
