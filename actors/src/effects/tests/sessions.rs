//! Calls through sessions: what happens, what is counted, and what is written down.

use super::{
    examples::{FULL, example},
    house::{House, bob, call},
};
use crate::{
    effects::{EffectError, Op, audit::entry::Entry, port::Family},
    restart_budget::FAILURES_MAX,
    testing::{FakeJournalFile, parent},
};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

#[tokio::test]
async fn nothing_reaches_the_world_under_an_empty_policy_and_every_call_is_written_down() {
    let house = House::of("").await;
    let session = house.session().await;
    for op in Op::ALL {
        let called = session.call(*op, example(*op)).await;
        match called {
            Ok(_) => assert_eq!(*op, Op::BudgetRemaining),
            Err(error) => assert_eq!(error.code(), "denied", "{op}"),
        }
    }
    assert!(house.host.reached.lock().unwrap().is_empty());
    assert_eq!(house.log.told().len(), Op::ALL.len() + 1); // the pure one has an end, too
    assert_eq!(house.effects.view().denied, Op::ALL.len() as u64 - 1);
}

#[tokio::test]
async fn what_is_not_understood_is_counted_apart_from_what_is_denied() {
    let house = House::of("").await;
    let session = house.session().await;
    assert_eq!(session.call(Op::TimeNow, json!({})).await.unwrap_err().code(), "denied");
    assert_eq!(session.call(Op::TimeNow, json!({ "zone": "utc" })).await.unwrap_err().code(), "bad-args");
    assert_eq!(session.call_named("time.nwo", json!({})).await.unwrap_err().code(), "bad-args");
    let view = house.effects.view();
    assert_eq!((view.allowed, view.denied, view.refused), (0, 1, 2));
}

#[tokio::test]
async fn a_broker_that_fails_too_often_stays_down_and_the_journal_says_so() {
    let house = House::of("").await;
    let session = house.session().await;
    house.journal.spawn(Arc::new(FakeJournalFile::new()), parent().await).await.unwrap();
    let mut events = house.journal.subscribe();
    for _ in 0..FAILURES_MAX {
        let failed = house.effects.actor();
        failed.kill();
        while house.effects.actor().get_id() == failed.get_id() {
            tokio::task::yield_now().await;
        }
    }
    house.effects.actor().kill();
    let told = events.recv().await.unwrap();
    assert_eq!((told.ev.as_str(), told.get("why")), ("effects-down", Some("their actor failed too often")));
    assert!(house.effects.session(&bob()).await.is_err());
    assert_eq!(
        call(&session, Op::BudgetRemaining, json!({})).await.unwrap()["calls"],
        json!(null),
        "what is open goes on"
    );
}

#[tokio::test]
async fn a_family_that_is_not_built_is_unsupported_and_costs_nothing() {
    let house = House::of(&format!("{FULL}\n[budget]\ncalls = 1000")).await;
    let session = house.session().await;
    let built = [Family::Core, Family::Files, Family::Net, Family::Stores];
    let ops: Vec<_> = Op::ALL.iter().filter(|op| !built.contains(&op.family())).collect();
    assert!(ops.len() > 10);
    for op in &ops {
        assert_eq!(session.call(**op, example(**op)).await.unwrap_err().code(), "effect-unsupported", "{op}");
    }
    assert_eq!(call(&session, Op::BudgetRemaining, json!({})).await.unwrap()["calls"], 1_000);
    assert_eq!(house.log.told().len(), 2 * ops.len() + 2);
}

