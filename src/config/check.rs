//! What a runtime's definition must hold before a peer is started by it.

use coalmine_actors::{
    names::Runtime,
    runtime::{Readiness, RuntimeDef, check_idle_after},
};
use globset::Glob;
use nix::sys::signal::Signal;
use regex::RegexBuilder;
use std::time::Duration;

/// Longest boot deadline.
const BOOT_DEADLINE_MAX: Duration = Duration::from_secs(3600);
/// Longest grace before a server is killed.
const STOP_GRACE_MAX: Duration = Duration::from_secs(60);
/// Largest compiled pattern, bytes.
const PATTERN_COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// Checks what the types can not: patterns compile, durations are in range, the signal exists.
///
/// # Errors
/// The key, and what is wrong with it.
pub fn check_runtime(name: &Runtime, def: &RuntimeDef) -> Result<(), String> {
    let key = |rest: &str| format!("runtime.{name}.{rest}");
    if let Readiness::Screen(pattern) = &def.readiness {
        compiles(pattern).map_err(|why| format!("{}: {why}", key("readiness.screen")))?;
    }
    for (index, dialog) in def.attention.iter().enumerate() {
        let dialog_key = |rest: &str| key(&format!("attention[{index}].{rest}"));
        compiles(&dialog.screen).map_err(|why| format!("{}: {why}", dialog_key("screen")))?;
        if let Some(answer) = &dialog.answer {
            compiles(&answer.at).map_err(|why| format!("{}: {why}", dialog_key("answer.at")))?;
            if answer.keys.is_empty() {
                return Err(format!(
                    "{} names no key; leave `answer` out if a person is to answer",
                    dialog_key("answer.keys")
                ));
            }
        }
    }
    if let Some(composer) = &def.composer {
        let busy = composer.busy.as_deref().map(|busy| ("busy", busy));
        for (name, pattern) in [("shown", composer.shown.as_str()), ("empty", &composer.empty)].into_iter().chain(busy)
        {
            compiles(pattern).map_err(|why| format!("{}: {why}", key(&format!("composer.{name}"))))?;
        }
        if composer.submit.is_empty() {
            return Err(format!("{} names no key: mail would be typed and never submitted", key("composer.submit")));
        }
    }
    if let Some(transcript) = &def.transcript {
        let glob = Glob::new(&transcript.files).map_err(|error| ("files", format!("not a file's name: {error}")));
        let checked = transcript.check().and(glob.map(drop));
        checked.map_err(|(name, why)| format!("{}: {why}", key(&format!("transcript.{name}"))))?;
    }
    if def.argv.first().is_some_and(String::is_empty) {
        return Err(format!("{} begins with an empty word", key("argv")));
    }
    if !def.boot_deadline.is_positive() || def.boot_deadline() > BOOT_DEADLINE_MAX {
        return Err(format!("{} must be over 0 and at most 1h", key("boot_deadline")));
    }
    check_idle_after(def.idle_after).map_err(|why| format!("{} {why}", key("idle_after")))?;
    if def.stop.grace.is_negative() || def.stop.grace() > STOP_GRACE_MAX {
        return Err(format!("{} must be 0 to 60s", key("stop.grace")));
    }
    match &def.stop.signal {
        Some(signal) if signal.parse::<Signal>().is_err() => {
            Err(format!("{} is {signal:?}; it must be a signal's name, like SIGTERM", key("stop.signal")))
        }
        _ => Ok(()),
    }
}

fn compiles(pattern: &str) -> Result<(), String> {
    match RegexBuilder::new(pattern).size_limit(PATTERN_COMPILED_BYTES_MAX).build() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("not a regular expression: {error}")),
    }
}
