//! What became of a message, as people read it, and as an exit code says it.

use crate::{
    cli::failure::{Failure, Outcome},
    error::exit_code,
    text::one_line,
};
use coalmine_actors::{
    error::Kind,
    mail::{MailView, State},
};

/// Longest reason in a sentence, characters.
const REASON_CHARS_MAX: usize = 300;

/// `submitted: 01J… to claude-bob, which was woken for it`.
pub(in crate::cli) fn sentence(mail: &MailView) -> String {
    let (message, progress) = (&mail.message, &mail.progress);
    let mut text = format!("{}: {} to {}", progress.state, message.id, message.to);
    if progress.woke && progress.state.has_landed() {
        text.push_str(", which was woken for it");
    }
    if progress.redelivered {
        text.push_str(", in another life than the one it was first typed in");
    }
    if let Some(reason) = &progress.reason {
        text.push_str(&format!(" ({}): {}", reason.code, one_line(&reason.text, REASON_CHARS_MAX)));
    }
    if progress.state.is_open() {
        let why = mail.waits_because.as_deref().unwrap_or("on its way");
        text.push_str(&format!(
            "; {}\n`coalmine mail show {}` says how it goes",
            one_line(why, REASON_CHARS_MAX),
            message.id
        ));
    }
    text
}

/// Whether what was waited for may still come.
pub(in crate::cli) fn waits(mail: &MailView, for_seen: bool) -> bool {
    let state = mail.progress.state;
    state.is_open() || (for_seen && state == State::Submitted)
}

/// The exit code for a message that did not land, where somebody waited also for one that did not yet.
pub(in crate::cli) fn verdict(mail: &MailView, waited: bool) -> Outcome {
    let kind = match mail.progress.state {
        State::Refused => Kind::Refused,
        State::Expired | State::Failed => Kind::Failed,
        State::Accepting | State::Queued | State::Typed if waited => Kind::TimedOut,
        _ => return Ok(()),
    };
    Err(Failure::Quiet(exit_code(kind)))
}
