//! Messages: send one, see one's own, say that one has it.

use crate::mcp::{
    answer::{self, Given, Refusal},
    arguments::{Arg, Arguments, Shape},
    page::{CURSOR, LIMIT, MAX_TOKENS, Paging},
    tool::{Hints, Row},
    toolbox::FleetTools,
};
use coalmine_actors::{
    attachments::AttachmentId,
    mail::{
        MailError, MailQuery, MessageId, NewMessage, State,
        letter::{ATTACHMENTS_MAX, BODY_CHARS_MAX, KEY_CHARS_MAX, TOPIC_CHARS_MAX},
    },
    names::Identity,
};
use serde_json::json;
use std::time::Duration;

/// Longest name that is looked up, characters.
pub(super) const NAME_CHARS_MAX: usize = 200;
/// Longest wait for a message to land, seconds.
const WAIT_SECONDS_MAX: u64 = 120;
/// Characters of a message's id.
const ID_CHARS_MAX: usize = 26;
/// Hex digits of an attachment's id.
pub(super) const ATTACHMENT_ID_CHARS_MAX: usize = 64;

pub(super) static SEND_TO_PEER: Row = Row {
    name: "send_to_peer",
    title: "Send a message to a peer",
    about: "Brings a message to another agent by its name. It is on disk when this returns; a peer that sleeps is woken. \
            `state` says how far it is: queued (it waits), submitted (the peer's program took it), refused (with the reason).",
    hints: Hints::ADDS,
    args: &[
        Arg::must(
            "to",
            Shape::Text { chars_max: NAME_CHARS_MAX },
            "the peer, as `peers` shows it: a personality or an identity",
        ),
        Arg::must(
            "body",
            Shape::Text { chars_max: BODY_CHARS_MAX },
            "what is said; what is longer goes as an attachment",
        ),
        Arg::may("topic", Shape::Text { chars_max: TOPIC_CHARS_MAX }, "what it is about, one line"),
        Arg::may(
            "attachments",
            Shape::Texts { count_max: ATTACHMENTS_MAX, chars_max: ATTACHMENT_ID_CHARS_MAX },
            "ids of your own attachments (attachment_put)",
        ),
        Arg::may(
            "idempotency_key",
            Shape::Text { chars_max: KEY_CHARS_MAX },
            "sent again with the same key, nothing is sent: you hear what became of the first one",
        ),
        Arg::may(
            "wait_seconds",
            Shape::Number { min: 0, max: WAIT_SECONDS_MAX },
            "how long to wait until the peer's program took it; 0, the default, does not wait",
        ),
    ],
};

pub(super) static INBOX: Row = Row {
    name: "inbox",
    title: "Messages for you",
    about: "Lists the messages that were sent to you, newest first, with how far each is.",
    hints: Hints::READS,
    args: &[
        Arg::may(
            "peer",
            Shape::Text { chars_max: NAME_CHARS_MAX },
            "whose; a peer leaves it out, the operator must say it",
        ),
        Arg::may(
            "state",
            Shape::Word(&["queued", "typed", "submitted", "seen", "refused", "expired", "failed"]),
            "only those",
        ),
        LIMIT,
        CURSOR,
        MAX_TOKENS,
    ],
};

pub(super) static ACK: Row = Row {
    name: "ack",
    title: "Say that you have a message",
    about: "Marks a message to you as seen, so that its sender knows. Its id stands in the message's head.",
    hints: Hints::ADDS_ONCE,
    args: &[Arg::must("id", Shape::Text { chars_max: ID_CHARS_MAX }, "the message's id")],
};

pub(super) async fn send(tools: &FleetTools, args: &Arguments) -> Given {
    let ids = args.texts("attachments").into_iter().enumerate();
    let attachments = ids.map(|(at, id)| {
        id.parse::<AttachmentId>().map_err(|error| Refusal::argument(&format!("attachments[{at}]"), error.to_string()))
    });
    let new = NewMessage {
        to: args.the("to"),
        body: args.the("body"),
        topic: args.text("topic").map(Into::into),
        attachments: attachments.collect::<Result<_, _>>()?,
        idempotency_key: args.text("idempotency_key").map(Into::into),
        ..NewMessage::default()
    };
    let (sender, session) = (tools.caller.sender.clone(), tools.caller.session.clone());
    let mut sent = tools.fleet.mail().send(sender, session, new).await?;
    if let Some(wait) = args.number("wait_seconds").filter(|wait| *wait > 0) {
        sent = tools.fleet.mail().follow(sent.message.id, false, Duration::from_secs(wait)).await?;
    }
    let told = json!({
        "id": sent.message.id,
        "from": sent.message.from,
        "to": sent.message.to,
        "state": sent.progress.state,
        "reason": sent.progress.reason,
        "woke": sent.progress.woke,
        "waits_because": sent.waits_because,
    });
    answer::value(&told)
}

/// Whose inbox is meant.
fn whose(tools: &FleetTools, args: &Arguments) -> Result<Vec<Identity>, Refusal> {
    let Some(name) = args.text("peer") else {
        let own = tools.caller.peer.clone().map(|own| vec![own]);
        return own.ok_or_else(|| Refusal::argument("peer", "is missing: the operator has no inbox of its own"));
    };
    let mut meant: Vec<_> = tools.fleet.show(name)?.into_iter().map(|view| view.identity).collect();
    if let Some(own) = &tools.caller.peer
        && meant.contains(own)
    {
        meant = vec![own.clone()];
    }
    meant.iter().try_for_each(|identity| tools.caller.may_be(identity))?;
    Ok(meant)
}

pub(super) async fn inbox(tools: &FleetTools, args: &Arguments) -> Given {
    let paging = Paging::of(args);
    let query = MailQuery {
        to: whose(tools, args)?,
        state: args.text("state").and_then(State::of),
        before: args.parsed::<MessageId>("cursor")?,
        limit: Some(paging.limit + 1),
    };
    let found = tools.fleet.mail().list(query).await?;
    paging.page("messages", &found, "body", |_, last| last.message.id)
}

pub(super) async fn ack(tools: &FleetTools, args: &Arguments) -> Given {
    let id: MessageId = args.the("id").parse()?;
    let mail = tools.fleet.mail();
    let now = mail.get(id).await?;
    // That another one's message is there is nobody else's business.
    if tools.caller.may_be(&now.message.to).is_err() {
        return Err(MailError::NotFound(id).into());
    }
    let seen = if now.progress.state == State::Seen { now } else { mail.seen(id).await? };
    answer::value(&json!({ "id": id, "state": seen.progress.state, "seen_at": seen.progress.seen_at }))
}
