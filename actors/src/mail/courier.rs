//! Brings one message to its recipient: waits until it is up, waking it where it sleeps, then types it in and sees it
//! submitted. Everything that it decides by is in [`Delivery`]; it ends when the message is over.
//!
//! ```text
//! carry ─▶ reach: up? wake it, or wait ─▶ deliver: look, note, paste, press ─▶ submitted
//!             ▲                                        │ the life is over
//!             └────────────────────────────────────────┘
//! ```

use super::{
    composer::Typing,
    delivery::{Delivery, Effect, Event},
    envelope::envelope,
    error::MailError,
    progress::{Progress, Reason, Record, State, Step},
    shared::Shared,
    terminal::Ear,
};
use crate::{
    backoff::backoff,
    error::FleetError,
    journal::Draft,
    names::Identity,
    ports::LifeKey,
    view::{PeerView, PhaseName},
};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// How long a peer whose actor is being restarted is left alone.
const ABSENT_PAUSE: Duration = Duration::from_millis(250);

/// Carries a message until it is over. Ended at any point, another one goes on where it was.
pub(super) async fn carry(shared: &Arc<Shared>, record: Record) {
    let id = record.message.id;
    let mut trip = Trip { shared: Arc::clone(shared), record, woke: false, untold_since: Some(Instant::now()) };
    let step = trip.go().await;
    trip.shared.obstacle(&trip.record.message.to, None);
    if let Some(step) = step {
        trip.shared.insist(id, &step).await;
    }
}

/// Why a try in one life came to nothing.
enum Stop {
    /// The life is over, or its server does not answer: the message goes to whichever life comes next.
    Life,
    /// The message is over: somebody cancelled it.
    Message,
}

struct Trip {
    shared: Arc<Shared>,
    record: Record,
    /// The life that is reached next was begun for this message.
    woke: bool,
    /// Since when it is on its way; nothing once it was told that it waits.
    untold_since: Option<Instant>,
}

impl Trip {
    /// What becomes of the message; nothing where somebody else said so.
    async fn go(&mut self) -> Option<Step> {
        loop {
            let (life, mut view) = match self.reach().await {
                Ok(reached) => reached,
                Err(step) => return Some(step),
            };
            let Some(typing) = self.shared.parts.recipients.typing(&life.identity) else {
                return Some(Step::Refuse(no_composer(&life.identity)));
            };
            let one_task = !view.borrow().wake_policy.is_persistent();
            let delivered = tokio::select! {
                biased;
                delivered = self.deliver(&life, typing, one_task) => delivered,
                () = until_over(&mut view, &life) => Err(Stop::Life),
            };
            match delivered {
                Ok(step) => {
                    self.shared.parts.recipients.delivered(&life);
                    return Some(step);
                }
                Err(Stop::Message) => return None,
                Err(Stop::Life) => self.pause("its terminal does not answer", ABSENT_PAUSE).await,
            }
        }
    }

    /// Waits until the recipient is up.
    async fn reach(&mut self) -> Result<(LifeKey, watch::Receiver<PeerView>), Step> {
        let identity = self.record.message.to.clone();
        loop {
            let Some(mut views) = self.shared.parts.recipients.view(&identity) else {
                if !self.shared.parts.recipients.exists(&identity) {
                    return Err(Step::Fail(removed(&identity)));
                }
                self.pause("its actor is being restarted", ABSENT_PAUSE).await;
                continue;
            };
            let view = views.borrow_and_update().clone();
            match view.phase {
                PhaseName::Up if !view.unreachable => {
                    return Ok((LifeKey { identity, generation: view.generation }, views));
                }
                PhaseName::Asleep | PhaseName::Stopped | PhaseName::Quarantined => {
                    match self.shared.parts.recipients.wake(&identity, self.record.message.wanted()).await {
                        Ok(_) => self.woke |= view.phase == PhaseName::Asleep,
                        Err(error @ FleetError::WrongPhase { .. }) => {
                            if let Some(reason) = refusal(views.borrow().phase, &error) {
                                return Err(Step::Refuse(reason));
                            }
                        }
                        Err(error) => self.pause(&error.chain(), ABSENT_PAUSE * 4).await,
                    }
                }
                _ => {
                    // What is blocked begins its next life for whoever clears the way.
                    self.woke &= view.phase != PhaseName::Blocked;
                    let why = if view.unreachable { "its server does not answer".into() } else { obstacle(&view) };
                    self.wait(&why, &mut views).await;
                }
            }
        }
    }

