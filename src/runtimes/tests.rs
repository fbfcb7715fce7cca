//! The built-in patterns against screens: rows are claims.

use super::*;
use coalmine_actors::runtime::Readiness;
use regex::Regex;
use serde_json::json;

/// What the definition says of a screen: `ready`, a dialog's name, or nothing. Dialogs win.
fn judge(runtime: &str, screen: &str) -> Option<String> {
    let def = &built_in()[&runtime.parse::<Runtime>().unwrap()];
    if let Some(found) = def.attention.iter().find(|dialog| Regex::new(&dialog.screen).unwrap().is_match(screen)) {
        return Some(found.what.clone());
    }
    match &def.readiness {
        Readiness::Screen(pattern) if Regex::new(pattern).unwrap().is_match(screen) => Some("ready".into()),
        _ => None,
    }
}

#[test]
fn every_built_in_definition_passes_the_check_of_the_config() {
    for (name, def) in built_in() {
        crate::config::check_runtime(&name, &def).unwrap();
    }
}

#[test]
fn a_composer_is_ready_and_a_dialog_needs_attention() {
    let rule = "─".repeat(60);
    let rows: [(&str, String, Option<&str>); 13] = [
        ("claude", format!("{rule}\n❯ Try \"edit main.rs\"\n{rule}\n  ? for shortcuts"), Some("ready")),
        ("claude", format!("╭{rule}╮\n│ >                  │\n╰{rule}╯\n  ? for shortcuts"), Some("ready")),
        ("claude", format!("{rule}\n❯\n{rule}"), Some("ready")),
        ("claude", "Welcome to Claude Code".into(), None),
        (
            "claude",
            format!(
                "╭{rule}╮\n│ Do you trust the files in this folder?\n│ /x\n│ ❯ 1. Yes, proceed\n│   2. No, exit\n╰{rule}╯"
            ),
            Some("trust"),
        ),
        (
            "claude",
            " Select login method:\n\n ❯ 1. Claude account with subscription\n   2. API".into(),
            Some("sign-in"),
        ),
        (
            "claude",
            format!("● It asks: Do you trust the files in this folder? I would say yes.\n{rule}\n❯ \n{rule}"),
            Some("ready"),
        ),
        ("codex", "› Write tests for @filename\n\n  100% context left · ? for shortcuts".into(), Some("ready")),
        ("codex", "▌ Ask Codex to do anything\n ⏎ send".into(), Some("ready")),
        (
            "codex",
            "  Sign in with ChatGPT to use Codex\n\n> 1. Sign in with ChatGPT\n  2. API key".into(),
            Some("sign-in"),
        ),
        ("codex", "> You are running Codex in /x\n  …\n› 1. Yes, allow Codex to work\n  2. No".into(), Some("trust")),
        ("codex", "✨ Update available! 0.1 -> 0.2\n› 1. Update now\n  2. Skip".into(), Some("update")),
        ("shell", "$ ".into(), None),
    ];
    for (runtime, screen, verdict) in rows {
        assert_eq!(judge(runtime, &screen).as_deref(), verdict, "{runtime}:\n{screen}");
    }
}

/// Lines as Codex 0.169.0 writes them, in short.
#[test]
fn a_message_stands_in_codexs_transcript_where_its_person_entered_it() {
    let codex = &built_in()[&"codex".parse::<Runtime>().unwrap()];
    let id = "01J0000000000000000000000A";
    let block = format!("<coalmine-message id=\"{id}\" from=\"ann\" kind=\"absent\">\nhello\n</coalmine-message>");
    let item = |role: &str, text: &str| {
        json!({ "ordinal": 7, "type": "response_item", "payload": {
        "type": "message", "role": role, "content": [{ "type": "input_text", "text": text }] } })
    };
    let quoted = format!("I was told: {block}");
    let rows = [
        (item("user", &block), 1),
        (item("user", &format!("<environment_context>\n{block}")), 0),
        (item("developer", &block), 0),
        (item("assistant", &quoted), 0),
        (item("assistant", &item("user", &block).to_string()), 0),
        (json!({ "type": "response_item", "payload": { "type": "function_call_output", "output": quoted } }), 0),
        (
            json!({ "type": "compacted", "payload": { "replacement_history": [
            { "role": "user", "content": [{ "type": "input_text", "text": block }] }] } }),
            0,
        ),
    ];
    for (line, entered) in rows {
        let found = codex.transcript.as_ref().unwrap().entered(line.to_string().as_bytes());
        assert_eq!(found.len(), entered, "{line}");
    }
}
