//! `coalmine list`: every peer, one line each.

use super::{context::Context, failure::Outcome, output};
use crate::age;
use coalmine_actors::view::PeerView;
use jiff::Timestamp;

/// List the peers and their states
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let read = context.read(async |client| client.list().await, |files| Ok(files.list())).await?;
    context.answer_read(&read, |peers| text(peers, Timestamp::now()))
}

fn text(peers: &[PeerView], now: Timestamp) -> String {
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
            output::command(&peer.command).into(),
        ]);
    }
    let mut text = output::rendered(&table);
    for peer in peers {
        if let Some(advice) = output::advice(peer) {
            text.push_str(&format!("\n{}: `{advice}`", peer.identity));
        }
    }
    text
}
