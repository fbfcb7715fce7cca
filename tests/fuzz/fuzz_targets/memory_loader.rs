//! Any bytes as a memory file: no panic, and every way to look at them agrees with every other.
#![no_main]

use coalmine_actors::memory::{
    compact::plan,
    index::Index,
    query::{Query, export, page},
    verify::verify,
};
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_795_224_225_000;

fuzz_target!(|bytes: &[u8]| {
    let index = Index::load(bytes.to_vec());
    #[cfg(feature = "planted")]
    assert!(index.forgotten() < 3 || index.bad_count() == 0, "the planted bug"); // no seed is near it

    let found = verify(bytes.to_vec(), 0);
    assert_eq!((found.stats.active, found.stats.next_id), (index.active() as u64, index.next_id()));
    assert_eq!(found.stats.bad_lines, index.bad_count());

    // A compaction of whatever this is keeps all of it, and a second one changes nothing more.
    let made = plan(&index, NOW_MS).expect("the compacted file holds the same items");
    let again = plan(&made.index, NOW_MS).expect("and so does the next one");
    assert_eq!(again.index.active(), index.active());
    assert_eq!(again.index.next_id(), index.next_id());

    let listed = page(&index, Query { limit: Some(1000), ..Query::default() }).items.len();
    assert!(listed <= index.active());
    let (lines, _) = export(&index, 0, usize::MAX);
    assert!(Index::load(lines.into_bytes()).active() >= listed);

    // What the cache is told adds up to what is there.
    let (mut up_to, mut added) = (0, 0);
    while up_to < index.text().len() {
        let changes = index.changes(up_to);
        assert!(changes.up_to > up_to);
        added += changes.added.len();
        up_to = changes.up_to;
    }
    assert!(added >= listed && added <= index.active());
});
