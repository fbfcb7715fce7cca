//! Policies that change while sessions live, and peers that come and go.

use super::{
    examples::FULL,
    house::{House, bob, call},
    memory_log::MemoryLog,
};
use crate::{effects::Op, names::Generation};
use serde_json::json;
use std::{sync::Arc, time::Duration};

const PATIENCE: Duration = Duration::from_secs(20);

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never {what}"));
}

#[tokio::test]
async fn a_policy_that_changes_holds_from_the_next_call_on() {
    let house = House::of("").await;
    let session = house.session().await;
    assert_eq!(call(&session, Op::TimeNow, json!({})).await.unwrap_err().code(), "denied");
    house.source.set("bob", Some("[allow]\neffects = [\"clock\"]"));
    until("granted", || !session.policy().allow.is_empty()).await;
    call(&session, Op::TimeNow, json!({})).await.unwrap();
    // One that can not be read is somebody's slip: what ran goes on, and somebody is told.
    house.source.damage("bob");
    until("told", || !house.effects.view().problems.is_empty()).await;
    call(&session, Op::TimeNow, json!({})).await.unwrap();
    // One that is gone allows nothing.
    house.source.set("bob", None);
    until("taken away", || session.policy().allow.is_empty()).await;
    assert_eq!(call(&session, Op::TimeNow, json!({})).await.unwrap_err().code(), "denied");
    assert!(house.effects.view().problems.is_empty());
}

#[tokio::test]
async fn a_peer_without_a_policy_has_none_and_one_whose_policy_is_damaged_no_session() {
    let house = House::of("").await;
    let carol = "claude-carol".parse().unwrap();
    let session = house.effects.session(&carol).await.unwrap();
    assert_eq!(session.policy().name, "none");
    house.source.damage("dave");
    let error = house.effects.session(&"claude-dave".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), "bad-policy");
}

#[tokio::test]
async fn a_life_has_one_session_and_the_next_life_another_one() {
    let house = House::of(FULL).await;
    let first = house.effects.standing(&bob(), Generation(1)).await.unwrap();
    assert_eq!(house.effects.standing(&bob(), Generation(1)).await.unwrap().id(), first.id());
    let second = house.effects.standing(&bob(), Generation(2)).await.unwrap();
    assert_ne!(second.id(), first.id());
    assert_eq!(call(&first, Op::TimeNow, json!({})).await.unwrap_err().code(), "cancelled");
    // Word of an earlier end comes late.
    house.effects.life_ended(&bob(), Generation(1));
    call(&second, Op::TimeNow, json!({})).await.unwrap();
    house.effects.life_ended(&bob(), Generation(2));
    assert_eq!(call(&second, Op::TimeNow, json!({})).await.unwrap_err().code(), "cancelled");
}

#[tokio::test]
async fn however_many_call_at_once_in_the_beginning_of_a_life_it_has_one_session() {
    let house = House::of(FULL).await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let effects = house.effects.clone();
            tokio::spawn(async move { effects.standing(&bob(), Generation(1)).await.unwrap() })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for call in calls {
        let session = call.await.unwrap();
        assert!(!session.0.seat.has_ended());
        ids.insert(session.id());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn what_is_used_outlives_the_daemon_and_not_the_peer() {
    let policy = format!("{FULL}\n[budget]\ncalls = 3");
    let log = Arc::new(MemoryLog::new(usize::MAX));
    for round in 0..2 {
        let house = House::on(Arc::clone(&log)).await;
        house.source.set("bob", Some(&policy));
        let session = house.session().await;
        call(&session, Op::TimeNow, json!({})).await.unwrap();
        let left = call(&session, Op::BudgetRemaining, json!({})).await.unwrap();
        assert_eq!(left["calls"], 2 - round);
    }
    let house = House::on(log).await;
    house.source.set("bob", Some(&policy));
    let session = house.session().await;
    house.effects.forget(bob().personality()).await.unwrap();
    assert_eq!(call(&session, Op::TimeNow, json!({})).await.unwrap_err().code(), "cancelled");
    let namesake = house.session().await;
    assert_eq!(call(&namesake, Op::BudgetRemaining, json!({})).await.unwrap()["calls"], 3);
}

#[tokio::test]
async fn two_runtimes_of_one_peer_share_its_ledger() {
    let house = House::of(&format!("{FULL}\n[budget]\ncalls = 3")).await;
    let (claude, codex) = (house.session().await, house.effects.session(&"codex-bob".parse().unwrap()).await.unwrap());
    for session in [&claude, &codex, &claude] {
        call(session, Op::TimeNow, json!({})).await.unwrap();
    }
    assert_eq!(call(&codex, Op::TimeNow, json!({})).await.unwrap_err().code(), "budget");
}
