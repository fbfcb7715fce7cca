//! `coalmine logs`: what a peer's program wrote, from its pane log, with or without a daemon.

mod tail;

use super::{context::Context, failure::Outcome, output};
use crate::{config::Config, offline::Files, paths::Paths, text::Cleaner};
use coalmine_actors::{error::FleetError, names::Identity};
use serde::Serialize;
use std::{io::Write, time::Duration};
use tail::Follower;
use tokio::time::sleep;

/// How often a follower looks for more; only while somebody reads.
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);

/// Show the end of what a peer's program wrote
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name (its default runtime) or by identity
    name: String,
    /// Follow: go on with what it writes
    #[arg(short, long)]
    follow: bool,
    /// So many lines of the end
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: usize,
    /// As it was written, with all its escape sequences
    #[arg(long)]
    raw: bool,
}

#[derive(Serialize)]
struct Piece<'a> {
    identity: &'a Identity,
    text: &'a str,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let root = context.root().await;
    let identity = Files::open(&root, &Config::default())?.identity(&args.name)?;
    let paths = Paths::new(&root)?;
    let (log, folder) = (paths.pane_log(&identity), paths.peer(&identity));
    // A peer that never lived may have none yet.
    let had_folder = folder.exists();
    let failed = |source| FleetError::io("read", &log, source);
    let mut writer =
        Writer { context, identity: &identity, cleaner: (!args.raw).then(Cleaner::default), stream: args.follow };
    let (tail, mut follower) = Follower::open(&log, args.lines).map_err(failed)?;
    writer.write(&tail)?;
    if tail.is_empty() && args.lines > 0 && !context.json {
        context.note(&format!("{identity} has written nothing yet"));
    }
    if !args.follow {
        return Ok(());
    }
    loop {
        match follower.more().map_err(failed)? {
            // The folder goes with the peer; a namesake's log would be another story.
            nothing if nothing.is_empty() && had_folder && !folder.exists() => {
                context.note(&format!("{identity} has been removed"));
                return Ok(());
            }
            nothing if nothing.is_empty() => sleep(FOLLOW_PAUSE).await,
            more => writer.write(&more)?,
        }
    }
}

/// Where the bytes of a log go: cleaned, raw, or as JSON.
struct Writer<'a> {
    context: &'a Context,
    identity: &'a Identity,
    /// Absent where the bytes are wanted as they are.
    cleaner: Option<Cleaner>,
    /// Whether more follows: JSON lines instead of one document.
    stream: bool,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Outcome {
        let text = match &mut self.cleaner {
            Some(cleaner) => cleaner.feed(bytes),
            None if self.context.json => String::from_utf8_lossy(bytes).into_owned(),
            None => return self.write_raw(bytes),
        };
        match (self.context.json, self.stream) {
            (true, true) => output::print(&output::json(&Piece { identity: self.identity, text: &text })),
            (true, false) => output::document(&Piece { identity: self.identity, text: &text }, None),
            (false, _) => self.write_raw(text.as_bytes()),
        }
    }

    fn write_raw(&self, bytes: &[u8]) -> Outcome {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }
}
