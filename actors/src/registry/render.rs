//! Writes `fleet.json`, with everything that could not be read or is not known in its old place. Pure.

use super::{document::Document, parse::VERSION};
use serde_json::{Map, Value};

/// The document as people may read it, with a final `\n`.
///
/// # Errors
/// When a path is not UTF-8, which [`check`](super::parse::check) refuses long before.
pub fn render(document: &Document) -> Result<String, serde_json::Error> {
    let mut file = Map::new();
    file.insert("version".into(), VERSION.into());
    file.insert("peers".into(), Value::Array(records(document)?));
    file.insert("retired".into(), Value::Object(retired(document)));
    file.extend(document.extra.clone());
    Ok(format!("{:#}\n", Value::Object(file)))
}

/// Good and bad records, the bad ones at the index that they had, or as near to it as the list is long.
fn records(document: &Document) -> Result<Vec<Value>, serde_json::Error> {
    let mut records = document.peers.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    for bad in &document.bad {
        records.insert(bad.index.min(records.len()), bad.raw.clone());
    }
    Ok(records)
}

fn retired(document: &Document) -> Map<String, Value> {
    let good = document.retired.iter().map(|(identity, generation)| (identity.to_string(), generation.0.into()));
    good.chain(document.bad_retired.clone()).collect()
}
