//! `coalmine memory-plugin`: sweeps the memory provider over peers, shows how far it is, and ends it on Ctrl-C.

use super::{
    context::Context,
    failure::{Failure, Outcome},
    output, provisioned,
};
use crate::api::{client::Client, wire::SweepWanted};
use clap::ValueEnum;
use coalmine_actors::{
    error::Kind,
    provisioner::{occasion::Direction, outcome::PeerReport, view::SweepView},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{io::IsTerminal, time::Duration};

/// How long one question after news may wait for some.
const NEWS_WAIT: Duration = Duration::from_secs(20);
/// Names that a failure lists.
const NAMES_MAX: usize = 8;

/// Have the memory provider bring its memory into peers' folders, or take it out again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Who keeps the memory declares itself in memory-provider.json of the state folder; docs/PROVIDERS.md says how. With \
--json each peer is one line as soon as it is done, and the last line sums up. Ctrl-C ends what runs.")]
pub(super) struct Args {
    /// Into the folders, or out of them
    #[arg(value_name = "on|off")]
    direction: OnOff,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// The peer, by name
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
    /// All peers
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnOff {
    On,
    Off,
}

/// The last line of a stream.
#[derive(Debug, Serialize)]
struct Summary<'s> {
    sweep: u64,
    direction: Direction,
    total: usize,
    done: usize,
    cancelled: bool,
    failed: &'s [String],
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let direction = match args.direction {
        OnOff::On => Direction::On,
        OnOff::Off => Direction::Off,
    };
    let client = context.client()?;
    let Whom { peer, all } = args.whom;
    let begun = client.memory_sweep(&SweepWanted { direction, peer, all }).await?;
    let mut shown = Shown::new(context, begun.total);
    let end = follow(&client, begun, &mut shown).await?;
    shown.conclude(&end)
}

/// Shows what comes until nothing more will. The first Ctrl-C calls the sweep off and is no end of the following; the
/// second is.
async fn follow(client: &Client, mut view: SweepView, shown: &mut Shown<'_>) -> Outcome<SweepView> {
    let mut is_off = false;
    loop {
        for report in std::mem::take(&mut view.reports) {
            shown.report(report)?;
        }
        if view.finished {
            return Ok(view);
        }
        let news = client.memory_sweep_follow(view.id, shown.done, NEWS_WAIT);
        tokio::select! {
            news = news => view = news?,
            interrupt = tokio::signal::ctrl_c() => {
                interrupt.map_err(|error| Failure::failed("can not wait for Ctrl-C", error))?;
                if std::mem::replace(&mut is_off, true) {
                    return Err(Failure::failed("left", "the sweep is being ended, and nobody waits for it"));
                }
                shown.say("ending what runs; Ctrl-C again leaves at once");
                client.memory_sweep_cancel(view.id).await?;
            }
        }
    }
}

/// What was shown so far.
struct Shown<'c> {
    context: &'c Context,
    /// Hidden where nobody sees it.
    bar: ProgressBar,
    done: usize,
    failed: Vec<String>,
}

impl<'c> Shown<'c> {
    fn new(context: &'c Context, total: usize) -> Self {
        let has_bar = !context.json && std::io::stderr().is_terminal();
        let bar = if has_bar { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}  {eta} left");
        bar.set_style(style.expect("the template is ours"));
        Self { context, bar, done: 0, failed: Vec::new() }
    }

    fn report(&mut self, report: PeerReport) -> Outcome {
        self.done += 1;
        if !report.is_fine() {
            self.failed.push(report.personality.to_string());
        }
        self.bar.set_position(self.done as u64);
        self.bar.set_message(report.personality.to_string());
        if self.context.json {
            return output::print(&output::json(&report));
        }
        let line = format!("{}  {}", report.personality, provisioned::short(&report.runtimes));
        // Below a bar only what somebody must do something about stays.
        if self.bar.is_hidden() || !report.is_fine() { self.bar.suspend(|| output::print(&line)) } else { Ok(()) }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| self.context.note(text));
    }

    fn conclude(&self, end: &SweepView) -> Outcome {
        self.bar.finish_and_clear();
        let SweepView { id, direction, total, done, cancelled, .. } = *end;
        if self.context.json {
            let failed = &self.failed;
            output::print(&output::json(&Summary { sweep: id, direction, total, done, cancelled, failed }))?;
        } else if total == 0 {
            output::print("there are no peers yet; each one gets its memory when it is born: `coalmine create NAME`")?;
        } else if self.failed.is_empty() {
            let verb = if direction == Direction::On { "provisioned" } else { "unprovisioned" };
            output::print(&format!("memory {verb}: {done} of {total} peers"))?;
        }
        if self.failed.is_empty() && done == total {
            return Ok(());
        }
        let mut names = self.failed.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
        if self.failed.len() > NAMES_MAX {
            names.push_str(", …");
        }
        let how = if cancelled { "called off" } else { "not done" };
        let message = format!(
            "memory {}: {how} for {} of {total} peers: {names}",
            direction.block(),
            total - done + self.failed.len()
        );
        Err(Failure::new(Kind::Failed, "provision-failed", message, "`coalmine events` has each run; then sweep again"))
    }
}
