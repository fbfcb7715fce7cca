//! Hears when nothing goes on in a peer's pane any more: output wakes it, and nothing is polled.
//!
//! Output alone is no sign of life: a clock in a status line ticks for ever. So what was written is looked at, at
//! most once in a while, and only a screen that changed above its last line counts, or one that has scrolled. Where the
//! runtime says how a program looks that works, one that looks so is not idle, however long it waits for a child.

use super::{Shared, screen::bottom};
use crate::io::{
    reaper::Role,
    tmux::{CALL_DEADLINE, TmuxError},
};
use coalmine_actors::ports::{IdleRules, LifeKey};
use jiff::Timestamp;
use regex::Regex;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Looks at a screen that changes in the time after which its program would be put to sleep.
const LOOKS: u32 = 20;
/// Least and longest time between two of them.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(60);

/// How far the pane has scrolled, then its screen.
const SCREEN: [&str; 10] =
    ["display-message", "-p", "-t", "%0", "#{history_size}", ";", "capture-pane", "-p", "-t", "%0"];
/// How many people are attached, and when the last key was pressed, seconds since 1970.
const PEOPLE: [&str; 5] = ["display-message", "-p", "-t", "$0", "#{session_attached} #{session_activity}"];

/// Resolves when nothing was seen for so long; never where the server ends, or can not be heard.
pub(super) async fn idle(shared: &Arc<Shared>, life: &LifeKey, IdleRules { after, busy }: IdleRules) {
    let Some(server) = shared.reaper.get(life, Role::Server) else { return pending().await };
    let output = match shared.outputs.listen(&shared.paths.pane_log(&life.identity)) {
        Ok(output) => output,
        Err(error) => {
            tracing::warn!(%life, %error, "whether it is idle can not be heard: it will not be put to sleep");
            return pending().await;
        }
    };
    // A configuration whose patterns can not be read is not followed.
    let busy = busy.and_then(|busy| Regex::new(&busy).ok());
    let works = |screen: &str| busy.as_ref().is_some_and(|busy| busy.is_match(&bottom(screen)));
    let look_every = (after / LOOKS).clamp(LOOK_EVERY, LOOK_EVERY_MAX);
    let (mut last_sign, mut last_look) = (Instant::now(), Instant::now());
    let mut before = None;
    // Written to since the last look.
    let mut written = false;
    loop {
        let due = if written { last_look + look_every } else { last_sign + after };
        tokio::select! {
            biased;
            _ = server.wait() => return pending().await,
            () = output.grown(), if !written => {
                written = true;
                continue;
            }
            () = tokio::time::sleep_until(due) => {}
        }
        let screen = look(shared, life).await;
        last_look = Instant::now();
        let seen = screen.as_deref().map(|screen| body(screen).to_owned());
        // What can not be looked at is not known to be idle.
        if screen.as_deref().is_none_or(works) || seen != before {
            (last_sign, before) = (last_look, seen);
        }
        written = false;
        if last_look >= last_sign + after {
            match people_away(shared, life).await {
                Some(away) if away >= after => return,
                // Somebody is there, or was a moment ago.
                away => {
                    let now = Instant::now();
                    last_sign = now.checked_sub(away.unwrap_or_default()).unwrap_or(now);
                }
            }
        }
    }
}

/// What is on the screen; nothing where the server is silent.
async fn look(shared: &Shared, life: &LifeKey) -> Option<String> {
    shared.tmux.call(&shared.socket(life), SCREEN, CALL_DEADLINE).await.ok()
}

/// A screen without its last line that holds anything.
fn body(screen: &str) -> &str {
    let screen = screen.trim_end();
    screen.rfind('\n').map_or("", |end| &screen[..end])
}

/// How long ago anybody was attached and pressed a key; nothing where somebody is attached now, or the server is
/// silent.
async fn people_away(shared: &Shared, life: &LifeKey) -> Option<Duration> {
    let said: Result<String, TmuxError> = shared.tmux.call(&shared.socket(life), PEOPLE, CALL_DEADLINE).await;
    let said = said.ok()?;
    let (attached, last_key_s) = said.trim().split_once(' ')?;
    let last_key = Timestamp::from_second(last_key_s.parse().ok()?).ok()?;
    let away = Timestamp::now().duration_since(last_key);
    // Before its time only where the host's clock was set back: no reason to keep it awake for ever.
    (attached == "0").then(|| away.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_no_part_of_what_counts() {
        for (screen, counts) in [
            ("12\nhello\n> \n10:00:01\n\n\n", "12\nhello\n>"),
            ("12\nhello\n> \n10:00:02\n", "12\nhello\n>"),
            ("12\n10:00:02\n", "12"),
            ("12\n\n\n", ""),
            ("", ""),
        ] {
            assert_eq!(body(screen).trim_end(), counts, "{screen:?}");
        }
    }
}
