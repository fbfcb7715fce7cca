//! The format: what comes back of what was written, whatever happened to the bytes in between.

use super::{
    compact::plan,
    foreign,
    index::{Index, Standing},
    item::{ID_MAX, Item, ItemKind, NewItem},
    line::{self, Bad, Head, Line},
    query::{Query, page},
    verify::verify,
    write,
};
use proptest::prelude::*;

const NOW_MS: i64 = 1_795_224_225_000;

fn fact(id: u64, content: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write::item(&mut out, id, NOW_MS + id as i64, &NewItem::new("fact", content).check().unwrap());
    out
}

fn forget(id: u64, target: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write::tombstone(&mut out, id, NOW_MS, target);
    out
}

/// A file of ours with items 1 to `count`, and item 2 forgotten.
fn file(count: u64) -> Vec<u8> {
    let mut bytes = write::header("2026-11-21T01:23:45.000Z", None);
    (1..=count).for_each(|id| bytes.extend(fact(id, &format!("this is {id}, \"quoted\""))));
    bytes.extend(forget(count + 1, 2));
    bytes
}

fn ids(index: &Index) -> Vec<u64> {
    index.entries().iter().filter(|entry| !entry.gone).map(|entry| entry.id).collect()
}

fn newest(index: &Index) -> Vec<u64> {
    page(index, Query::default()).items.iter().map(|item| item.id).collect()
}

