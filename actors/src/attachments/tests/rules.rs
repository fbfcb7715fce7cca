//! What the manifest's rules say, row by row.

use crate::attachments::{
    book::Book,
    change::{BlobState, Change, Changed, Quotas, Scope},
    claim::{Claim, Session},
    error::AttachmentError,
    id::AttachmentId,
    media::MediaType,
    meta::CreateMeta,
};

fn id(name: &str) -> AttachmentId {
    AttachmentId::of(name.as_bytes())
}

fn claim(session: &str, owner: &str, name: &str) -> Claim {
    Claim { session: session.parse().unwrap(), id: id(name), owner: owner.parse().unwrap() }
}

fn intend(claim: &Claim, byte_len: u64, quotas: Quotas) -> Change {
    let meta = CreateMeta::default().into_meta(claim.id, byte_len, MediaType::Bytes, 0);
    Change::Intend { claim: claim.clone(), meta: Box::new(meta), at_ms: 5, quotas }
}

/// Stored and uncommitted.
fn put(book: &mut Book, claim: &Claim) {
    book.apply(intend(claim, 10, Quotas::default()));
    book.apply(Change::Landed(claim.id));
}

fn commit(book: &mut Book, claim: &Claim) -> Changed {
    let Claim { session, id, owner } = claim.clone();
    book.apply(Change::Commit { session, owner, ids: vec![id], at_ms: 9 })
}

#[test]
fn two_owners_of_equal_bytes_never_overwrite_one_another() {
    let mut book = Book::default();
    let (first, second) = (claim("s", "turn1", "x"), claim("s", "turn2", "x"));
    put(&mut book, &first);
    commit(&mut book, &first);
    assert_eq!(book.apply(intend(&second, 10, Quotas::default())), Changed::Intended { have: true, new: true });
    // The second one gives up; the first one's claim stands, committed.
    book.apply(Change::Abandon(second));
    assert_eq!(book.apply(Change::Condemn(vec![id("x")])), Changed::Condemned(vec![]));
    assert_eq!(book.refs()[&first].committed_at_ms, Some(9));
}

#[test]
fn putting_again_what_is_committed_does_not_uncommit_it() {
    let mut book = Book::default();
    let bob = claim("s", "t", "x");
    put(&mut book, &bob);
    commit(&mut book, &bob);
    assert_eq!(book.apply(intend(&bob, 10, Quotas::default())), Changed::Intended { have: true, new: false });
    book.apply(Change::Abandon(bob.clone()));
    assert_eq!(book.refs()[&bob].committed_at_ms, Some(9));
}

#[test]
fn what_is_lent_counts_against_whoever_gets_it() {
    let mut book = Book::default();
    for name in ["x", "y"] {
        put(&mut book, &claim("ann", "t", name));
    }
    let bob: Session = "bob".parse().unwrap();
    let lend = |names: &[&str], owner: &str, session_bytes_max| {
        let ids = names.iter().map(|name| id(name)).collect();
        let (from, owner) = ("ann".parse().unwrap(), owner.parse().unwrap());
        let quotas = Quotas { session_bytes_max, total_bytes_max: None };
        Change::Lend { from, to: "bob".parse().unwrap(), owner, ids, at_ms: 9, quotas }
    };
    let refused = book.apply(lend(&["x", "y"], "mail:1", Some(19)));
    let whose = "the session bob".to_owned();
    assert_eq!(refused, Changed::Refused(AttachmentError::OverQuota { whose, limit: 19, wanted: 20 }));
    assert!(!book.holds(&bob, id("x")), "all or none");
    // The same twice is held once; what is held already costs nothing, also where there is no room left.
    assert_eq!(book.apply(lend(&["x", "x"], "mail:2", Some(10))), Changed::References(2));
    assert_eq!(book.apply(lend(&["x"], "mail:3", Some(5))), Changed::References(1));
    assert_eq!(book.apply(lend(&["x", "y"], "mail:4", None)), Changed::References(2));
}

