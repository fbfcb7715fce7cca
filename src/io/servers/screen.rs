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
    runtime::{Attention, Readiness},
};

use regex::Regex;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Least time between two looks at a screen that changes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many of the screen's last lines that hold anything are judged: as many as the longest known dialog has in a
/// terminal of 80 columns, with the empty lines between them.
const BOTTOM_LINES: usize = 16;
/// How many dialogs of one start are answered: one that comes again and again is for a person.
const ANSWERS_MAX: usize = 8;

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
    let (mut overdue, mut answers) = (false, 0);
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
        let sign = match shown {
            // It did not help.
            Some(ScreenSign::Answered(what)) if overdue || answers == ANSWERS_MAX => Some(ScreenSign::Attention(what)),
            // Alive and not ready: a person should look; nothing is typed and nothing is killed. A dialog that is known
            // says more than that.
            None if overdue => Some(ScreenSign::Attention("slow".into())),
            shown => shown,
        };
        if sign != last
            && let Some(sign) = sign.clone()
        {
            if let ScreenSign::Answered(what) = &sign {
                answers += 1;
                press(shared, life, judge.keys(what)).await;
            }
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

/// Presses what answers a dialog. Where that fails the dialog stays, and is told.
async fn press(shared: &Shared, life: &LifeKey, keys: &[String]) {
    let call = ["send-keys", "-t", "%0"].into_iter().chain(keys.iter().map(String::as_str));
    if let Err(error) = shared.tmux.call(&shared.socket(life), call, CALL_DEADLINE).await {
        tracing::warn!(%life, %error, "a dialog could not be answered");
    }
}

/// The rules, compiled.
struct Judge {
    ready: Option<Regex>,
    dialogs: Vec<Dialog>,
}

/// A screen on which something is asked.
struct Dialog {
    what: String,
    screen: Regex,
    /// Where its cursor must be, and the keys that are pressed then.
    answer: Option<(Regex, Vec<String>)>,
}

impl Judge {
    fn new(rules: &ScreenRules) -> Result<Self, String> {
        let compile = |pattern: &str| Regex::new(pattern).map_err(|error| error.to_string());
        let ready = match &rules.readiness {
            Readiness::Screen(pattern) => Some(compile(pattern)?),
            Readiness::None | Readiness::Output | Readiness::Notify => None,
        };
        let dialog = |rule: &Attention| {
            let answer =
                rule.answer.as_ref().map(|answer| Ok::<_, String>((compile(&answer.at)?, answer.keys.clone())));
            Ok::<_, String>(Dialog {
                what: rule.what.clone(),
                screen: compile(&rule.screen)?,
                answer: answer.transpose()?,
            })
        };
        Ok(Self { ready, dialogs: rules.attention.iter().map(dialog).collect::<Result<_, _>>()? })
    }

    fn looks(&self) -> bool {
        self.ready.is_some() || !self.dialogs.is_empty()
    }

    /// What answers this dialog.
    fn keys(&self, what: &str) -> &[String] {
        let dialog = self.dialogs.iter().find(|dialog| dialog.what == what);
        dialog.and_then(|dialog| dialog.answer.as_ref()).map_or(&[], |(_, keys)| keys)
    }

    /// A dialog outranks readiness: a composer may show behind it.
    fn sign(&self, screen: &str) -> Option<ScreenSign> {
        let bottom = bottom(screen);
        if let Some(dialog) = self.dialogs.iter().find(|dialog| dialog.screen.is_match(&bottom)) {
            let there = dialog.answer.as_ref().is_some_and(|(at, _)| at.is_match(&bottom));
            let sign = if there { ScreenSign::Answered } else { ScreenSign::Attention };
            return Some(sign(dialog.what.clone()));
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
    use coalmine_actors::runtime::DialogAnswer;

    fn judge() -> Judge {
        Judge::new(&ScreenRules {
            readiness: Readiness::Screen("(?m)^> $".into()),
            attention: vec![
                Attention { what: "trust".into(), screen: "Do you trust".into(), answer: None },
                Attention {
                    what: "theme".into(),
                    screen: "Which theme".into(),
                    answer: Some(DialogAnswer { at: "(?m)^> 1\\. Dark".into(), keys: vec!["Enter".into()] }),
                },
            ],
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
    fn a_dialog_is_answered_only_where_its_cursor_is_on_the_line_that_is_meant() {
        let judge = judge();
        assert_eq!(judge.sign("Which theme?\n> 1. Dark\n  2. Light"), Some(ScreenSign::Answered("theme".into())));
        assert_eq!(judge.sign("Which theme?\n  1. Dark\n> 2. Light"), Some(ScreenSign::Attention("theme".into())));
        assert_eq!((judge.keys("theme"), judge.keys("trust").len()), (&["Enter".to_owned()][..], 0));
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
