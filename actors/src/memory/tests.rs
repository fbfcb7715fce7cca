//! The memory's actor on a fake file and a paused clock: who is answered what, and when.

use super::{
    Durability, Memory, MemoryError, MemoryParts, compact::CompactOptions, item::NewItem, port::AppendFailed,
    query::Query,
};
use crate::{
    error::FleetError,
    testing::{FakeClock, FakeMemoryFile},
};
use std::{io, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

async fn memory_with(file: &FakeMemoryFile, durability: Durability) -> Memory {
    let parts = MemoryParts {
        file: Arc::new(file.clone()),
        search: None,
        clock: Arc::new(FakeClock::new()),
        journal: None,
        durability,
        index_eagerly: false,
    };
    Memory::start(parts, None).await.unwrap()
}

async fn memory(file: &FakeMemoryFile) -> Memory {
    memory_with(file, Durability::Commit).await
}

fn fact(text: &str) -> NewItem {
    NewItem::new("fact", text)
}

fn full() -> FleetError {
    FleetError::io("append to", "/fake/memory.jsonl", io::ErrorKind::StorageFull.into())
}

/// Adds beside the test, and gives the others a turn.
async fn begin_add(memory: &Memory, text: &str) -> JoinHandle<Result<u64, FleetError>> {
    let (memory, item) = (memory.clone(), fact(text));
    let adding = tokio::spawn(async move { memory.add(item).await.map(|added| added.id) });
    settle().await;
    adding
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn count(memory: &Memory) -> usize {
    memory.list(Query::default()).await.unwrap().items.len()
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_commit_is_one_commit_and_ids_follow_the_order() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    file.hold();
    let first = begin_add(&memory, "first").await;
    let mut others = Vec::new();
    for n in 0..100 {
        others.push(begin_add(&memory, &format!("{n}")).await);
    }
    // Reads wait for no commit, and what is not kept is not there.
    assert_eq!((count(&memory).await, memory.status().waiting), (0, 101));
    file.release();
    assert_eq!(first.await.unwrap().unwrap(), 1);
    for (id, other) in (2..).zip(others) {
        assert_eq!(other.await.unwrap().unwrap(), id);
    }
    assert_eq!(file.counts().0, 2);
    assert_eq!(file.text().lines().count(), 101);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_told_to_everybody_and_the_next_one_tries_again() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    file.fail_append(AppendFailed::Refused(full()));
    assert!(matches!(memory.add(fact("x")).await, Err(FleetError::Io { .. })));
    assert!(memory.status().unavailable.unwrap().why.contains("no storage space"));
    assert_eq!(memory.add(fact("y")).await.unwrap().id, 1);
    assert_eq!(memory.status().unavailable, None);
}

#[tokio::test(start_paused = true)]
async fn what_stands_behind_a_write_that_fails_is_written_once_and_in_its_order() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    memory.add(fact("before")).await.unwrap();
    file.hold();
    file.fail_append(AppendFailed::Refused(full()));
    let first = begin_add(&memory, "first").await;
    let (second, third) = (begin_add(&memory, "second").await, begin_add(&memory, "third").await);
    assert_eq!(memory.status().waiting, 3);
    file.release();
    assert!(matches!(first.await.unwrap(), Err(FleetError::Io { .. })));
    assert_eq!((second.await.unwrap().unwrap(), third.await.unwrap().unwrap()), (2, 3));
    let text = file.text();
    assert!(!text.contains("first"), "{text}");
    assert_eq!((text.matches("second").count(), text.matches("third").count()), (1, 1), "{text}");
    assert_eq!(file.counts().1, 1, "a full disk is no reason to read the file anew");
}

#[tokio::test(start_paused = true)]
async fn nothing_behind_an_unconfirmed_write_is_written() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    file.hold();
    file.fail_append(AppendFailed::Indeterminate(full()));
    let first = begin_add(&memory, "first").await;
    let second = begin_add(&memory, "second").await;
    file.release();
    assert_eq!(first.await.unwrap().unwrap_err().code(), "indeterminate");
    assert_eq!(second.await.unwrap().unwrap_err().code(), "unavailable");
    assert_eq!(file.text(), "");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_writes_just_as_much_as_a_batch_does_not_pass_for_it() {
    let (other_file, file) = (FakeMemoryFile::new(), FakeMemoryFile::new());
    memory(&other_file).await.add(fact("abcde")).await.unwrap();
    let memory = memory(&file).await;
    file.hold();
    let (first, second) = (begin_add(&memory, "first").await, begin_add(&memory, "second").await);
    file.write_foreign(&other_file.text());
    file.release();
    assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (2, 3));
    let text = file.text();
    assert_eq!(text.lines().count(), 3, "each once: {text}");
    assert_eq!(count(&memory).await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_item_is_forgotten_once_though_both_words_are_on_their_way() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    memory.add(fact("before")).await.unwrap();
    file.hold();
    let forget = || {
        let memory = memory.clone();
        tokio::spawn(async move { memory.forget(1).await })
    };
    let one = forget();
    settle().await;
    let other = forget();
    settle().await;
    file.release();
    assert_eq!(one.await.unwrap().unwrap().id, 2);
    assert_eq!(other.await.unwrap().unwrap_err().code(), "forgotten");
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_write_is_called_so_and_the_file_is_read_anew_before_the_next() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    memory.add(fact("before")).await.unwrap();
    file.fail_append(AppendFailed::Indeterminate(full()));
    // The disk kept it after all.
    file.write_foreign("{\"id\":2,\"ts\":1778647923,\"kind\":\"fact\",\"content\":\"unsure\"}\n");
    let unsure = memory.add(fact("unsure")).await.unwrap_err();
    assert_eq!(unsure.code(), "indeterminate");
    let refused = memory.add(fact("too early")).await.unwrap_err();
    assert_eq!(refused.code(), "unavailable");
    assert_eq!(count(&memory).await, 1); // reads are served meanwhile
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 3);
    assert_eq!(count(&memory).await, 3);
    assert_eq!(file.counts().1, 2);
}

