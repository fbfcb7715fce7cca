//! `coalmine mail ack`: the recipient says that it has a message. Meant for the hooks of agents, which are given the text
//! that their agent was given.

use super::id;
use crate::{
    api::client::{Client, ClientError},
    cli::{
        context::Context,
        failure::{Failure, Outcome},
        output,
    },
    io::session_token,
};
use coalmine_actors::mail::{
    MailView, MessageId, State,
    envelope::{Opening, openings},
};
use std::io::Read;

/// Longest text that is looked through, bytes.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// Say that a message was read; from inside a session only for its own peer's messages
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With - the text on stdin is looked through for messages, also where it is part of a JSON document: that is what the hook of an \
agent is given when its prompt was submitted. A message that is seen already stays so.")]
pub(super) struct Args {
    /// Their ids, or - to find them in stdin
    #[arg(value_name = "ID|-", required = true)]
    ids: Vec<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let ids = if args.ids == ["-"] {
        ids_in(&stdin()?)
    } else {
        args.ids.iter().map(|text| id(text)).collect::<Outcome<Vec<_>>>()?
    };
    let client = context.client()?.with_token(std::env::var(session_token::VARIABLE).ok());
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        seen.push(ack(&client, id).await?);
    }
    if context.json {
        return output::document(&seen, None);
    }
    seen.iter().try_for_each(|mail| output::print(&super::told::sentence(mail)))
}

/// Whoever says it twice is right twice.
async fn ack(client: &Client, id: MessageId) -> Result<MailView, ClientError> {
    match client.mail_seen(id).await {
        Ok(mail) => Ok(mail),
        Err(error) => match client.mail(id, None).await {
            Ok(mail) if mail.progress.state == State::Seen => Ok(mail),
            _ => Err(error),
        },
    }
}

fn stdin() -> Outcome<String> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(TEXT_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::failed("can not read stdin", error))?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(Failure::usage(
            format!("stdin has more than {TEXT_BYTES_MAX} bytes"),
            "name the message by its id",
        ));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The messages that begin in this text, each once; its quotes may be escaped, as in JSON.
fn ids_in(text: &str) -> Vec<MessageId> {
    let mut ids: Vec<MessageId> = Vec::new();
    for Opening { id, .. } in openings(text) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hooks_text_names_its_messages_whether_it_is_json_or_not() {
        let (one, two) = (MessageId::at(1, 1), MessageId::at(2, 2));
        let plain = format!("<coalmine-message id=\"{one}\" from=\"a\">\nx\n</coalmine-message>");
        let json = serde_json::json!({ "prompt": format!("{plain} <coalmine-message id=\"{two}\">") }).to_string();
        for (text, ids) in [
            (plain.as_str(), vec![one]),
            (&json, vec![one, two]),
            (&format!("{plain}{plain}"), vec![one]),
            ("no message", vec![]),
        ] {
            assert_eq!(ids_in(text), ids, "{text}");
        }
    }
}
