//! `coalmine mail list`: messages, newest first.

use super::id;
use crate::{
    age,
    api::wire::MailPage,
    cli::{context::Context, failure::Outcome, output},
    text::one_line,
};
use clap::builder::PossibleValuesParser;
use coalmine_actors::mail::{State, store::PAGE_MESSAGES_MAX};
use jiff::Timestamp;

/// Longest topic or body in a table, characters.
const TEXT_CHARS_MAX: usize = 60;

/// List messages, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those for this peer
    #[arg(value_name = "PEER")]
    to: Option<String>,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(State::ALL.map(State::as_str)))]
    state: Option<String>,
    /// Most messages that are listed
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// Go on before this id, which the last page ended with
    #[arg(long, value_name = "ID")]
    before: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let limit = args.limit.clamp(1, PAGE_MESSAGES_MAX);
    let before = args.before.as_deref().map(id).transpose()?;
    let state = args.state.as_deref().and_then(State::of);
    let page = context.client()?.mail_list(args.to.as_deref(), state, before, limit).await?;
    context.answer(&page, text)
}

fn text(page: &MailPage) -> String {
    if page.messages.is_empty() {
        return "no messages; `coalmine send PEER --message TEXT` sends one".into();
    }
    let mut table = output::table(&["ID", "AGE", "STATE", "FROM", "TO", "ABOUT"]);
    let now = Timestamp::now();
    for mail in &page.messages {
        let message = &mail.message;
        table.add_row([
            message.id.to_string(),
            age::since(message.sent_at, now),
            mail.progress.state.to_string(),
            one_line(&message.from, TEXT_CHARS_MAX),
            message.to.to_string(),
            one_line(message.topic.as_deref().unwrap_or(&message.body), TEXT_CHARS_MAX),
        ]);
    }
    let mut text = output::rendered(&mut table);
    if let Some(next) = page.next {
        text.push_str(&format!("\nmore: coalmine mail list --before {next}"));
    }
    text
}
