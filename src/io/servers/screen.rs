//! Looks at a peer's screen: whether its program is ready, what it shows, whether its server answers.

use super::Shared;
use crate::{
    io::{
        reaper::Role,
        tmux::{CALL_DEADLINE, TmuxError},
    },
    text,
};
use coalmine_actors::{
    error::FleetError,
    ports::{LifeKey, ScreenRules, ScreenSign},
    runtime::Readiness,
};

use regex::Regex;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Least time between two looks at a screen that changes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many of the screen's last lines that hold anything are judged: as many as the longest known dialog has in a
/// terminal of 80 columns, with the empty lines between them.
const BOTTOM_LINES: usize = 16;

pub(super) async fn answers(shared: &Shared, life: &LifeKey) -> bool {
    shared.tmux.call(&shared.socket(life), ["display-message", "-p", "#{pid}"], CALL_DEADLINE).await.is_ok()
}

pub(super) async fn capture(shared: &Shared, life: &LifeKey) -> Result<String, FleetError> {
    match shared.tmux.call(&shared.socket(life), ["capture-pane", "-p", "-t", "%0"], CALL_DEADLINE).await {
        Ok(screen) => Ok(text::harmless(&screen)),
        Err(TmuxError::Silent(_)) => Err(FleetError::ServerSilent { identity: life.identity.clone() }),
        Err(error) => Err(FleetError::WrongPhase {
            identity: life.identity.clone(),
            phase: format!("without a screen: {error}"),
            hint: format!("`coalmine explain {}` says what became of it", life.identity),
        }),
    }
}

/// Judges the screen until the program is ready or its server is gone. Output wakes it: nothing is polled.
pub(super) fn watch(shared: Arc<Shared>, life: LifeKey, rules: ScreenRules) -> mpsc::Receiver<ScreenSign> {
    let (sender, receiver) = mpsc::channel(4);
    if rules.readiness == Readiness::None {
        sender.try_send(ScreenSign::Ready).expect("the channel is new and has room");
        return receiver;
    }
    tokio::spawn(async move {
        if let Err(why) = judge(&shared, &life, &rules, &sender).await {
            tracing::warn!(%life, why, "the screen can not be judged");
            let _ = sender.send(ScreenSign::Attention("unknown".into())).await;
        }
    });
    receiver
}

async fn judge(
    shared: &Shared,
    life: &LifeKey,
    rules: &ScreenRules,
    sender: &mpsc::Sender<ScreenSign>,
) -> Result<(), String> {
    let Some(server) = shared.reaper.get(life, Role::Server) else { return Ok(()) };
    let judge = Judge::new(rules)?;
    let log = shared.paths.pane_log(&life.identity);
    let before = shared.log_before.get(&life.identity).map_or(0, |before| *before);
    let output = shared.outputs.listen(&log).map_err(|error| error.to_string())?;
    let slow = tokio::time::sleep(rules.deadline);
    tokio::pin!(slow);
    let mut overdue = false;
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            _ = server.wait() => return Ok(()),
            () = sender.closed() => return Ok(()),
            () = &mut slow, if !overdue => overdue = true,
            () = output.grown() => {}
        }
        if rules.readiness == Readiness::Output && std::fs::metadata(&log).is_ok_and(|log| log.len() > before) {
            let _ = sender.send(ScreenSign::Ready).await;
            return Ok(());
        }
        let looked = Instant::now();
        let shown = match judge.looks() {
            true => judge.sign(&capture(shared, life).await.unwrap_or_default()),
            false => None,
        };
        // Alive and not ready: a person should look; nothing is typed and nothing is killed. A dialog that is known says
        // more than that.
        let sign = shown.or_else(|| overdue.then(|| ScreenSign::Attention("slow".into())));
        if sign != last
            && let Some(sign) = sign.clone()
        {
            let ready = sign == ScreenSign::Ready;
            let _ = sender.send(sign).await;
            if ready {
                return Ok(());
            }
        }
        last = sign;
        if judge.looks() {
            tokio::time::sleep_until(looked + LOOK_EVERY).await;
        }
    }
}

/// The rules, compiled.
struct Judge {
    ready: Option<Regex>,
    attention: Vec<(String, Regex)>,
}

impl Judge {
    fn new(rules: &ScreenRules) -> Result<Self, String> {
        let compile = |pattern: &str| Regex::new(pattern).map_err(|error| error.to_string());
        let ready = match &rules.readiness {
            Readiness::Screen(pattern) => Some(compile(pattern)?),
            Readiness::None | Readiness::Output | Readiness::Notify => None,
        };
        let attention = rules.attention.iter().map(|rule| Ok((rule.what.clone(), compile(&rule.screen)?)));
        Ok(Self { ready, attention: attention.collect::<Result<_, String>>()? })
    }

    fn looks(&self) -> bool {
        self.ready.is_some() || !self.attention.is_empty()
    }

    /// A dialog outranks readiness: a composer may show behind it.
    fn sign(&self, screen: &str) -> Option<ScreenSign> {
        let bottom = bottom(screen);
        if let Some((what, _)) = self.attention.iter().find(|(_, pattern)| pattern.is_match(&bottom)) {
            return Some(ScreenSign::Attention(what.clone()));
        }
        self.ready.as_ref().filter(|ready| ready.is_match(&bottom)).map(|_| ScreenSign::Ready)
    }
}

/// The last lines of a screen that hold anything, and the empty ones between them.
pub(super) fn bottom(screen: &str) -> String {
    let is_empty = |line: &&str| line.trim().is_empty();
    let mut holding = 0;
    let counted = |line: &&str| {
        holding += usize::from(!is_empty(line));
        holding <= BOTTOM_LINES
    };
    let mut lines: Vec<_> = screen.lines().rev().skip_while(is_empty).take_while(counted).collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::runtime::Attention;

    fn judge() -> Judge {
        Judge::new(&ScreenRules {
            readiness: Readiness::Screen("(?m)^> $".into()),
            attention: vec![Attention { what: "trust".into(), screen: "Do you trust".into() }],
            deadline: Duration::from_secs(1),
        })
        .unwrap()
    }

    #[test]
    fn a_dialog_outranks_a_composer_behind_it() {
        assert_eq!(judge().sign("hello\n> \n"), Some(ScreenSign::Ready));
        assert_eq!(judge().sign("Do you trust\n> \n"), Some(ScreenSign::Attention("trust".into())));
        assert_eq!(judge().sign("hello\n"), None);
    }

    #[test]
    fn only_the_bottom_of_the_screen_is_judged() {
        let scrolled = "Do you trust\n".to_owned() + &"a line\n".repeat(BOTTOM_LINES) + "\n\n\n";
        assert_eq!(judge().sign(&scrolled), None);
    }

    #[test]
    fn empty_lines_of_a_dialog_take_nothing_of_the_bottom() {
        let airy = "Do you trust\n".to_owned() + &"\n\na line\n".repeat(BOTTOM_LINES - 1);
        assert_eq!(judge().sign(&airy), Some(ScreenSign::Attention("trust".into())));
        assert_eq!(judge().sign(&(airy + "one more\n")), None);
    }
}