#[tokio::test(start_paused = true)]
async fn a_strangers_line_is_read_and_the_batch_is_written_behind_it() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    memory.add(fact("ours")).await.unwrap();
    file.write_foreign("{\"id\":7,\"ts\":1778647923,\"kind\":\"fact\",\"content\":\"theirs\"}\n");
    assert_eq!(memory.add(fact("ours")).await.unwrap().id, 8);
    // An item that the stranger's line made known can be forgotten, and only once.
    let (one, other) = tokio::join!(memory.forget(7), memory.forget(7));
    assert_eq!(one.unwrap().id, 9);
    assert_eq!(other.unwrap_err().code(), "forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_can_not_be_opened_is_tried_again_and_says_why() {
    let file = FakeMemoryFile::new();
    let held = MemoryError::Held { path: "/fake/memory.jsonl".into(), holder: "pid 1 (x)".into() };
    file.refuse_open(Some(held.into()));
    let memory = memory(&file).await;
    assert_eq!(memory.list(Query::default()).await.unwrap_err().code(), "memory-held");
    assert_eq!(memory.add(fact("x")).await.unwrap_err().code(), "unavailable");
    file.refuse_open(None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(memory.add(fact("x")).await.unwrap().id, 1);
    assert!(memory.status().unavailable.is_none() && memory.status().error.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_bug_costs_the_record_in_hand_and_the_next_actor_goes_on() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    memory.add(fact("before")).await.unwrap();
    file.panic();
    assert_eq!(memory.add(fact("x")).await.unwrap_err().code(), "indeterminate");
    settle().await;
    assert_eq!(memory.add(fact("after")).await.unwrap().id, 2);
}

#[tokio::test(start_paused = true)]
async fn with_an_interval_the_disk_is_asked_once_for_many() {
    let file = FakeMemoryFile::new();
    let memory = memory_with(&file, Durability::Interval(Duration::from_millis(50))).await;
    for _ in 0..10 {
        assert!(!memory.add(fact("x")).await.unwrap().durable);
    }
    assert_eq!(file.counts().2, 0);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(file.counts().2, 1);
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_compaction_is_written_to_the_new_file() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    for text in ["one", "two", "three"] {
        memory.add(fact(text)).await.unwrap();
    }
    memory.forget(2).await.unwrap();
    let compacting = memory.compact(CompactOptions::default());
    let (compacted, added) = tokio::join!(compacting, memory.add(fact("meanwhile")));
    assert_eq!((compacted.unwrap().removed, added.unwrap().id), (1, 5));
    assert!(!file.text().contains("two") && file.text().contains("meanwhile"));
    assert_eq!(memory.forget(5).await.unwrap().id, 6);
}

#[tokio::test(start_paused = true)]
async fn a_compaction_has_its_turn_though_there_is_always_something_to_write() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    file.hold();
    let first = begin_add(&memory, "first").await;
    let second = begin_add(&memory, "second").await;
    let compacting = tokio::spawn({
        let memory = memory.clone();
        async move { memory.compact(CompactOptions::default()).await }
    });
    settle().await;
    let third = begin_add(&memory, "third").await;
    file.release();
    assert_eq!(compacting.await.unwrap().unwrap().kept, 2, "the third waits for it");
    assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 2));
    assert_eq!(third.await.unwrap().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn closing_writes_what_waits_and_takes_no_more() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    file.hold();
    let (first, second) = (begin_add(&memory, "first").await, begin_add(&memory, "second").await);
    let closing = tokio::spawn({
        let memory = memory.clone();
        async move { memory.close(Duration::from_secs(60)).await }
    });
    settle().await;
    assert_eq!(memory.add(fact("too late")).await.unwrap_err().code(), "shutting-down");
    file.release();
    closing.await.unwrap().unwrap();
    assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 2));
    assert_eq!(count(&memory).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_follower_hears_of_every_change() {
    let file = FakeMemoryFile::new();
    let memory = memory(&file).await;
    let mut changes = memory.subscribe();
    memory.add(fact("x")).await.unwrap();
    memory.forget(1).await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), super::Change::Added { id: 1 });
    assert_eq!(changes.recv().await.unwrap(), super::Change::Forgotten { id: 1 });
}
