//! `coalmine explain`: why a peer is as it is, what comes next, and what to type.

use super::{context::Context, failure::Outcome, output};
use crate::{
    deaths,
    explain::{self, Explanation},
    text::one_line,
};
use jiff::Timestamp;

/// Longest sentence, characters.
const SENTENCE_CHARS_MAX: usize = 400;

/// Say why a peer is as it is, what comes next, and what to type
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name (all its runtimes) or by identity
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let name = args.name;
    let journal = context.place.root.join("journal");
    let read = context
        .read(
            async |client| client.explain(&name).await,
            |files| {
                let now = Timestamp::now();
                let explained = files.show(&name)?.into_iter().map(|peer| {
                    let last = deaths::last(&journal, &peer.identity)?;
                    Ok(explain::explain(peer, last, now))
                });
                explained.collect()
            },
        )
        .await?;
    context.answer_read(&read, |explained| {
        explained.iter().map(|peer| card(peer, Timestamp::now())).collect::<Vec<_>>().join("\n\n")
    })
}

fn card(explained: &Explanation, now: Timestamp) -> String {
    let mut card = output::table(&[]);
    let mut row = |name: &str, text: &str| {
        card.add_row([output::key(name), one_line(text, SENTENCE_CHARS_MAX).into()]);
    };
    row("why", &explained.why);
    explained.besides.iter().for_each(|text| row("also", text));
    if let Some(death) = &explained.last_death {
        row("last death", &format!("gen {}: {}", death.generation, explain::told(death, now)));
    }
    match explained.budget {
        Some(budget) => row("budget", &budget.words()),
        None => row("budget", "none is needed: after a death it stays down (policy never)"),
    }
    row("next", &explained.next);
    for (index, advice) in explained.run.iter().enumerate() {
        row(if index == 0 { "type" } else { "" }, &format!("`{}` {}", advice.command, advice.does));
    }
    format!("{}\n{}", output::titled(&explained.peer), output::rendered(&mut card))
}