#[tokio::test]
async fn the_operations_of_the_core_do_what_the_table_says() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    assert_eq!(call(&session, Op::IoPrint, json!({ "line": "hello" })).await.unwrap(), json!(null));
    call(&session, Op::LogWarn, json!({ "message": "a\nb" })).await.unwrap();
    call(&session, Op::LogDebug, json!({ "message": "not kept" })).await.unwrap();
    call(&session, Op::LogSetFormat, json!({ "format": "json" })).await.unwrap();
    call(&session, Op::LogSetLevel, json!({ "level": "error" })).await.unwrap();
    call(&session, Op::LogWarn, json!({ "message": "not kept" })).await.unwrap();
    call(&session, Op::LogError, json!({ "message": "kept" })).await.unwrap();
    let lines = house.lines.0.lock().unwrap().clone();
    assert_eq!((lines.len(), lines[0].as_str()), (3, "hello"));
    assert!(lines[1].ends_with("warn a\\nb") && lines[2].contains("\"message\":\"kept\""), "{lines:?}");
    let seconds = call(&session, Op::TimeNow, json!({})).await.unwrap().as_f64().unwrap();
    let nanoseconds = call(&session, Op::DatetimeNow, json!({})).await.unwrap().as_i64().unwrap();
    assert!((1_795_224_225.0..1_795_225_000.0).contains(&seconds), "{seconds}");
    assert!(nanoseconds >= (seconds * 1e9) as i64 - 1_000);
    let drawn = call(&session, Op::CryptoRandom, json!({ "n": 3 })).await.unwrap();
    assert_eq!(drawn["base64"].as_str().unwrap().len(), 4);
    assert_eq!(call(&session, Op::CryptoRandom, json!({ "n": 0 })).await.unwrap(), json!({ "base64": "" }));
    assert_eq!(call(&session, Op::EnvGet, json!({ "name": "LANG" })).await.unwrap(), "the value of LANG");
    let none = call(&session, Op::BudgetRemaining, json!({})).await.unwrap();
    assert_eq!(none, json!({ "calls": null, "wall_ms": null, "bytes_out": null, "llm_tokens": null }));
}

#[tokio::test]
async fn a_seed_makes_every_session_draw_the_same() {
    let draw = async |policy: &str| {
        let house = House::of(policy).await;
        let session = house.session().await;
        let mut drawn = Vec::new();
        for _ in 0..8 {
            drawn.push(call(&session, Op::RandIntIn, json!({ "lo": -1_000_000, "hi": 1_000_000 })).await.unwrap());
        }
        drawn
    };
    let seeded = format!("{FULL}\n[random]\nseed = 7");
    assert_eq!(draw(&seeded).await, draw(&seeded).await);
    assert_ne!(draw(&seeded).await, draw(&seeded.replace('7', "8")).await);
}

#[tokio::test]
async fn of_eight_parallel_calls_that_cost_three_of_ten_exactly_three_succeed() {
    let house = House::of(&format!("{FULL}\n[budget]\ncalls = 10\ncost = {{ \"fs.exists\" = 3 }}")).await;
    for _round in 0..20 {
        let session = house.session().await;
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            let session = session.clone();
            calls.spawn(async move { session.call(Op::FsExists, example(Op::FsExists)).await });
        }
        let results = calls.join_all().await;
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        assert!(
            refused
                .clone()
                .all(|error| matches!(error, EffectError::Budget { what: "calls", requested: 3, ceiling: 10, .. }))
        );
        assert_eq!(refused.count(), 5);
        assert_eq!(call(&session, Op::BudgetRemaining, json!({})).await.unwrap()["calls"], 1);
        house.effects.forget(super::house::bob().personality()).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_by_the_budget_is_written_down_with_its_rule() {
    let house = House::of(&format!("{FULL}\n[budget]\nbytes_out = 5")).await;
    let session = house.session().await;
    call(&session, Op::IoPrint, json!({ "line": "hello" })).await.unwrap();
    let refused = call(&session, Op::IoPrint, json!({ "line": "!" })).await.unwrap_err();
    assert_eq!(refused, EffectError::Budget { what: "bytes_out", requested: 1, used: 5, ceiling: 5 });
    assert_eq!(house.log.told().last().unwrap(), "io.print budget (budget.bytes_out)");
    assert_eq!(refused.to_json()["used"], 5);
}

#[tokio::test]
async fn a_handle_is_its_sessions_alone() {
    let house = House::of(FULL).await;
    let (mine, theirs) = (house.session().await, house.session().await);
    let handle = call(&mine, Op::KvOpen, json!({})).await.unwrap();
    let get = json!({ "handle": handle, "key": "k" });
    assert_eq!(call(&mine, Op::KvGet, get.clone()).await.unwrap(), "kept");
    let unknown = [
        call(&theirs, Op::KvGet, get.clone()).await,
        call(&mine, Op::KvGet, json!({ "handle": "0".repeat(32), "key": "k" })).await,
        call(&mine, Op::SqlClose, json!({ "handle": handle })).await,
        call(&theirs, Op::KvClose, json!({ "handle": handle })).await,
    ];
    assert!(unknown.iter().all(|result| *result == Err(EffectError::UnknownHandle)), "{unknown:?}");
    call(&mine, Op::KvClose, json!({ "handle": handle })).await.unwrap();
    assert_eq!(call(&mine, Op::KvGet, get).await, Err(EffectError::UnknownHandle));
    // No record holds what could be used as a handle.
    let whole = handle.as_str().unwrap().to_owned();
    assert!(house.log.files.lock().unwrap().iter().all(|file| !String::from_utf8_lossy(file).contains(&whole)));
}

#[tokio::test]
async fn one_handle_more_than_the_limit_is_refused() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    let first = call(&session, Op::KvOpen, json!({})).await.unwrap();
    for _ in 1..256 {
        call(&session, Op::KvOpen, json!({})).await.unwrap();
    }
    assert_eq!(call(&session, Op::KvOpen, json!({})).await, Err(EffectError::TooManyHandles { max: 256 }));
    assert_eq!(call(&session, Op::KvGet, json!({ "handle": first, "key": "k" })).await.unwrap(), "kept");
}