#[test]
fn all_references_are_committed_or_none() {
    let mut book = Book::default();
    let bob = claim("s", "t", "x");
    put(&mut book, &bob);
    let (never_put, without_bytes, foreign) = (id("never"), claim("s", "t", "y"), claim("other", "t", "z"));
    book.apply(intend(&without_bytes, 10, Quotas::default()));
    put(&mut book, &foreign);
    for bad in [never_put, without_bytes.id, foreign.id] {
        let ids = vec![bob.id, bad];
        let change = Change::Commit { session: bob.session.clone(), owner: bob.owner.clone(), ids, at_ms: 9 };
        assert_eq!(book.apply(change), Changed::Refused(AttachmentError::UnknownBlob { id: bad }));
        assert_eq!(book.refs()[&bob].committed_at_ms, None);
    }
    assert_eq!(commit(&mut book, &bob), Changed::References(1));
}

#[test]
fn a_fork_keeps_what_its_parent_had_when_the_parent_goes() {
    let mut book = Book::default();
    let parent = claim("parent", "t", "x");
    put(&mut book, &parent);
    commit(&mut book, &parent);
    let child: Session = "child".parse().unwrap();
    let adopt = Change::Adopt { parent: parent.session.clone(), child: child.clone() };
    assert_eq!(book.apply(adopt), Changed::References(1));
    assert_eq!(book.apply(Change::Release(Scope::Session(parent.session.clone()))), Changed::References(1));
    assert!(book.holds(&child, parent.id) && !book.holds(&parent.session, parent.id));
    assert_eq!(book.apply(Change::Condemn(vec![parent.id])), Changed::Condemned(vec![]));
}

#[test]
fn an_intent_that_was_committed_meanwhile_is_not_dropped() {
    let mut book = Book::default();
    let bob = claim("s", "t", "x");
    put(&mut book, &bob);
    let stale = book.uncommitted(6);
    assert_eq!((stale.len(), book.uncommitted(5).len()), (1, 0));
    commit(&mut book, &bob);
    assert_eq!(book.apply(Change::DropStale(stale)), Changed::References(0));
    assert!(book.is_referred(bob.id));
}

#[test]
fn a_condemned_blob_that_is_put_again_is_written_again() {
    let mut book = Book::default();
    let bob = claim("s", "t", "x");
    put(&mut book, &bob);
    book.apply(Change::Release(Scope::Everywhere(bob.id)));
    assert_eq!(book.apply(Change::Condemn(vec![bob.id])), Changed::Condemned(vec![(bob.id, 10)]));
    assert_eq!(book.apply(intend(&bob, 10, Quotas::default())), Changed::Intended { have: false, new: true });
    // The end of an old sweep takes nothing that is claimed again.
    book.apply(Change::Gone(vec![bob.id]));
    assert_eq!(book.blobs()[&bob.id].state, BlobState::Staged);
}

#[test]
fn a_quota_counts_equal_bytes_once() {
    let mut book = Book::default();
    let quotas = Quotas { session_bytes_max: Some(25), total_bytes_max: Some(35) };
    let fits = |book: &mut Book, claim: &Claim| !matches!(book.apply(intend(claim, 10, quotas)), Changed::Refused(_));
    assert!(fits(&mut book, &claim("a", "t", "1")) && fits(&mut book, &claim("a", "t", "2")));
    assert!(!fits(&mut book, &claim("a", "t", "3")), "30 of 25 for the session");
    assert!(fits(&mut book, &claim("a", "u", "2")), "held already, by another owner");
    assert!(fits(&mut book, &claim("b", "t", "2")), "the store has it already");
    assert!(fits(&mut book, &claim("b", "t", "4")));
    assert!(!fits(&mut book, &claim("c", "t", "5")), "40 of 35 for all");
    assert!(!book.blobs().contains_key(&id("5")), "what is refused changes nothing");
}