#[test]
fn a_line_is_written_as_the_format_says() {
    let item = NewItem { tags: vec!["a".into()], source: Some("claude-alice".into()), ..NewItem::new("fact", "x\"y") };
    let mut out = Vec::new();
    write::item(&mut out, 1, 1_778_647_923_123, &item.check().unwrap());
    let text = String::from_utf8(out).unwrap();
    let (body, seal) = text.split_at(text.len() - 19);
    assert_eq!(
        body,
        r#"{"id":1,"ts":"2026-05-13T04:52:03.123Z","kind":"fact","content":"x\"y","tags":["a"],"source":"claude-alice""#
    );
    assert_eq!(seal, format!(",\"crc\":\"{:08x}\"}}\n", crc32c::crc32c(body.as_bytes())));
    let header = String::from_utf8(write::header("2026-11-21T01:23:45.000Z", None)).unwrap();
    assert!(
        header.starts_with(r#"{"meta":{"format":"memory.jsonl","version":1,"created":"2026-11-21T01:23:45.000Z"}"#)
    );
    assert_eq!(line::read(header.trim_end().as_bytes()), Ok(Line::NoId));
}

#[test]
fn lines_of_other_tools_are_read_and_bad_ones_say_why() {
    let item = |id, ts_ms| Ok(Line::Item(Head { id, ts_ms, kind: ItemKind::Fact }));
    let second = 1_778_647_923_000;
    for (text, wanted) in [
        (r#"{"id":7,"ts":1778647923,"kind":"fact","content":"x"}"#, item(7, second)),
        (r#"{"kind":"fact", "content":"x", "ts":1778647923000, "id":7.0, "mood":{"id":9}}"#, item(7, second)),
        ("\u{feff}{\"id\":7,\"ts\":\"2026-05-13T04:52:03Z\",\"kind\":\"fact\",\"content\":\"x\"}\r", item(7, second)),
        (r#"{"\u0069d":7,"ts":1778647923.25,"kind":"f\u0061ct","content":"x"}"#, item(7, second)),
        (r#"{"id":4,"kind":"forget","target":2}"#, Ok(Line::Tombstone { id: 4, target: 2 })),
        (r#"{"meta":{}}"#, Ok(Line::NoId)),
        (" \t", Ok(Line::Blank)),
        (r#"{"id":0,"ts":1,"kind":"fact","content":"x"}"#, Err(Bad::Id)),
        (r#"{"id":18446744073709551615,"ts":1,"kind":"fact","content":"x"}"#, Err(Bad::Id)),
        (r#"{"id":9007199254740992,"ts":1,"kind":"fact","content":"x"}"#, Err(Bad::Id)),
        (r#"{"id":"7","ts":1,"kind":"fact","content":"x"}"#, Err(Bad::Id)),
        (r#"{"id":7,"ts":9223372036854775807,"kind":"fact","content":"x"}"#, Err(Bad::Time)),
        (r#"{"id":7,"ts":"+292277026596-12-04T15:30:07Z","kind":"fact","content":"x"}"#, Err(Bad::Time)),
        (r#"{"id":7,"kind":"fact","content":"x"}"#, Err(Bad::Time)),
        (r#"{"id":7,"ts":1,"kind":"note","content":"x"}"#, Err(Bad::Kind)),
        (r#"{"id":7,"ts":1,"kind":"fact","content":5}"#, Err(Bad::Content)),
        (r#"{"id":7,"ts":1,"kind":"fact"}"#, Err(Bad::Content)),
        (r#"{"id":7,"kind":"forget"}"#, Err(Bad::Target)),
        (r#"{"id":7,"ts":"2026-05-13T04:52:03.123Z","kind":"fact","content":"x","crc":"00000000"}"#, Err(Bad::Seal)),
    ] {
        assert_eq!(line::read(text.as_bytes()), wanted, "{text}");
    }
    for text in ["nonsense", "[1]", "{\"id\":1", "\0\0\0", "{\"id\":1}}", "\u{1b}[31m", "{\"a\":\"\x01\"}"] {
        assert!(matches!(line::read(text.as_bytes()), Err(Bad::Shape(_))), "{text:?}");
    }
    assert!(matches!(line::read(b"{\"id\":7,\"ts\":1,\"kind\":\"fact\",\"content\":\"\xff\"}"), Err(Bad::Shape(_))));
    assert!(matches!(line::read("[".repeat(100_000).as_bytes()), Err(Bad::Shape(_))));
    assert_eq!(line::read(&vec![b'x'; line::LINE_BYTES_MAX + 1]), Err(Bad::TooLong));
}

#[test]
fn the_round_trip_of_the_original() {
    let mut index = Index::load(write::header("2026-11-21T01:23:45.000Z", None));
    assert_eq!((index.next_id(), index.active()), (1, 0));
    (1..=3).for_each(|id| index.append(&fact(id, "x")));
    index.append(&forget(4, 2));
    assert_eq!((index.next_id(), index.active(), index.forgotten()), (5, 2, 1));
    assert_eq!(newest(&index), [3, 1]);
    assert_eq!(
        [1, 2, 4, 9].map(|id| index.standing(id)),
        [Standing::Active, Standing::Forgotten, Standing::Tombstone(2), Standing::Unknown]
    );
}

#[test]
fn a_tombstone_without_a_target_does_nothing() {
    let mut bytes = file(3);
    for (id, target) in [(5, 2), (6, 4), (7, 99), (8, 8)] {
        bytes.extend(forget(id, target));
    }
    let index = Index::load(bytes);
    assert_eq!((ids(&index), index.next_id()), (vec![1, 3], 9));
}

#[test]
fn doubles_are_both_kept_listed_and_forgotten_together() {
    let mut bytes = file(3);
    bytes.extend(fact(3, "another three"));
    assert_eq!(Index::load(bytes.clone()).get(3).count(), 2);
    assert_eq!(verify(bytes.clone(), 0).doubles, [3]);
    bytes.extend(forget(5, 3));
    assert_eq!(ids(&Index::load(bytes)), [1]);
}

#[test]
fn a_bad_line_costs_one_line_and_is_listed() {
    let mut bytes = file(3);
    let at = bytes.len() as u64;
    bytes.extend_from_slice(b"{\"id\":77,\"ts\":broken\n");
    bytes.extend_from_slice(b"{\"id\":18446744073709551615,\"ts\":1,\"kind\":\"fact\",\"content\":\"x\"}\n");
    bytes.extend(fact(5, "after"));
    let found = verify(bytes.clone(), 0);
    assert_eq!((found.stats.bad_lines, found.bad.len(), found.stats.active), (2, 2, 3));
    assert_eq!((found.bad[0].line, found.bad[0].offset, found.bad[0].id), (6, at, Some(77)));
    assert!(!found.is_clean());
    assert_eq!(Index::load(bytes).next_id(), 78);
}

#[test]
fn two_sealed_lines_that_lost_their_line_end_are_both_read() {
    let mut bytes = file(3);
    let joint = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0;
    bytes[joint] = 0x0b;
    let index = Index::load(bytes.clone());
    assert_eq!((ids(&index), index.bad_count()), (vec![1, 3], 0));
    let compacted = plan(&index, NOW_MS).unwrap();
    assert_eq!(ids(&compacted.index), [1, 3]);
}

#[test]
fn a_forgotten_record_that_is_joined_to_a_bad_one_is_not_revived_by_a_compaction() {
    let mut bytes = file(2);
    let joined = [fact(8, "forgotten").trim_ascii_end(), b"?{\"id\":9,broken\n"].concat();
    bytes.extend(joined);
    bytes.extend(forget(10, 8));
    bytes.extend(fact(11, "last"));
    let index = Index::load(bytes);
    let made = plan(&index, NOW_MS).unwrap();
    assert_eq!((ids(&made.index), made.index.bad_count()), (vec![1, 11], 1));
}

#[test]
fn a_text_that_looks_like_a_joint_is_left_whole() {
    let mut bytes = file(1);
    let inner = String::from_utf8(fact(50, "inner")).unwrap();
    bytes.extend(fact(3, &format!("{0}{0}", inner.trim_end())));
    bytes.extend(fact(4, "after"));
    let index = Index::load(bytes);
    assert_eq!((ids(&index), index.next_id()), (vec![1, 3, 4], 5));
}

/// Every record but those that the damaged bytes belong to is there, unchanged.
#[test]
fn a_flipped_bit_never_costs_another_record() {
    let good = file(20);
    let whole = Index::load(good.clone());
    let owners: Vec<(u64, u64, u64)> =
        whole.entries().iter().map(|entry| (entry.id, entry.at, entry.at + u64::from(entry.len))).collect();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let index = Index::load(bytes);
            for &(id, from, to) in owners.iter().filter(|(id, ..)| *id != 2) {
                let touched = (from..=to).contains(&(at as u64));
                let there = index.get(id).next();
                assert!(touched || there.is_some(), "bit {bit} of byte {at} took {id} away");
                // What is damaged is missing, or, where only its line end is, whole.
                assert!(
                    there.is_none_or(|item| Some(item) == whole.get(id).next()),
                    "bit {bit} of byte {at} changed {id}"
                );
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_holds_exactly_the_whole_lines_before_the_cut() {
    let good = file(6);
    for cut in 0..good.len() {
        let index = Index::load(good[..cut].to_vec());
        let lines = good[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(index.entries().len(), lines.saturating_sub(1).min(6), "cut at {cut}");
        assert_eq!(index.bad_count(), 0, "cut at {cut}");
    }
}

#[test]
fn compaction_keeps_what_it_does_not_understand_and_the_highest_id() {
    let mut bytes = file(3);
    bytes.extend_from_slice(b"# a person's note\n");
    bytes.extend_from_slice(
        b"{\"ts\":1778647923,\"id\":5,\"kind\":\"pref\",\"content\":\"foreign\",\"mood\":\"kept\"}\n",
    );
    bytes.extend(forget(6, 1));
    let before = Index::load(bytes);
    let made = plan(&before, NOW_MS).unwrap();
    let text = String::from_utf8(made.kept.clone()).unwrap();
    assert!(text.contains("# a person's note\n") && text.contains("\"mood\":\"kept\""), "{text}");
    assert!(text.lines().next().unwrap().contains("\"created\":\"2026-11-21T01:23:45.000Z\",\"next_id\":7"), "{text}");
    assert_eq!((made.items, made.lines_removed, made.index.next_id()), (2, 3, 7));
    assert!(!text.contains("this is 2") && String::from_utf8(made.removed).unwrap().contains("this is 2"));
    // Again: nothing more to do, and the tombstone with the highest id stays.
    let again = plan(&made.index, NOW_MS).unwrap();
    assert_eq!((again.kept, again.lines_removed), (made.kept, 0));
}

#[test]
fn a_page_ends_at_its_limits_and_the_next_one_begins_there() {
    let mut index = Index::load(write::header("2026-11-21T01:23:45.000Z", None));
    (1..=10).for_each(|id| index.append(&fact(id, &"x".repeat(100))));
    let query = |cursor| Query { limit: Some(4), cursor, ..Query::default() };
    let (mut cursor, mut seen) = (None, Vec::new());
    for _ in 0..3 {
        let found = page(&index, query(cursor));
        seen.push(found.items.iter().map(|item| item.id).collect::<Vec<_>>());
        cursor = found.cursor;
    }
    assert_eq!(seen, [vec![10, 9, 8, 7], vec![6, 5, 4, 3], vec![2, 1]]);
    assert_eq!(cursor, None);
    // 100 tokens are 400 bytes: two items of 180.
    assert_eq!(page(&index, Query { max_tokens: Some(100), ..Query::default() }).items.len(), 2);
    let cut = page(&index, Query { max_tokens: Some(30), ..Query::default() });
    assert_eq!((cut.items.len(), cut.items[0].content.len(), cut.cut), (1, 40, true));
}

#[test]
fn a_listing_is_filtered_by_everything_that_is_given() {
    let mut bytes = write::header("2026-11-21T01:23:45.000Z", None);
    for (id, kind, content, tags, source) in [
        (1, "fact", "The Build", vec!["ci", "x"], "alice"),
        (2, "pref", "tabs", vec!["ci"], "bob"),
        (3, "fact", "x", vec![], "bob"),
    ] {
        let tags = tags.into_iter().map(String::from).collect();
        let item = NewItem { tags, source: Some(source.into()), ..NewItem::new(kind, content) };
        write::item(&mut bytes, id, NOW_MS + id as i64 * 1000, &item.check().unwrap());
    }
    let index = Index::load(bytes);
    let found = |query| page(&index, query).items.iter().map(|item| item.id).collect::<Vec<_>>();
    let at = |s: i64| Some(jiff::Timestamp::from_millisecond(NOW_MS + s * 1000).unwrap());
    assert_eq!(found(Query { kind: Some(ItemKind::Fact), ..Query::default() }), [3, 1]);
    assert_eq!(found(Query { tags: vec!["ci".into()], ..Query::default() }), [2, 1]);
    assert_eq!(found(Query { tags: vec!["ci".into(), "x".into()], ..Query::default() }), [1]);
    assert_eq!(found(Query { source: Some("bob".into()), ..Query::default() }), [3, 2]);
    assert_eq!(found(Query { text: Some("BUILD".into()), ..Query::default() }), [1]);
    assert_eq!(found(Query { since: at(2), ..Query::default() }), [3, 2]);
    assert_eq!(found(Query { until: at(2), ..Query::default() }), [1]);
}

fn new_item() -> impl Strategy<Value = NewItem> {
    let kind = prop::sample::select(vec!["fact", "pref", "context"]);
    let words = prop::collection::vec("[^\\p{Cc}]{0,10}[a-z]", 0..4);
    (kind, "\\PC*[a-z\n\u{0}\u{2028}\"\\\\]*x", words, prop::option::of("[a-z]{1,20}"))
        .prop_map(|(kind, content, tags, source)| NewItem { tags, source, ..NewItem::new(kind, content) })
}

proptest! {
    #[test]
    fn what_is_written_comes_back(new in new_item(), id in 1..=ID_MAX, ts in 0i64..253_402_207_200_000) {
        let mut out = Vec::new();
        write::item(&mut out, id, ts, &new.clone().check().unwrap());
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line = &out[..out.len() - 1];
        let head = Head { id, ts_ms: ts, kind: new.kind.parse().unwrap() };
        prop_assert_eq!(line::read(line), Ok(Line::Item(head)));
        prop_assert_eq!(foreign::read(line), Ok(Line::Item(head)));
        let Item { content, tags, source, .. } = foreign::item(line).unwrap();
        prop_assert_eq!((content, tags, source), (new.content, new.tags, new.source));
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let index = Index::load(bytes.clone());
        prop_assert!(plan(&index, NOW_MS).is_ok());
        verify(bytes, 0);
    }

    /// Pieces of lines, whole lines and noise in any order.
    #[test]
    fn whole_sealed_lines_survive_any_neighbour(pieces in prop::collection::vec(hostile_piece(), 0..12)) {
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for (id, piece) in (1..).zip(pieces) {
            match piece {
                Some(noise) => {
                    bytes.extend(noise);
                    bytes.push(b'\n');
                }
                None => {
                    bytes.extend(fact(id * 1000, "good"));
                    wanted.push(id * 1000);
                }
            }
        }
        let index = Index::load(bytes.clone());
        for id in &wanted {
            prop_assert!(matches!(index.standing(*id), Standing::Active | Standing::Forgotten), "{} is missing", id);
        }
        let made = plan(&index, NOW_MS).unwrap();
        prop_assert_eq!(made.index.next_id(), index.next_id());
        let found = verify(bytes, 0);
        prop_assert_eq!(found.stats.active, index.active() as u64);
    }
}

fn hostile_piece() -> impl Strategy<Value = Option<Vec<u8>>> {
    let noise = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(b"{\"id\":3,\"ts\":1,\"kind\":\"forget\",\"target\":1000}".to_vec()),
        Just(b"{\"id\":9007199254740991,\"ts\":1,\"kind\":\"fact\",\"content\":\"x\"}".to_vec()),
        Just(b"\",\"crc\":\"00000000\"}x{\"id\":5".to_vec()),
        Just(fact(1, "joined").into_iter().take(60).collect()),
        Just(vec![0; 64]),
    ];
    prop_oneof![Just(None), noise.prop_map(Some)]
}
