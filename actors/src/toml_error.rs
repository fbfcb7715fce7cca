//! What is wrong with a TOML file that a person wrote: the line, and the key that may have been meant. Pure.

/// Farthest a key may be from the one that is suggested, edits.
const HINT_EDITS_MAX: usize = 3;

/// `line 3: unknown key "polcy"; did you mean "policy"?`
pub fn explain(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    format!("line {line}: {}", unknown_key(error.message()).unwrap_or_else(|| error.message().trim().to_owned()))
}

/// serde says ``unknown field `polcy`, expected one of `policy`, `window` ``: the known keys are in the types alone.
fn unknown_key(message: &str) -> Option<String> {
    let mut words = message.strip_prefix("unknown field `")?.split('`');
    let unknown = words.next()?;
    let known = words.skip(1).step_by(2);
    let nearest = known
        .map(|key| (strsim::osa_distance(unknown, key), key))
        .filter(|(edits, _)| *edits <= HINT_EDITS_MAX)
        .min()
        .map_or(String::new(), |(_, key)| format!("; did you mean {key:?}?"));
    Some(format!("unknown key {unknown:?}{nearest}"))
}
