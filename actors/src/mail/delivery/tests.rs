//! A terminal that is played by hand: rows, and a program that does whatever chance wants.

use super::*;
use crate::mail::composer::Marks;
use proptest::prelude::*;

fn id() -> MessageId {
    MessageId::at(1, 1)
}

fn sight(composer: Holds, marks: Marks) -> Sight {
    Sight { composer, busy: false, dialog: None, person: false, marks }
}

const BLANK: Marks = Marks { pasted: None, pressed: None };

fn pasted() -> Marks {
    Marks { pasted: Some(id()), pressed: None }
}

fn pressed() -> Marks {
    Marks { pasted: Some(id()), pressed: Some(id()) }
}

fn waits(effect: &Effect) -> bool {
    matches!(effect, Effect::LookAgain { .. })
}

#[test]
fn a_message_is_noted_then_pasted_then_submitted() {
    let mut delivery = Delivery::new(id(), false, false);
    assert_eq!(delivery.step(Event::Seen(sight(Holds::Nothing, BLANK)), 0), Effect::Note);
    assert_eq!(delivery.step(Event::Noted, 1), Effect::Paste);
    assert!(waits(&delivery.step(Event::Acted, 2)), "nothing to see yet");
    assert_eq!(delivery.step(Event::Waited, 2), Effect::Look);
    assert!(waits(&delivery.step(Event::Seen(sight(Holds::Nothing, pasted())), 3)), "a slow echo");
    assert_eq!(delivery.step(Event::Seen(sight(Holds::Something, pasted())), 9), Effect::Press);
    assert_eq!(delivery.step(Event::Seen(sight(Holds::Nothing, pressed())), 12), Effect::Submitted);
}

#[test]
fn a_life_that_takes_one_message_takes_no_second_one() {
    let other = Marks { pasted: Some(MessageId::at(2, 2)), pressed: Some(MessageId::at(2, 2)) };
    for (one_task, marks, typed) in
        [(true, other, false), (true, BLANK, true), (false, other, true), (false, BLANK, true)]
    {
        let effect = Delivery::new(id(), false, one_task).step(Event::Seen(sight(Holds::Nothing, marks)), 0);
        assert_eq!(effect == Effect::Note, typed, "{one_task} {marks:?}");
        assert_eq!(waits(&effect), !typed);
    }
    // What was pasted in this life before its daemon died goes on.
    let mut again = Delivery::new(id(), true, true);
    assert_eq!(again.step(Event::Seen(sight(Holds::Something, pasted())), 0), Effect::Press);
}

#[test]
fn nothing_is_typed_while_anything_is_in_the_way() {
    let free = sight(Holds::Nothing, BLANK);
    for (in_the_way, words) in [
        (Sight { busy: true, ..free.clone() }, "it works"),
        (Sight { person: true, ..free.clone() }, "a person is typing"),
        (Sight { dialog: Some("trust".into()), ..free.clone() }, "a dialog waits for a person: trust"),
        (Sight { composer: Holds::Something, ..free.clone() }, "its composer holds a text already"),
        (Sight { composer: Holds::Absent, ..free }, "its composer is not on the screen"),
    ] {
        let mut delivery = Delivery::new(id(), false, false);
        for now_ms in [0, 1_000, 1_000_000] {
            let Effect::LookAgain { why, .. } = delivery.step(Event::Seen(in_the_way.clone()), now_ms) else {
                panic!("{in_the_way:?}");
            };
            assert_eq!(why.as_deref(), Some(words));
        }
    }
}

#[test]
fn a_dropped_enter_is_pressed_again_ever_more_slowly_and_never_pasted_again() {
    let mut delivery = Delivery::new(id(), false, false);
    delivery.step(Event::Seen(sight(Holds::Something, pasted())), 0);
    let mut presses = Vec::new();
    let failed = (0..).map(|tenth| tenth * 100).find_map(|now_ms| {
        match delivery.step(Event::Seen(sight(Holds::Something, pressed())), now_ms) {
            Effect::Press => presses.push(now_ms),
            Effect::Failed(reason) => return Some((reason, now_ms)),
            effect => assert!(waits(&effect), "{effect:?}"),
        }
        None
    });
    assert_eq!(presses[..6], [1_000, 3_000, 7_000, 15_000, 31_000, 61_000]);
    let (reason, at_ms) = failed.unwrap();
    assert_eq!((reason.code.as_str(), at_ms), ("not-submitted", SUBMITTED_MS_MAX));
}