    /// Types the message into this life's terminal.
    async fn deliver(&mut self, life: &LifeKey, typing: Arc<Typing>, one_task: bool) -> Result<Step, Stop> {
        let shared = Arc::clone(&self.shared);
        let terminals = &shared.parts.terminals;
        let (id, noted) = (self.record.message.id, self.record.progress.generation == Some(life.generation));
        // Who can not hear looks all the same, only more rarely.
        let mut ear =
            terminals.listen(life).inspect_err(|error| tracing::warn!(%life, error = error.chain(), "unheard")).ok();
        let mut delivery = Delivery::new(id, noted, one_task);
        let mut effect = Effect::Look;
        loop {
            let event = match effect {
                Effect::Look => Event::Seen(terminals.look(life, Arc::clone(&typing)).await.map_err(|_| Stop::Life)?),
                Effect::LookAgain { least_ms, most_ms, why } => {
                    self.listen(ear.as_deref_mut(), least_ms, most_ms, why).await;
                    Event::Waited
                }
                Effect::Note => {
                    self.record.progress = self.typed(life).await?;
                    Event::Noted
                }
                Effect::Paste => {
                    let text = envelope(&self.record.message, self.record.progress.redelivered);
                    logged(terminals.paste(life, id, text).await);
                    Event::Acted
                }
                Effect::Press => {
                    logged(terminals.press(life, typing.composer.submit.clone(), Some(id)).await);
                    Event::Acted
                }
                Effect::Submitted => return Ok(Step::Submit),
                Effect::Failed(reason) => return Ok(Step::Fail(reason)),
            };
            effect = delivery.step(event, self.shared.now_boot_ms());
        }
    }

