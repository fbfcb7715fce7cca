//! `coalmine events`: what happened, and with `-f` what happens.

use super::{
    context::{Context, Offline},
    deaths::known,
    failure::{DAEMON_MUTE, Failure, Outcome},
    output,
};
use crate::{age, deaths::means, io::journal::read_events, text::one_line};
use coalmine_actors::{
    error::FleetError,
    view::{Event, Streamed},
};
use jiff::{Span, SpanRelativeTo, Timestamp, civil::Date, tz::TimeZone};
use std::path::Path;

/// Events that are read from the files at once.
const PAGE_EVENTS: usize = 1000;
/// Longest value on a line, characters.
const VALUE_CHARS_MAX: usize = 200;

/// Show the events of the fleet, oldest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Follow: go on with what happens
    #[arg(short, long)]
    follow: bool,
    /// Only since then: a time like 2026-11-21T01:00:00Z, a day (in UTC), or an age like 10m or 2h
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Timestamp>,
    /// Only of this peer, by name or by identity
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let mut shown = 0;
    // Before a follower waits for what can never come.
    if args.follow
        && let Some(name) = &args.peer
    {
        known(context, name).await?;
    }
    let told = tell(context, &args, &mut shown).await;
    // A name without events may be a slip; one of a removed peer has some.
    if shown == 0
        && let Some(name) = &args.peer
    {
        known(context, name).await?;
    }
    told
}

async fn tell(context: &Context, args: &Args, shown: &mut usize) -> Outcome {
    let client = context.client();
    let stream = match &client {
        Ok(client) => client.events(Some(0), args.follow).await.map_err(Failure::from),
        Err(_) => Err(Failure::no_daemon("no daemon answers")),
    };
    match stream {
        Ok(mut stream) => {
            while let Some(item) = stream.next().await? {
                show(context, args, item, shown)?;
            }
            // The fleet ended the stream; who wanted to follow it hears why it is over.
            if args.follow { Err(Failure::no_daemon("the daemon has ended")) } else { Ok(()) }
        }
        Err(Failure::Error(error)) if error.exit_code == 69 && !args.follow => {
            let is_mute = error.code == DAEMON_MUTE;
            from_files(context, args, if is_mute { Offline::Mute } else { Offline::NotRunning }, shown)
        }
        Err(error) => Err(error),
    }
}

fn from_files(context: &Context, args: &Args, why: Offline, shown: &mut usize) -> Outcome {
    if !context.json {
        output::headed("", Some(why))?;
    }
    let journal = context.place.root.join("journal");
    let mut last = 0;
    loop {
        let page = page(&journal, last)?;
        let Some(newest) = page.last() else { return Ok(()) };
        last = newest.seq;
        page.into_iter().try_for_each(|event| show(context, args, Streamed::Event(event), shown))?;
    }
}

fn page(journal: &Path, after: u64) -> Outcome<Vec<Event>> {
    Ok(read_events(journal, after, PAGE_EVENTS).map_err(|source| FleetError::io("read", journal, source))?)
}

fn show(context: &Context, args: &Args, item: Streamed, shown: &mut usize) -> Outcome {
    if matches!(&item, Streamed::Event(event) if !args.wants(event)) {
        return Ok(());
    }
    *shown += 1;
    match &item {
        _ if context.json => output::print(&output::json(&item)),
        Streamed::Event(event) => output::print(&text(event)),
        Streamed::Lagged { lagged } => {
            context.note(&format!("{lagged} events are missing here; the journal has turned over"));
            Ok(())
        }
    }
}

impl Args {
    fn wants(&self, event: &Event) -> bool {
        let identity = || event.get("identity").and_then(|identity| identity.parse().ok());
        self.since.is_none_or(|since| event.ts >= since)
            && self.peer.as_ref().is_none_or(|peer| identity().is_some_and(|identity| means(peer, &identity)))
    }
}

fn text(event: &Event) -> String {
    let rest = event.fields.iter().filter(|(key, _)| key != "identity");
    let rest: String = rest.map(|(key, value)| format!(" {key}={}", one_line(value, VALUE_CHARS_MAX))).collect();
    let identity = event.get("identity").map_or(String::new(), |identity| format!(" {}", one_line(identity, 80)));
    format!("{} {}{identity}{}", age::moment(event.ts), one_line(&event.ev, 40), crate::text::harmless(&rest))
}

/// A moment, or an age.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<Date>() {
        return day.to_zoned(TimeZone::UTC).map(|midnight| midnight.timestamp()).map_err(|error| error.to_string());
    }
    let age: Span = text.parse().map_err(|_| "neither a time, nor a day, nor an age like 10m".to_owned())?;
    let age = age.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    Timestamp::now().checked_sub(age.abs()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_an_age() {
        assert_eq!(since("2026-11-21T01:00:00Z").unwrap().to_string(), "2026-11-21T01:00:00Z");
        let hour_ago = since("1h").unwrap().duration_until(Timestamp::now());
        assert!((3600..3610).contains(&hour_ago.as_secs()));
        assert_eq!(since("2026-01-01").unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert!(since("2 days").is_ok());
        assert!(since("soon").is_err());
    }

    #[test]
    fn an_event_is_one_harmless_line() {
        let event = Event {
            ts: Timestamp::UNIX_EPOCH,
            seq: 7,
            ev: "server-exit".into(),
            fields: vec![("identity".into(), "shell-a".into()), ("why".into(), "a\u{1b}[31m\nb".into())],
        };
        assert_eq!(text(&event), "1970-01-01 00:00:00Z server-exit shell-a why=a b");
    }
}
