//! `coalmine show`: all that is known of a peer, as a card.

use super::{context::Context, failure::Outcome, output};
use crate::{age, text::one_line};
use coalmine_actors::{
    peer::{one_task::WakePolicy, restart_policy::RestartLimit},
    view::PeerView,
};
use jiff::{SignedDuration, Timestamp};

/// Longest detail on a card, characters.
const DETAIL_CHARS_MAX: usize = 500;

/// Show all that is known of a peer
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name or by identity
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let name = args.name;
    let read = context.read(async |client| client.show(&name).await, |files| Ok(files.show(&name)?)).await?;
    context.answer_read(&read, |peers| {
        let now = Timestamp::now();
        peers.iter().map(|peer| card(peer, now)).collect::<Vec<_>>().join("\n\n")
    })
}

fn card(peer: &PeerView, now: Timestamp) -> String {
    let mut card = output::table(&[]);
    let pid = |pid: Option<i32>| pid.map_or("-".to_owned(), |pid| pid.to_string());
    card.add_row([output::key("identity"), peer.identity.to_string().into()]);
    card.add_row([output::key("state"), output::state(peer)]);
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            card.add_row([output::key(name), value.into()]);
        }
    };
    row("detail", one_line(&peer.detail, DETAIL_CHARS_MAX));
    row("since", format!("{} ago ({})", age::since(peer.since, now), age::moment(peer.since)));
    row("generation", peer.generation.to_string());
    row("server", pid(peer.server_pid));
    row("canary", pid(peer.canary_pid));
    row("helper", peer.helper_version.clone());
    row("restart", policy(peer));
    row("", limit(&peer.restart_limit));
    row(
        "sleeps",
        match (peer.wake_policy, peer.idle_after_ms) {
            (WakePolicy::Ephemeral, _) => "when the one task of its life is done".into(),
            (WakePolicy::Persistent, Some(ms)) => format!("after {} without a sign of life", duration(ms)),
            (WakePolicy::Persistent, None) => String::new(),
        },
    );
    row("mail", peer.mail.map_or(String::new(), |waits| output::waits(peer, waits, now)));
    row("limits", peer.limits.to_string());
    row("restarts", peer.restarts.to_string());
    row("deaths", format!("{} recent", peer.deaths_recent));
    row("folder", peer.cwd.display().to_string());
    row("command", output::command(&peer.command));
    let next = peer
        .next_command
        .as_deref()
        .map_or(String::new(), |next| format!("{}, from its next life", output::command(next)));
    row("", next);
    row("policy", peer.policy.clone().unwrap_or_default());
    row("sandbox", peer.sandbox.to_string());
    row("owed", if peer.records_owed == 0 { String::new() } else { format!("{} records", peer.records_owed) });
    row("next", output::advice(peer).map_or(String::new(), |advice| format!("`{advice}`")));
    output::rendered(&mut card)
}

/// `5 deaths within 5m, waits of 1s to 1m, healthy after 10m`
fn limit(limit: &RestartLimit) -> String {
    let RestartLimit { deaths_max, window_ms, delay_first_ms, delay_max_ms, healthy_after_ms } = *limit;
    let [window, first, longest, healthy] =
        [window_ms, delay_first_ms.min(delay_max_ms), delay_max_ms, healthy_after_ms].map(duration);
    format!("{deaths_max} deaths within {window}, waits of {first} to {longest}, healthy after {healthy}")
}

fn duration(ms: u64) -> String {
    format!("{:#}", SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// The policy's name, as the config writes it.
fn policy(peer: &PeerView) -> String {
    output::json(&peer.restart).trim_matches('"').to_owned()
}