#[tokio::test(start_paused = true)]
async fn a_sleep_is_clamped_and_ends_with_its_session() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    for (ms, slept) in [(i64::MIN, 0), (0, 0), (1_500, 1_500), (60_000, 60_000), (i64::MAX, 60_000)] {
        let since = Instant::now();
        call(&session, Op::TimeSleepMs, json!({ "ms": ms })).await.unwrap();
        // The timer's own grain is a millisecond.
        let took = u64::try_from(since.elapsed().as_millis()).unwrap();
        assert!((slept..=slept + 2).contains(&took), "{ms}: {took}");
    }
    let sleeper = tokio::spawn({
        let session = session.clone();
        async move { session.call(Op::TimeSleepMs, json!({ "ms": 60_000 })).await }
    });
    let since = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    session.end();
    assert_eq!(sleeper.await.unwrap(), Err(EffectError::Cancelled));
    assert!(since.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_budgets_time_ends_a_call() {
    let house = House::of(&format!("{FULL}\n[budget]\nwall = \"2s\"")).await;
    let session = house.session().await;
    let since = Instant::now();
    let late = call(&session, Op::TimeSleepMs, json!({ "ms": 5_000 })).await;
    assert_eq!(late, Err(EffectError::Timeout { phase: "budget" }));
    assert!(since.elapsed() < Duration::from_secs(3));
    assert_eq!(call(&session, Op::TimeNow, json!({})).await.unwrap_err().code(), "budget");
}

#[tokio::test]
async fn a_call_that_is_let_go_of_is_called_off_and_written_down() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    let waiting = tokio::spawn(async move { session.call(Op::NetGet, example(Op::NetGet)).await });
    house.host.begun.notified().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(house.host.dropped.load(Ordering::Relaxed), 1);
    assert_eq!(house.log.told(), ["net.get begun (scope.net[0])", "net.get cancelled"]);
}

#[tokio::test]
async fn a_host_that_panics_is_a_fault_of_one_call() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    let panic = json!({ "path": "/secret-grant/data/panic" });
    assert_eq!(call(&session, Op::FsStat, panic).await.unwrap_err().code(), "internal");
    assert_eq!(house.log.told(), ["fs.stat begun (scope.fs_read[0])", "fs.stat cancelled"]);
    call(&session, Op::FsExists, example(Op::FsExists)).await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_written_down_does_not_happen() {
    let house = House::of(&format!("{FULL}\n[budget]\ncalls = 10")).await;
    let session = house.session().await;
    house.log.refuses.store(true, Ordering::Relaxed);
    for op in [Op::FsExists, Op::IoPrint, Op::NetGet] {
        assert_eq!(session.call(op, example(op)).await.unwrap_err().code(), "unaudited", "{op}");
    }
    assert!(house.host.reached.lock().unwrap().is_empty() && house.lines.0.lock().unwrap().is_empty());
    assert!(house.effects.unaudited().is_some());
    house.log.refuses.store(false, Ordering::Relaxed);
    assert_eq!(call(&session, Op::BudgetRemaining, json!({})).await.unwrap()["calls"], 10);
    assert_eq!(house.effects.unaudited(), None);
}

