//! Sessions, references and sweeps over a real disk and a real manifest.

use super::{
    Shop,
    conformance::noise,
    disk::{blob, files},
};
use bytes::Bytes;
use coalmine::io::{attachments::InMemory, clock::HostClock};
use coalmine_actors::{
    attachments::{
        AttachmentError, AttachmentId, AttachmentStore, Attachments, AttachmentsParts, CreateMeta, Owner, SweepOptions,
        change::{Quotas, Scope},
        manifest::MemoryManifest,
        resolve::{RequestAttachment, resolve},
    },
    error::FleetError,
};
use std::{sync::Arc, time::Duration};

const NOW: SweepOptions = SweepOptions { grace: Duration::ZERO, dry_run: false };

fn is_not_found<T: std::fmt::Debug>(result: Result<T, FleetError>) -> bool {
    matches!(result, Err(FleetError::Attachment(AttachmentError::NotFound(_))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_reads_what_it_refers_to_and_nothing_else() {
    let shop = Shop::new().await;
    let (bob, eve) = (shop.session("live-bob"), shop.session("live-eve"));
    let id = bob.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    // Not even its being there can be learned: also damage shows no difference.
    std::fs::write(blob(shop.folder.path(), id), "damage").unwrap();
    assert!(is_not_found(eve.get(id).await) && is_not_found(eve.stat(id).await));
    assert!(eve.list(None, 10).await.unwrap().items.is_empty());
    assert!(blob(shop.folder.path(), id).exists(), "the backend was not touched");
    assert!(!eve.delete(id).await.unwrap());
    bob.put(noise(1, 100), CreateMeta::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_refers_to_goes_and_what_somebody_does_stays() {
    let shop = Shop::new().await;
    let (bob, ann, gone) = (shop.session("live-bob"), shop.session("live-ann"), shop.session("gone"));
    let both = bob.put(noise(1, 1_000), CreateMeta::default()).await.unwrap().id;
    ann.put(noise(1, 1_000), CreateMeta::default()).await.unwrap();
    let committed = gone.put(noise(2, 1_000), CreateMeta::default()).await.unwrap().id;
    gone.commit(vec![committed]).await.unwrap();
    let uncommitted = gone.put(noise(3, 1_000), CreateMeta::default()).await.unwrap().id;

    let dry = shop.attachments.sweep(SweepOptions { dry_run: true, ..NOW }).await.unwrap();
    assert_eq!((dry.intents_dropped, dry.removed), (1, 0));
    let day = SweepOptions { grace: Duration::from_secs(24 * 3600), ..NOW };
    assert_eq!(shop.attachments.sweep(day).await.unwrap().removed, 0, "younger than the grace period");
    let report = shop.attachments.sweep(NOW).await.unwrap();
    assert_eq!((report.intents_dropped, report.removed, report.bytes), (1, 1, 1_000));
    assert!(report.is_clean());
    assert!(!blob(shop.folder.path(), uncommitted).exists());
    // Age is no proof for who lives: bob's intent is as old.
    bob.get(both).await.unwrap();
    shop.attachments.release(Scope::Session("live-bob".parse().unwrap())).await.unwrap();
    assert_eq!(shop.attachments.sweep(NOW).await.unwrap().removed, 0, "ann still refers to it");
    ann.get(both).await.unwrap();
    shop.attachments.release(Scope::Everywhere(both)).await.unwrap();
    assert_eq!(shop.attachments.sweep(NOW).await.unwrap().removed, 1);
    assert!(blob(shop.folder.path(), committed).exists());
    assert!(shop.attachments.verify().await.unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_keeps_its_parents_attachments() {
    let shop = Shop::new().await;
    let parent = shop.session("live-parent");
    let id = parent.put(noise(1, 100), CreateMeta::default()).await.unwrap().id;
    let child = shop.session("live-child");
    assert!(is_not_found(child.get(id).await));
    shop.attachments.adopt("live-parent".parse().unwrap(), "live-child".parse().unwrap()).await.unwrap();
    shop.attachments.release(Scope::Session("live-parent".parse().unwrap())).await.unwrap();
    shop.attachments.sweep(NOW).await.unwrap();
    assert!(is_not_found(parent.get(id).await));
    assert_eq!(child.get(id).await.unwrap().0.id, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_puts_at_once_of_a_hundred_blobs_leave_a_hundred() {
    let shop = Shop::new().await;
    let puts: Vec<_> = (0..1_000u64)
        .map(|number| {
            let store = shop.attachments.session("live".parse().unwrap(), format!("t{}", number % 10).parse().unwrap());
            // Some by the way for few bytes, some by the way for many.
            let length = if number % 2 == 0 { 3_000 } else { 90_000 };
            tokio::spawn(async move { store.put(noise(number % 100, length), CreateMeta::default()).await })
        })
        .collect();
    for put in puts {
        put.await.unwrap().unwrap();
    }
    let blobs = files(&shop.folder.path().join("attachments/blobs"));
    assert_eq!(blobs.iter().filter(|name| !name.ends_with(".json")).count(), 100);
    assert_eq!(blobs.len(), 200);
    assert_eq!(files(&shop.folder.path().join("attachments/staging")), Vec::<String>::new());
    assert_eq!(shop.attachments.list(None, None, 1_000).await.unwrap().items.len(), 100);
}

/// The last owner goes, a sweep begins, and somebody puts the same bytes: again and again.
/// In each round the put begins a little later behind the sweep, and after some rounds with it again: so they meet in
/// every way, however busy the machine is.
async fn race(attachments: &Attachments, rounds: usize, step: Duration) {
    let bytes = noise(1, 2_000);
    let id = AttachmentId::of(&bytes);
    let (mut swept, mut kept) = (0, 0);
    for round in 0..rounds {
        let store = |round: usize| {
            let owner: Owner = format!("t{round}").parse().unwrap();
            attachments.session("live".parse().unwrap(), owner)
        };
        let (putter, sweeper, bytes_again) = (store(round), attachments.clone(), bytes.clone());
        let late = step * u32::try_from(round % 8).unwrap();
        let put = tokio::spawn(async move {
            if !late.is_zero() {
                tokio::time::sleep(late).await;
            }
            putter.put(bytes_again, CreateMeta::default()).await
        });
        let last = Scope::Owner("live".parse().unwrap(), format!("t{}", round.wrapping_sub(1)).parse().unwrap());
        let sweep = tokio::spawn(async move {
            sweeper.release(last).await.unwrap();
            sweeper.sweep(NOW).await.unwrap().removed
        });
        put.await.unwrap().unwrap();
        let removed = sweep.await.unwrap();
        swept += removed;
        kept += u64::from(removed == 0);
        let read = store(round).get(id).await;
        assert_eq!(read.unwrap_or_else(|error| panic!("round {round}: {}", error.chain())).1, bytes);
    }
    assert!(swept > 0 && kept > 0, "they never met: {swept} swept, {kept} kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_races_with_a_sweep_of_the_same_bytes_keeps_them() {
    let shop = Shop::new().await;
    race(&shop.attachments, 300, Duration::from_millis(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_puts_that_race_with_a_sweep_keep_their_bytes() {
    let parts = AttachmentsParts {
        store: Arc::new(InMemory::new(Arc::new(HostClock), super::BYTES_MAX)),
        manifest: Arc::new(MemoryManifest::default()),
        owners: Arc::new(super::ByName),
        clock: Arc::new(HostClock),
        journal: None,
        quotas: Quotas::default(),
        grace: Duration::ZERO,
        sweep_every: None,
    };
    race(&Attachments::start(parts, None).await.unwrap(), 10_000, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_refuses_before_the_bytes_are_stored_where_the_length_is_known_and_leaves_nothing_where_not() {
    let quotas = Quotas { session_bytes_max: Some(250_000), total_bytes_max: Some(400_000) };
    let shop = Shop::with(quotas).await;
    let (bob, ann) = (shop.session("live-bob"), shop.session("live-ann"));
    bob.put(noise(1, 200_000), CreateMeta::default()).await.unwrap();
    let over = |error: FleetError, of: &str| {
        let FleetError::Attachment(AttachmentError::OverQuota { whose, .. }) = error else { panic!("{error:?}") };
        assert_eq!(whose, of);
    };
    let refused = bob.upload(Some(100_000), CreateMeta::default()).await.err().unwrap();
    over(refused, "the session live-bob");
    let mut unknown = bob.upload(None, CreateMeta::default()).await.unwrap();
    unknown.write(noise(2, 100_000)).await.unwrap();
    over(unknown.finish().await.unwrap_err(), "the session live-bob");
    // Equal bytes count once, also where there would be no room for others.
    bob.put(noise(1, 200_000), CreateMeta::default()).await.unwrap();
    ann.put(noise(1, 200_000), CreateMeta::default()).await.unwrap();
    let more = shop.session("live-eve");
    more.put(noise(3, 190_000), CreateMeta::default()).await.unwrap();
    over(ann.put(noise(4, 20_000), CreateMeta::default()).await.unwrap_err(), "the store");
    assert_eq!(files(&shop.folder.path().join("attachments/staging")), Vec::<String>::new());
    assert_eq!(files(&shop.folder.path().join("attachments/blobs")).len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_resolved_as_a_whole_or_left_as_it_was() {
    let shop = Shop::new().await;
    let bob = shop.session("live-bob");
    let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let put = bob.put(png.clone(), CreateMeta::default()).await.unwrap();
    let inline = RequestAttachment { data: Some("kept".into()), mime: Some("x/y".into()), ..Default::default() };
    let both = RequestAttachment { reference: Some(put.clone()), ..inline.clone() };
    let mut request = vec![inline.clone(), RequestAttachment::of(put.clone()), both.clone(), Default::default()];
    let (before, missing) = (request.clone(), AttachmentId::of(b"nobody"));
    request.push(RequestAttachment::of(coalmine_actors::attachments::AttachmentRef { id: missing, ..put }));
    let with_missing = request.clone();
    let error = resolve(&bob, &mut request).await.unwrap_err();
    assert!(matches!(error, FleetError::Attachment(AttachmentError::NotFound(id)) if id == missing));
    assert_eq!(request, with_missing, "unchanged");
    let mut request = before;
    resolve(&bob, &mut request).await.unwrap();
    assert_eq!((&request[0], &request[2], &request[3]), (&inline, &both, &Default::default()));
    assert_eq!((request[1].data.as_ref(), request[1].mime.as_deref()), (Some(&png), Some("image/png")));
}
