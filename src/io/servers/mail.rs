//! Types messages into peers' terminals. What was done is marked on the tmux server in the same breath as it is done:
//! the server outlives the daemon, so whoever comes next finds out there how far a message is.
//!
//! A text goes through a buffer and is pasted in brackets, never as keys and never as an argument; what pasted it may be
//! asked twice, since the server itself looks whether it did.

use super::{Shared, TmuxServers, output::Output};
use crate::io::{
    fault::{FaultPoint, reached},
    tmux::{CALL_DEADLINE, TmuxError},
};
use coalmine_actors::{
    error::FleetError,
    mail::{Ear, Marks, MessageId, Sight, Terminals, Typing},
    ports::{Answer, LifeKey},
};
use jiff::Timestamp;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// How long a person must have pressed no key before something is typed beside them.
const PERSON_QUIET: Duration = Duration::from_secs(5);

/// Marks, people, the last key (seconds since 1970) and whether somebody reads back, one line; then the screen with its
/// attributes.
const LOOK: [&str; 11] = [
    "display-message",
    "-p",
    "-t",
    "%0",
    "#{@coalmine_pasted},#{@coalmine_pressed},#{session_attached},#{session_activity},#{pane_in_mode}",
    ";",
    "capture-pane",
    "-p",
    "-e",
    "-t",
    "%0",
];

impl Terminals for TmuxServers {
    fn listen(&self, life: &LifeKey) -> Result<Box<dyn Ear>, FleetError> {
        let log = self.0.paths.pane_log(&life.identity);
        let output = self.0.outputs.listen(&log).map_err(|source| FleetError::io("listen to", log, source))?;
        Ok(Box::new(output))
    }

    fn look(&self, life: &LifeKey, typing: Arc<Typing>) -> Answer<Sight> {
        let (shared, life) = (Arc::clone(&self.0), life.clone());
        Box::pin(async move { look(&shared, &life, &typing).await })
    }

    fn paste(&self, life: &LifeKey, id: MessageId, text: String) -> Answer<()> {
        let (shared, life) = (Arc::clone(&self.0), life.clone());
        Box::pin(async move {
            let buffer = format!("coalmine-{id}");
            let pasted_before = format!("#{{==:#{{@coalmine_pasted}},{id}}}");
            let paste = format!("paste-buffer -p -d -b {buffer} -t %0 ; set-option -s @coalmine_pasted {id}");
            let forget = format!("delete-buffer -b {buffer}");
            let load = ["load-buffer", "-b", &buffer, "-", ";"];
            let unless = ["if-shell", "-F", &pasted_before, &forget, &paste];
            let pasted = shared
                .tmux
                .call_with(&shared.socket(&life), load.iter().chain(&unless), text.into_bytes(), CALL_DEADLINE)
                .await;
            done(&life, pasted)?;
            reached(FaultPoint::MailPasted);
            Ok(())
        })
    }

    fn press(&self, life: &LifeKey, keys: Vec<String>, id: Option<MessageId>) -> Answer<()> {
        let (shared, life) = (Arc::clone(&self.0), life.clone());
        Box::pin(async move {
            // Where somebody has left while reading back, keys would go to tmux and not to the program.
            let mut args: Vec<String> =
                ["copy-mode", "-q", "-t", "%0", ";", "send-keys", "-t", "%0"].map(Into::into).into();
            args.extend(keys);
            if let Some(id) = id {
                args.extend([";", "set-option", "-s", "@coalmine_pressed"].map(Into::into));
                args.push(id.to_string());
            }
            done(&life, shared.tmux.call(&shared.socket(&life), args, CALL_DEADLINE).await)?;
            reached(FaultPoint::MailPressed);
            Ok(())
        })
    }
}

impl Ear for Output {
    fn heard(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.grown())
    }
}

async fn look(shared: &Shared, life: &LifeKey, typing: &Arc<Typing>) -> Result<Sight, FleetError> {
    let judge = shared.judges.of(life.identity.runtime(), typing);
    let judge = judge.map_err(|error| FleetError::Internal(format!("a checked pattern does not compile: {error}")))?;
    let said = done(life, shared.tmux.call(&shared.socket(life), LOOK, CALL_DEADLINE).await)?;
    let (head, screen) = said.split_once('\n').unwrap_or((&said, ""));
    let [pasted, pressed, attached, last_key_s, reads_back] = head.split(',').collect::<Vec<_>>()[..] else {
        return Err(FleetError::ServerSilent { identity: life.identity.clone() });
    };
    let judged = judge.judge(screen);
    Ok(Sight {
        composer: judged.composer,
        busy: judged.busy,
        dialog: judged.dialog,
        // Whoever reads back what has scrolled away is there for as long as that.
        person: attached != "0" && (reads_back != "0" || !quiet_since(last_key_s, Timestamp::now())),
        marks: Marks { pasted: pasted.parse().ok(), pressed: pressed.parse().ok() },
    })
}

/// Whether the last key was pressed long enough ago. A time that can not be read is no key.
fn quiet_since(last_key_s: &str, now: Timestamp) -> bool {
    let last_key = last_key_s.parse().ok().and_then(|at| Timestamp::from_second(at).ok());
    last_key.is_none_or(|at| now.duration_since(at).unsigned_abs() >= PERSON_QUIET)
}

fn done(life: &LifeKey, said: Result<String, TmuxError>) -> Result<String, FleetError> {
    said.map_err(|error| match error {
        TmuxError::Silent(_) => FleetError::ServerSilent { identity: life.identity.clone() },
        error => FleetError::WrongPhase {
            identity: life.identity.clone(),
            phase: format!("without a terminal: {error}"),
            hint: format!("`coalmine explain {}` says what became of it", life.identity),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_there_until_five_seconds_after_the_last_key() {
        let now = Timestamp::from_second(100).unwrap();
        for (last_key, quiet) in [("100", false), ("96", false), ("95", true), ("", true), ("x", true)] {
            assert_eq!(quiet_since(last_key, now), quiet, "{last_key:?}");
        }
    }
}