#[test]
fn keys_are_never_pressed_into_a_dialog_or_beside_a_person() {
    for marks in [pasted(), pressed()] {
        let mut delivery = Delivery::new(id(), true, false);
        let dialog = Sight { dialog: Some("permission".into()), ..sight(Holds::Something, marks) };
        let person = Sight { person: true, ..sight(Holds::Something, marks) };
        for now_ms in [0, 2_000, 60_000, 300_000] {
            assert!(waits(&delivery.step(Event::Seen(dialog.clone()), now_ms)));
            assert!(waits(&delivery.step(Event::Seen(person.clone()), now_ms)));
        }
    }
}

#[test]
fn a_paste_that_never_shows_is_given_up_and_not_repeated() {
    let mut delivery = Delivery::new(id(), false, false);
    assert!(waits(&delivery.step(Event::Seen(sight(Holds::Nothing, pasted())), 10)));
    let effect = delivery.step(Event::Seen(sight(Holds::Nothing, pasted())), 10 + TAKEN_MS_MAX);
    assert!(matches!(&effect, Effect::Failed(reason) if reason.code == "not-taken"), "{effect:?}");
}

#[test]
fn whoever_comes_after_a_crash_goes_on_where_the_terminal_says() {
    for (marks, composer, next) in [
        (BLANK, Holds::Nothing, Effect::Paste),
        (pasted(), Holds::Something, Effect::Press),
        (pressed(), Holds::Nothing, Effect::Submitted),
    ] {
        assert_eq!(Delivery::new(id(), true, false).step(Event::Seen(sight(composer, marks)), 0), next);
    }
    let hidden = Sight { busy: true, ..sight(Holds::Absent, pressed()) };
    assert_eq!(Delivery::new(id(), true, false).step(Event::Seen(hidden), 0), Effect::Submitted);
}

/// A program and the server before it, as far as a delivery meets them.
#[derive(Debug, Default)]
struct World {
    pasted: bool,
    pressed: bool,
    /// What the composer holds of the message.
    held: bool,
    read: u32,
    noted: bool,
}

impl World {
    /// Carries out an act; `deaf` drops what the program should have got of keys.
    fn act(&mut self, effect: &Effect, deaf: bool) {
        match effect {
            Effect::Paste if !self.pasted => (self.pasted, self.held) = (true, true),
            Effect::Press => {
                self.pressed = true;
                if self.held && !deaf {
                    self.held = false;
                    self.read += 1;
                }
            }
            _ => {}
        }
    }

    fn sight(&self, busy: bool, dialog: bool, person: bool) -> Sight {
        let marks = Marks { pasted: self.pasted.then(id), pressed: self.pressed.then(id) };
        let composer = if self.held { Holds::Something } else { Holds::Nothing };
        Sight { composer, busy, dialog: dialog.then(|| "x".to_owned()), person, marks }
    }
}

proptest! {
    /// Whatever is in the way, whichever keys are dropped, and however often whoever delivers dies between two steps.
    #[test]
    fn a_program_reads_a_message_at_most_once_and_whoever_says_submitted_is_right(
        steps in prop::collection::vec((any::<[bool; 3]>(), any::<bool>(), 0..10u8, 0..3_000u64), 0..120)
    ) {
        let mut world = World::default();
        let mut delivery = Delivery::new(id(), false, false);
        let mut now_ms = 0;
        for ([busy, dialog, person], deaf, death, pause_ms) in steps {
            now_ms += pause_ms;
            if death == 0 {
                delivery = Delivery::new(id(), world.noted, false);
            }
            let sight = world.sight(busy, dialog, person);
            let free = !busy && !dialog && !person;
            let mut effect = delivery.step(Event::Seen(sight), now_ms);
            if effect == Effect::Note {
                prop_assert!(!world.noted, "noted once a life");
                world.noted = true;
                effect = delivery.step(Event::Noted, now_ms);
            }
            if matches!(effect, Effect::Paste) {
                prop_assert!(free && world.noted);
            }
            if matches!(effect, Effect::Press) {
                prop_assert!(!dialog && !person && world.pasted);
            }
            world.act(&effect, deaf);
            prop_assert!(world.read <= 1);
            if effect == Effect::Submitted {
                prop_assert_eq!(world.read, 1);
                return Ok(());
            }
        }
    }
}