    /// Waits until something was written, within these bounds.
    async fn listen(
        &mut self,
        ear: Option<&mut (dyn Ear + 'static)>,
        least_ms: u64,
        most_ms: u64,
        why: Option<String>,
    ) {
        let least = Duration::from_millis(least_ms);
        self.in_the_way(why);
        sleep(least).await;
        let heard = async {
            match ear {
                Some(ear) => ear.heard().await,
                None => pending().await,
            }
        };
        // Too late is as good: it is looked at either way.
        let _late = timeout(Duration::from_millis(most_ms).saturating_sub(least), heard).await;
        self.tell_that_it_waits();
    }

    /// Has it written down that the message is about to be typed in this life.
    async fn typed(&mut self, life: &LifeKey) -> Result<Progress, Stop> {
        // Not put to sleep now: who is looked at for output alone may seem idle.
        self.shared.parts.recipients.given(life, self.record.message.topic.clone());
        let step = Step::Type { generation: life.generation, woke: self.woke };
        let mut failures = 0;
        loop {
            match self.shared.step(self.record.message.id, step.clone()).await {
                Ok(progress) => return Ok(progress),
                // In this life: a try that seemed to fail was written down all the same.
                Err(FleetError::Mail(MailError::WrongState { state: State::Typed, .. })) => {
                    return Ok(Progress { generation: Some(life.generation), ..self.record.progress.clone() });
                }
                Err(FleetError::Mail(MailError::WrongState { .. } | MailError::NotFound(_))) => {
                    return Err(Stop::Message);
                }
                Err(error) => {
                    failures += 1;
                    self.pause(&error.chain(), backoff(failures)).await;
                }
            }
        }
    }

    async fn wait(&mut self, why: &str, views: &mut watch::Receiver<PeerView>) {
        self.in_the_way(Some(why.to_owned()));
        let left =
            self.untold_since.map(|since| (since + self.shared.parts.rules.queue_max).duration_since(Instant::now()));
        tokio::select! {
            _its_end_is_seen_too = views.changed() => {}
            () = async { match left { Some(left) => sleep(left).await, None => pending().await } } => {}
        }
        self.tell_that_it_waits();
    }

    async fn pause(&mut self, why: &str, pause: Duration) {
        self.in_the_way(Some(why.to_owned()));
        sleep(pause).await;
        self.tell_that_it_waits();
    }

    fn in_the_way(&self, why: Option<String>) {
        self.shared.obstacle(&self.record.message.to, why);
    }

    /// Tells once that the message waits longer than senders are told to expect.
    fn tell_that_it_waits(&mut self) {
        if self.untold_since.is_some_and(|since| since.elapsed() >= self.shared.parts.rules.queue_max) {
            self.untold_since = None;
            let message = &self.record.message;
            let draft = Draft::new("mail-waits").about(&message.to).with("id", message.id).with("from", &message.from);
            let why = self.shared.obstacle_of(&message.to).unwrap_or_default();
            self.shared.note(draft.with("why", why));
        }
    }
}

/// Resolves when this life is not up any more.
async fn until_over(views: &mut watch::Receiver<PeerView>, life: &LifeKey) {
    let over = |view: &PeerView| view.generation != life.generation || view.phase != PhaseName::Up;
    // A peer that is gone is over too.
    let _gone = views.wait_for(over).await;
}

/// An act that failed may have been carried out all the same: a look tells.
fn logged(acted: Result<(), FleetError>) {
    if let Err(error) = acted {
        tracing::debug!(error = error.chain(), "a terminal did not take what it was given");
    }
}

fn obstacle(view: &PeerView) -> String {
    if view.detail.is_empty() {
        format!("it is {}", view.phase)
    } else {
        format!("it is {}: {}", view.phase, view.detail)
    }
}

/// Why what is stopped, or was quarantined, gets no mail. Seen before it was asked it may still have slept: a stop that
/// came in between is a stop. Nothing where it is blocked by now: that is waited for, whenever it was looked at.
pub(super) fn refusal(now: PhaseName, error: &FleetError) -> Option<Reason> {
    let code = match now {
        PhaseName::Blocked => return None,
        PhaseName::Quarantined => now,
        _ => PhaseName::Stopped,
    };
    Some(Reason::new(code.as_str(), format!("{error}; {}", error.hint())))
}

/// Why something that would run mail as commands gets none.
pub(super) fn no_composer(identity: &Identity) -> Reason {
    let runtime = identity.runtime();
    let text = format!(
        "the runtime {runtime} has no composer: what is typed there would be run as commands; describe one under \
         [runtime.{runtime}.composer] in config.toml"
    );
    Reason::new("no-composer", text)
}

/// Why somebody who is gone gets no mail.
pub(super) fn removed(identity: &Identity) -> Reason {
    Reason::new("removed", format!("{identity} was removed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blocked_when_it_is_asked_is_waited_for_and_what_is_down_refuses() {
        let error = FleetError::WrongPhase {
            identity: "agent-bob".parse().unwrap(),
            phase: PhaseName::Stopped.to_string(),
            hint: "`coalmine start agent-bob` starts it".into(),
        };
        for (now, code) in [
            (PhaseName::Blocked, None),
            (PhaseName::Quarantined, Some("quarantined")),
            (PhaseName::Stopped, Some("stopped")),
            (PhaseName::Up, Some("stopped")),
        ] {
            assert_eq!(refusal(now, &error).map(|reason| reason.code).as_deref(), code, "{now}");
        }
    }
}
