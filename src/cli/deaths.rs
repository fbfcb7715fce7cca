//! `coalmine deaths`: who died, how, and who saw it.

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

/// How much of a record's forensics is shown, bytes.
const FORENSICS_HEAD_BYTES: u64 = 4096;

/// List the recorded deaths, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only of this peer, by name or by identity
    name: Option<String>,
    /// At most so many; 1 also shows the head of the forensics
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let limit = args.limit as usize;
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
        [one] if limit == 1 => format!("{}\n\n{}", text(deaths, Timestamp::now()), forensics(one)),
        deaths => text(deaths, Timestamp::now()),
    })
}

/// A name without deaths may be a slip; one of a removed peer with deaths never comes here.
async fn known(context: &Context, name: &str) -> Outcome {
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
            status_words(&harmless(&death.status)),
            harmless(&death.cause),
            harmless(&death.witness),
            up_for.map_or("-".into(), age::duration),
        ]);
    }
    let mut text = output::rendered(&mut table);
    let newest = deaths.iter().find_map(|death| death.forensics.as_ref());
    if let (Some(path), true) = (newest, deaths.len() > 1) {
        text.push_str(&format!("\n\nforensics of the newest: {}", harmless(&path.display().to_string())));
    }
    text
}

fn forensics(death: &Death) -> String {
    let Some(path) = &death.forensics else { return "no forensics: a session's end leaves one line only".into() };
    let shown = harmless(&path.display().to_string());
    match head(path) {
        Ok(text) => format!("forensics: {shown}\n\n{}", text.trim_end()),
        Err(source) => format!("forensics: {}", FleetError::io("read", path, source).chain()),
    }
}

fn head(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FORENSICS_HEAD_BYTES).read_to_end(&mut bytes)?;
    Ok(harmless(&String::from_utf8_lossy(&bytes)))
}