#[tokio::test]
async fn what_nobody_understands_is_written_down_too() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    let nonsense =
        [("fs.stta", json!({})), ("fs.stat", json!({ "pth": "/x" })), ("", json!(7)), ("fs.stat", json!([]))];
    for (op, args) in nonsense.clone() {
        assert_eq!(session.call_named(op, args).await.unwrap_err().code(), "bad-args", "{op}");
    }
    assert_eq!(house.log.told().len(), nonsense.len());
    let error = session.call_named("fs.stta", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("did you mean \"fs.stat\"?"), "{error}");
}

#[tokio::test]
async fn an_operation_that_an_embedder_adds_is_governed_like_every_other() {
    let house = House::of(&format!("{FULL}\n[budget]\ncalls = 12")).await;
    let session = house.session().await;
    let order = async |args| session.call_named("shop.order", args).await.map(|output| output.into_json());
    assert_eq!(order(json!({ "item": "tea" })).await.unwrap(), json!({ "ordered": "tea" }));
    assert_eq!(order(json!({ "item": 7 })).await.unwrap_err().code(), "denied");
    order(json!({ "item": "tea" })).await.unwrap();
    assert_eq!(order(json!({ "item": "tea" })).await.unwrap_err().code(), "budget");
    let told = house.log.told();
    assert_eq!(&told[..2], ["shop.order begun (added shop.order)", "shop.order ok"]);
    assert_eq!(told.len(), 6);
}

#[tokio::test]
async fn on_a_thread_of_its_own_a_caller_needs_no_hop_and_gets_what_waits_refused() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    let here = |op| session.perform_here(super::examples::request(op));
    assert!(here(Op::FsExists).is_ok());
    assert_eq!(here(Op::NetGet).unwrap_err().code(), "effect-unsupported");
    assert_eq!(here(Op::TimeSleepMs).unwrap_err().code(), "effect-unsupported");
    assert_eq!(house.log.told().len(), 4);
}

#[tokio::test]
async fn a_grave_decision_is_durable_before_it_happens_and_others_within_a_second() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    call(&session, Op::FsExists, example(Op::FsExists)).await.unwrap();
    assert_eq!(house.log.syncs.load(Ordering::Relaxed), 0);
    let _not_built = call(&session, Op::ProcSpawn, example(Op::ProcSpawn)).await;
    assert_eq!(house.log.syncs.load(Ordering::Relaxed), 1);
    tokio::time::timeout(Duration::from_secs(20), async {
        while house.log.syncs.load(Ordering::Relaxed) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn every_end_names_its_decision_and_says_what_it_took() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    call(&session, Op::IoPrint, json!({ "line": "hello" })).await.unwrap();
    assert_eq!(call(&session, Op::IoRead, example(Op::IoRead)).await, Err(EffectError::NotFound));
    let records = house.log.records();
    assert!(records.iter().map(|record| record.seq).eq(1..=4));
    for (decision, end) in [(0, 1), (2, 3)] {
        let (Entry::Decision(decided), Entry::Outcome(ended)) = (&records[decision].entry, &records[end].entry) else {
            panic!("{records:?}")
        };
        assert_eq!((ended.call, &ended.about), (records[decision].seq, &decided.about));
    }
    let Entry::Outcome(ended) = &records[1].entry else { panic!() };
    assert_eq!((ended.outcome.as_ref(), ended.calls, ended.bytes_out), ("ok", 1, 5));
    let Entry::Outcome(ended) = &records[3].entry else { panic!() };
    assert_eq!((ended.outcome.as_ref(), ended.calls), ("not-found", 1));
}

#[tokio::test]
async fn closing_ends_every_session_and_writes_a_checkpoint() {
    let house = House::of(FULL).await;
    let session = house.session().await;
    let seat = Arc::clone(&session.0.seat);
    call(&session, Op::TimeNow, json!({})).await.unwrap();
    house.effects.close(Duration::from_secs(20)).await.unwrap();
    assert!(seat.has_ended());
    assert!(matches!(house.log.records().last().unwrap().entry, Entry::Checkpoint { .. }));
    assert!(house.log.syncs.load(Ordering::Relaxed) > 0);
}
