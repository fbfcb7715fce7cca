//! `coalmine deaths`: who died, how, and who saw it.

mod digest;

use super::{
    context::{Context, Read},
    failure::{Failure, Outcome},
    output,
};
use crate::{
    age,
    deaths::{self, Death, status_words},
    text::harmless,
};
use coalmine_actors::error::FleetError;
use jiff::{SignedDuration, Timestamp};
use std::{fs::File, io::Read as _, path::Path};

/// Largest record that is read, bytes; the writers keep theirs below.
const RECORD_BYTES_MAX: u64 = 1024 * 1024;

/// List the recorded deaths, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only of this peer, by name or by identity
    name: Option<String>,
    /// At most so many; 1 also shows what matters of the forensics
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// The newest one with all of its forensics
    #[arg(long)]
    full: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let limit = if args.full { 1 } else { args.limit as usize };
    let name = args.name.as_deref();
    let journal = context.place.root.join("journal");
    let read = context
        .read(async |client| client.deaths(name, limit).await, |_files| Ok(deaths::read(&journal, name, limit)?))
        .await?;
    if let Some(name) = name.filter(|_| read.data.is_empty()) {
        known(context, name).await?;
    }
    context.answer_read(&read, |deaths| match deaths.as_slice() {
        [] => "no deaths on record".into(),
        [one] if limit == 1 => format!("{}\n\n{}", text(deaths, Timestamp::now()), forensics(one, args.full)),
        deaths => format!("{}{}", text(deaths, Timestamp::now()), more(deaths)),
    })
}

/// A name without deaths may be a slip; one of a removed peer with deaths never comes here.
pub(super) async fn known(context: &Context, name: &str) -> Outcome {
    let _known: Read<_> =
        context.read(async |client| client.show(name).await, |files| files.show(name).map_err(Failure::from)).await?;
    Ok(())
}

fn text(deaths: &[Death], now: Timestamp) -> String {
    let mut table = output::table(&["WHEN", "NAME", "GEN", "STATUS", "CAUSE", "WITNESS", "UP FOR"]);
    for death in deaths {
        let up_for = death.up_s.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
        table.add_row([
            format!("{} ({} ago)", age::moment(death.ts), age::since(death.ts, now)),
            death.identity.to_string(),
            death.generation.to_string(),
            status(death),
            harmless(&death.cause),
            harmless(&death.witness),
            up_for.map_or("-".into(), age::duration),
        ]);
    }
    output::rendered(&mut table)
}

/// The record's status, with what the daemon saw beside one that its witness could not learn.
fn status(death: &Death) -> String {
    let own = status_words(&harmless(&death.status));
    match &death.daemon_status {
        Some(seen) => format!("{own}; the daemon saw {}", status_words(&harmless(seen))),
        None => own,
    }
}

/// How to see more of the newest record that has more.
fn more(deaths: &[Death]) -> String {
    let newest = deaths.iter().find(|death| death.forensics.is_some());
    newest.map_or(String::new(), |death| format!("\n\nforensics: `coalmine deaths {} -n 1`", death.identity))
}

fn forensics(death: &Death, full: bool) -> String {
    let Some(path) = &death.forensics else { return "no forensics: a session's end leaves one line only".into() };
    let shown = harmless(&path.display().to_string());
    match record(path) {
        Ok(text) if full => format!("forensics: {shown}\n\n{}", text.trim_end()),
        Ok(text) => {
            let all = format!("`coalmine deaths {} --full` shows all of it", death.identity);
            format!("forensics: {shown}\n{all}\n\n{}", digest::digest(&text))
        }
        Err(source) => format!("forensics: {}", FleetError::io("read", path, source).chain()),
    }
}

fn record(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(harmless(&String::from_utf8_lossy(&bytes)))
}
