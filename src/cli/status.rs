//! `coalmine status`: the fleet on half a screen.

use super::{context::Context, failure::Outcome, output};
use crate::{age, text::one_line};
use coalmine_actors::{
    effects::view::EffectsView,
    mail::MailroomView,
    provisioner::view::{HeartbeatView, SlotView},
    view::{AttachmentsView, FleetStatus, LastSweep, MemoryView, Unavailable, in_seconds},
};
use comfy_table::Cell;
use jiff::Timestamp;

/// Longest line of what somebody should look at, characters.
const LINE_CHARS_MAX: usize = 160;
/// Longest text of what is wrong, characters: a path may be long, and what helps stands behind it.
const PROBLEM_CHARS_MAX: usize = 4096;

/// Show the fleet as a whole
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let read = context.read(async |client| client.status().await, |files| Ok(files.status())).await?;
    context.answer_read(&read, |status| text(status, Timestamp::now()))
}

fn text(status: &FleetStatus, now: Timestamp) -> String {
    let mut card = output::table(&[]);
    let mut row = |name: &str, value: Cell| {
        card.add_row([output::key(name), value]);
    };
    if let Some(pid) = status.daemon_pid {
        let since = status.since.map_or(String::new(), |since| format!(", up {}", age::since(since, now)));
        row("daemon", format!("pid {pid}{since}, version {}", status.version).into());
    }
    row("root", status.root.display().to_string().into());
    let phases: Vec<_> = status.phases.iter().filter(|(_, count)| *count > 0).collect();
    if phases.is_empty() {
        row("peers", "none yet; `coalmine create NAME --start` makes one".into());
    }
    for (index, (phase, count)) in phases.iter().enumerate() {
        let name = if index == 0 { "peers" } else { "" };
        row(name, Cell::new(format!("{count} {phase}")).fg(output::phase_color(*phase)));
    }
    // Only a daemon knows where the journal is.
    if status.daemon_pid.is_some() {
        row("journal", format!("event {}", status.last_seq).into());
    }
    if let Some(memory) = &status.memory {
        row("memory", memory_line(memory).into());
    }
    if let Some(attachments) = &status.attachments {
        row("attachments", one_line(&attachments_line(attachments, now), PROBLEM_CHARS_MAX).into());
    }
    if let Some(effects) = &status.effects {
        row("effects", effects_line(effects).into());
    }
    if let Some(mail) = &status.mail {
        row("mail", mail_line(mail, now).into());
    }
    if let Some(slot) = &status.memory_slot {
        row("memory slot", one_line(&slot_line(slot, now), LINE_CHARS_MAX).into());
        for problem in &slot.problems {
            row("problem", one_line(&format!("memory-provider.json: {problem}"), PROBLEM_CHARS_MAX).into());
        }
    }
    if status.records_owed > 0 {
        row("owed", format!("{} records that could not be written yet", status.records_owed).into());
    }
    for (identity, why) in &status.attention {
        row("look at", one_line(&format!("{identity}: {why}"), LINE_CHARS_MAX).into());
    }
    for Unavailable { store, why, retry_at } in &status.unavailable {
        let again = retry_at.map_or(String::new(), |at| format!("tried again {}: ", in_seconds(at, now)));
        row("unavailable", one_line(&format!("{store}, {again}{why}"), PROBLEM_CHARS_MAX).into());
    }
    for problem in status.effects.iter().flat_map(|effects| &effects.problems) {
        row("problem", one_line(problem, PROBLEM_CHARS_MAX).into());
    }
    for problem in &status.problems {
        row("problem", one_line(problem, PROBLEM_CHARS_MAX).into());
    }
    output::rendered(&mut card)
}

/// `mem 1.2.0, heartbeat 12 s ago`, or `none`.
fn slot_line(slot: &SlotView, now: Timestamp) -> String {
    let Some(provider) = &slot.provider else { return "none".into() };
    let sign = match &provider.heartbeat {
        None => String::new(),
        Some(HeartbeatView { at: Some(at), .. }) => format!(", heartbeat {} ago", age::since(*at, now)),
        Some(HeartbeatView { at: None, .. }) => "; daemon not running: no heartbeat file".into(),
    };
    format!("{} {}{sign}", provider.name, provider.version)
}

/// `12 calls, 2 denied, 1 session`.
fn effects_line(effects: &EffectsView) -> String {
    let calls = effects.allowed + effects.denied + effects.refused;
    if calls == 0 {
        return "none called yet; `coalmine effect ops` lists them".into();
    }
    let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut line = counted(calls, "call");
    for (count, what) in [(effects.denied, "denied"), (effects.refused, "not understood")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    format!("{line}, {}", counted(effects.sessions, "session"))
}

/// `2 wait for 1 peer, the oldest for 5m; 12 submitted, 1 refused`
fn mail_line(mail: &MailroomView, now: Timestamp) -> String {
    let MailroomView { waiting, recipients, oldest, submitted, refused, expired, failed } = mail;
    let waits = match oldest {
        None => "none waits".into(),
        Some(oldest) => {
            let (verb, peers) = (if *waiting == 1 { "waits" } else { "wait" }, if *recipients == 1 { "" } else { "s" });
            format!("{waiting} {verb} for {recipients} peer{peers}, the oldest for {}", age::since(*oldest, now))
        }
    };
    let ended = [(submitted, "submitted"), (refused, "refused"), (expired, "expired"), (failed, "failed")];
    let ended = ended.into_iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}"));
    let ended = ended.collect::<Vec<_>>().join(", ");
    if ended.is_empty() { waits } else { format!("{waits}; {ended}") }
}

/// `3 items`, and what somebody should know of the file.
fn memory_line(memory: &MemoryView) -> String {
    let mut line = crate::count::items(memory.active);
    for (count, what) in [
        (memory.forgotten, "forgotten"),
        (memory.bad_lines, "bad lines: `coalmine memory verify`"),
        (memory.torn, "torn ends put aside"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line
}

/// `3 attachments of 7000 bytes, swept 2h 5m ago`, and what somebody should do something about.
fn attachments_line(attachments: &AttachmentsView, now: Timestamp) -> String {
    let AttachmentsView { count, bytes, total_bytes_max, damaged, last_sweep } = attachments;
    let mut line = crate::count::attachments(*count, *bytes);
    if let Some(quota) = total_bytes_max {
        line.push_str(&format!(", the quota is {quota}"));
    }
    if *damaged > 0 {
        line.push_str(&format!(", {damaged} damaged: `coalmine attachment verify`"));
    }
    let Some(LastSweep { at, named, failed, .. }) = last_sweep else { return line };
    line.push_str(&format!(", swept {} ago", age::since(*at, now)));
    if *named > 0 {
        line.push_str(&format!(" with {named} to look at: `coalmine attachment gc --dry-run`"));
    }
    if let Some(why) = failed {
        line.push_str(&format!(" in part: {why}"));
    }
    line
}
