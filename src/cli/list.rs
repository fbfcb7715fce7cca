//! `coalmine list`: every peer, one line each.

use super::{context::Context, create, failure::Outcome, output};
use crate::age;
use coalmine_actors::view::PeerView;
use jiff::Timestamp;
use std::{
    io::{self, IsTerminal},
    time::Duration,
};
use tokio::time::sleep;

/// Home, and everything below it gone.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";
/// The shortest pause between two lists.
const WATCH_PAUSE_MIN: Duration = Duration::from_millis(100);

/// List the peers and their states
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Again and again, every TIME, as in --watch=500ms; 2s where none is given
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s",
          value_parser = create::wait)]
    watch: Option<Duration>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let Some(pause) = args.watch else { return once(context, false).await };
    // Where a person looks on, each list takes the place of the last one.
    let in_place = !context.json && io::stdout().is_terminal();
    loop {
        once(context, in_place).await?;
        sleep(pause.max(WATCH_PAUSE_MIN)).await;
    }
}

async fn once(context: &Context, in_place: bool) -> Outcome {
    let read = context.read(async |client| client.list().await, |files| Ok(files.list())).await?;
    if in_place {
        // Only once its successor is there: a screen that is empty for a moment flickers.
        output::raw(CLEAR.as_bytes())?;
    }
    context.answer_read(&read, |peers| text(peers, Timestamp::now()))
}

pub(super) fn text(peers: &[PeerView], now: Timestamp) -> String {
    if peers.is_empty() {
        return "no peers yet\ncreate one: `coalmine create NAME --start`, or with a command of its own: \
                `coalmine create NAME --start -- COMMAND`"
            .into();
    }
    let mut table = output::table(&["NAME", "STATE", "SINCE", "GEN", "RESTARTS", "COMMAND"]);
    for peer in peers {
        table.add_row([
            peer.identity.to_string().into(),
            output::state(peer),
            age::since(peer.since, now).into(),
            peer.generation.to_string().into(),
            peer.restarts.to_string().into(),
            match &peer.next_command {
                None => output::command(&peer.command),
                Some(next) => format!("{} (next life: {})", output::command(&peer.command), output::command(next)),
            }
            .into(),
        ]);
    }
    let mut text = output::rendered(&mut table);
    for peer in peers {
        if let Some(advice) = output::advice(peer) {
            text.push_str(&format!("\n{}: `{advice}`", peer.identity));
        }
        if let Some(waits) = peer.mail {
            text.push_str(&format!("\n{}: {}", peer.identity, output::waits(peer, waits, now)));
        }
    }
    text
}
