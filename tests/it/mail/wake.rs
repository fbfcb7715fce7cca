//! To a peer that is not up: woken once, waited for, or refused with the verb that would change it.

use super::{Post, at_most_once_a_life, bodies, new};
use crate::support::{eventually, kill};
use coalmine_actors::{
    error::FleetError,
    mail::{NewMessage, State},
    view::PhaseName,
};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeper_is_woken_once_however_many_send_and_gets_every_message() {
    let post = Post::new().await;
    post.asleep("bob").await;
    let mut sent = Vec::new();
    for number in 0..100 {
        let mail = post.rig.fleet.mail().clone();
        let (sender, session) = post.rig.fleet.sender(None).unwrap();
        sent.push(tokio::spawn(async move { mail.send(sender, session, new("bob", &number.to_string())).await }));
    }
    let mut woke = 0;
    for message in sent {
        let landed = post.landed(&message.await.unwrap().unwrap()).await;
        woke += u32::from(landed.progress.woke);
    }
    let view = post.rig.view("bob");
    assert_eq!((view.generation.0, view.phase, woke), (1, PhaseName::Up, 1), "one wake for all of them");
    let read = post.read("bob");
    assert_eq!(bodies(&read).into_iter().collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(read.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stopped_or_quarantined_refuses_with_the_verb_that_helps() {
    let post = Post::with(|builder| {
        let limit = coalmine::actors::peer::restart_policy::RestartLimit { deaths_max: 0, ..Default::default() };
        builder.restart_limit(limit)
    })
    .await;
    let bob = post.up("bob").await;
    post.rig.fleet.stop("bob", crate::support::PATIENCE).await.unwrap();
    let refused = post.send("bob", "hello?").await;
    let reason = refused.progress.reason.unwrap();
    assert_eq!((refused.progress.state, reason.code.as_str()), (State::Refused, "stopped"));
    assert!(reason.text.contains("`coalmine start agent-bob`"), "{reason:?}");
    assert_eq!(post.rig.view("bob").generation, bob.generation, "nothing was started");
    let ann = post.up("ann").await;
    kill(ann.server_pid.unwrap());
    post.rig.until("ann", "quarantined", |view| view.phase == PhaseName::Quarantined).await;
    let refused = post.send("ann", "hello?").await;
    let reason = refused.progress.reason.unwrap();
    assert_eq!((refused.progress.state, reason.code.as_str()), (State::Refused, "quarantined"));
    assert!(reason.text.contains("`coalmine reset agent-ann`"), "{reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_without_a_composer_gets_no_mail_and_a_stranger_is_unknown() {
    let post = Post::new().await;
    post.rig.sleeper("sh").await;
    let refused = post.send("sh", "rm -rf /").await;
    assert_eq!(refused.progress.reason.unwrap().code, "no-composer");
    post.asleep("alice").await;
    let error = post.send_new(new("alcie", "x")).await.unwrap_err();
    assert!(matches!(&error, FleetError::UnknownPeer { nearest, .. } if nearest == &["alice"]), "{error}");
    let error = post.send_new(NewMessage { runtime: Some("claude".into()), ..new("alice", "x") }).await.unwrap_err();
    assert!(matches!(error, FleetError::UnknownPeer { .. }), "{error}");
    let error = post.send_new(NewMessage { from: Some("alice".into()), ..new("alice", "x") }).await.unwrap_err();
    assert_eq!(error.code(), "not-attested");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_wins_over_the_wake_for_a_message() {
    let post = Post::new().await;
    post.asleep("bob").await;
    let sent = post.send("bob", "wake up").await;
    post.rig.fleet.stop("bob", crate::support::PATIENCE).await.unwrap();
    let over = post.over(&sent).await;
    // Whichever came first: it landed before the stop, or it was refused by it. It is not forgotten, and wakes nobody.
    match over.progress.state {
        State::Submitted => assert_eq!(bodies(&post.read("bob")), ["wake up"]),
        State::Refused => assert_eq!(over.progress.reason.unwrap().code, "stopped"),
        state => panic!("{state}"),
    }
    assert_eq!(post.rig.view("bob").phase, PhaseName::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_races_the_wake_for_a_message_leaves_it_down_and_the_message_told() {
    let post = Post::new().await;
    for round in 0..6 {
        let name = format!("bob{round}");
        post.asleep(&name).await;
        let (sent, stopped) =
            tokio::join!(post.send(&name, "now"), post.rig.fleet.stop(&name, crate::support::PATIENCE));
        stopped.unwrap();
        let over = post.over(&sent).await;
        match over.progress.state {
            State::Submitted => assert_eq!(bodies(&post.read(&name)), ["now"]),
            State::Refused => assert_eq!(over.progress.reason.unwrap().code, "stopped"),
            state => panic!("{state} in round {round}"),
        }
        assert_eq!(post.rig.view(&name).phase, PhaseName::Stopped, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_waits_out_a_death_and_lands_in_the_next_life() {
    let post = Post::with(|builder| {
        let limit = coalmine::actors::peer::restart_policy::RestartLimit {
            delay_first_ms: 1_000,
            delay_max_ms: 1_000,
            ..Default::default()
        };
        builder.restart_limit(limit)
    })
    .await;
    let bob = post.up("bob").await;
    post.works("bob").await;
    let sent = post.send("bob", "survives").await;
    post.until_it_waits(&sent, "it works").await;
    kill(bob.server_pid.unwrap());
    post.unset("bob", "busy");
    let landed = post.landed(&sent).await;
    assert_eq!((landed.progress.generation.unwrap().0, landed.progress.redelivered), (2, false), "never typed before");
    assert_eq!(bodies(&post.read("bob")), ["survives"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_dies_between_the_paste_and_the_keys_gets_it_again_with_a_mark() {
    let post = Post::with(|builder| {
        let limit = coalmine::actors::peer::restart_policy::RestartLimit { delay_first_ms: 0, ..Default::default() };
        builder.restart_limit(limit)
    })
    .await;
    post.up("bob").await;
    post.set("bob", "die", "");
    let sent = post.send("bob", "twice, perhaps").await;
    post.rig.until("bob", "in its next life", |view| view.generation.0 >= 2).await;
    post.unset("bob", "die");
    let landed = post.landed(&sent).await;
    assert!(landed.progress.redelivered && landed.progress.generation.unwrap().0 >= 2, "{landed:?}");
    let read = post.read("bob");
    assert_eq!((read.len(), read[0].1.redelivered, read[0].1.id), (1, true, sent.message.id));
    at_most_once_a_life(&read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_waited_for() {
    let post = Post::new().await;
    let bob = post.up("bob").await;
    let server = bob.server_pid.unwrap();
    crate::support::stop_process(server);
    let sent = post.send("bob", "are you there?").await;
    post.until_it_waits(&sent, "does not answer").await;
    crate::support::continue_process(server);
    post.landed(&sent).await;
    assert_eq!(bodies(&post.read("bob")), ["are you there?"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_for_a_peer_that_is_removed_is_not_its_namesakes() {
    let post = Post::new().await;
    post.up("bob").await;
    post.works("bob").await;
    let sent = post.send("bob", "for the first bob").await;
    post.until_it_waits(&sent, "it works").await;
    post.rig.fleet.remove("bob", true).await.unwrap();
    let over = post.over(&sent).await;
    // Stopped on its way out, or gone.
    assert!(matches!(over.progress.state, State::Failed | State::Refused), "{over:?}");
    post.unset("bob", "busy");
    post.up("bob").await;
    let next = post.send("bob", "for the second").await;
    post.landed(&next).await;
    assert_eq!(bodies(&post.read("bob")), ["for the second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_key_sends_nothing_and_tells_what_became_of_the_first() {
    let post = Post::new().await;
    post.up("bob").await;
    let keyed = || NewMessage { idempotency_key: Some("k1".into()), ..new("bob", "once") };
    let first = post.send_new(keyed()).await.unwrap();
    post.landed(&first).await;
    let again = post.send_new(keyed()).await.unwrap();
    assert_eq!((again.message.id, again.progress.state), (first.message.id, State::Submitted));
    let last = post.send("bob", "last").await;
    post.landed(&last).await;
    assert_eq!(bodies(&post.read("bob")), ["once", "last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attachment_is_the_recipients_before_its_message_is_accepted() {
    use coalmine_actors::attachments::{AttachmentId, AttachmentStore, CreateMeta, Owner, Session, change::Scope};
    let post = Post::new().await;
    post.up("bob").await;
    let attachments = post.rig.fleet.attachments();
    let mine: Owner = "mine".parse().unwrap();
    let put = attachments.session(Session::operator(), mine.clone());
    let put = put
        .put(b"a map".as_slice().into(), CreateMeta { label: Some("the \"map\" <1>".into()), ..CreateMeta::default() });
    let map = put.await.unwrap();
    let sent =
        post.send_new(NewMessage { attachments: vec![map.id, map.id], ..new("bob", "see the map") }).await.unwrap();
    // The sender's own reference ends; the recipient's stays.
    attachments.release(Scope::Owner(Session::operator(), mine)).await.unwrap();
    let session: Session = "agent-bob".parse().unwrap();
    assert_eq!(attachments.list(Some(session.clone()), None, 10).await.unwrap().items.len(), 1);
    post.landed(&sent).await;
    let text = super::agent::read(&post.home("bob"))[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("<attachment id=\"{}\"", map.id)), "{text}");
    assert!(text.contains("name=\"the &quot;map&quot; &lt;1&gt;\"/>"), "{text}");
    let unknown = AttachmentId::of(b"nobody put this");
    let refused = post.send_new(NewMessage { attachments: vec![unknown], ..new("bob", "x") }).await.unwrap_err();
    assert_eq!(refused.code(), "no-attachment");
    // What another session holds is not the sender's to send.
    let hers = attachments.session("agent-ann".parse().unwrap(), Owner::whole());
    let hers = hers.put(b"hers".as_slice().into(), CreateMeta::default()).await.unwrap();
    let refused = post.send_new(NewMessage { attachments: vec![hers.id], ..new("bob", "x") }).await.unwrap_err();
    assert_eq!(refused.code(), "unknown-blob");
    let listed = post.rig.fleet.mail().list(Default::default()).await.unwrap();
    assert_eq!(listed.len(), 1, "what was refused left nothing behind");
    eventually("bob has read one message", || async { (post.read("bob").len() == 1).then_some(()) }).await;
}
