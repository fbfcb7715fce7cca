//! `coalmine mail show`: one message, whole.

use super::id;
use crate::{
    age,
    cli::{context::Context, failure::Outcome, output},
    text::{harmless, one_line},
};
use coalmine_actors::mail::MailView;

/// Show one message and how far it is
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id
    #[arg(value_name = "ID")]
    id: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let mail = context.client()?.mail(id(&args.id)?, None).await?;
    context.answer(&mail, card)
}

fn card(mail: &MailView) -> String {
    let (message, progress) = (&mail.message, &mail.progress);
    let mut card = output::table(&[]);
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            card.add_row([output::key(name), value.into()]);
        }
    };
    row("id", Some(message.id.to_string()));
    row("state", Some(progress.state.to_string()));
    let reason = progress.reason.as_ref().map(|reason| format!("{}: {}", reason.code, reason.text));
    row("why", reason.or_else(|| mail.waits_because.clone()).map(|why| one_line(&why, usize::MAX)));
    row("from", Some(one_line(&message.from, usize::MAX)));
    row("to", Some(message.to.to_string()));
    row("topic", message.topic.as_deref().map(|topic| one_line(topic, usize::MAX)));
    for (name, at) in [
        ("queued", Some(progress.queued_at)),
        ("typed", progress.typed_at),
        ("submitted", progress.submitted_at),
        ("seen", progress.seen_at),
        ("ended", progress.ended_at),
        ("expires", message.expires_at),
    ] {
        row(name, at.map(age::moment));
    }
    row("life", progress.generation.map(|generation| generation.to_string()));
    row("redelivered", progress.redelivered.then(|| "yes".to_owned()));
    row("woke", progress.woke.then(|| "yes".to_owned()));
    for attachment in &message.attachments {
        let label = attachment.label.as_deref().map_or(String::new(), |label| format!(" {}", one_line(label, 80)));
        row("attachment", Some(format!("{} ({} bytes){label}", attachment.id, attachment.byte_len)));
    }
    format!("{}\n\n{}", output::rendered(&mut card), harmless(&message.body))
}
