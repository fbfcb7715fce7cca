//! `coalmine effect log`: the audit log, with a daemon or without one.

use crate::{
    age,
    cli::{
        context::Context,
        deaths::known,
        failure::{Failure, Outcome},
        output,
    },
    deaths::means,
    io::{
        effects::tail::AuditTail,
        inotify::{Mask, Watcher},
    },
    text::one_line,
};
use coalmine_actors::{
    effects::audit::entry::{About, Decided, Ended, Entry, Record, Verdict},
    error::FleetError,
};
use std::{collections::BTreeMap, path::PathBuf};

/// Longest resource on a line, characters.
const RESOURCE_CHARS_MAX: usize = 200;

/// Show what peers did to the world, and what they were denied, oldest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Follow: go on with what happens
    #[arg(short, long)]
    follow: bool,
    /// Only of this peer, by name or by identity
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
    /// Only what was denied or not understood
    #[arg(long)]
    denied: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let folder = context.root().await.join("effects");
    // Before it is read: what is written meanwhile is told by the watch.
    let watcher = if args.follow { Some(watch(&folder)?) } else { None };
    let mut log = Log { context, args: &args, tail: AuditTail::new(folder.clone()), open: BTreeMap::new(), shown: 0 };
    log.show_more(&folder)?;
    let Some(watcher) = watcher else { return log.finish().await };
    loop {
        watcher.next().await.map_err(|error| Failure::failed("follow", error))?;
        log.show_more(&folder)?;
    }
}

fn watch(folder: &PathBuf) -> Outcome<Watcher> {
    let io = |source| FleetError::io("watch", folder, source);
    let watcher = Watcher::new().map_err(io)?;
    watcher.add(folder, Mask::IN_MODIFY | Mask::IN_CREATE | Mask::IN_MOVED_TO).map_err(io)?;
    Ok(watcher)
}

struct Log<'a> {
    context: &'a Context,
    args: &'a Args,
    tail: AuditTail,
    /// Calls that were allowed and of which no end was read: as text, a call is one line, its end.
    open: BTreeMap<u64, Record<'static>>,
    shown: usize,
}

impl Log<'_> {
    fn show_more(&mut self, folder: &PathBuf) -> Outcome {
        let records = self.tail.more().map_err(|source| FleetError::io("read", folder, source))?;
        records.into_iter().try_for_each(|record| self.show(record))
    }

    fn show(&mut self, record: Record<'static>) -> Outcome {
        let wanted = about(&record.entry).is_some_and(|about| self.wants(about));
        if self.context.json {
            // A checkpoint is nobody's, and shown with everything.
            let everything = self.args.peer.is_none() && !self.args.denied;
            return if wanted || everything { self.print(&output::json(&record)) } else { Ok(()) };
        }
        match &record.entry {
            _ if !wanted => Ok(()),
            Entry::Decision(decided) if decided.about.verdict == Verdict::Allowed => {
                self.open.insert(record.seq, record);
                Ok(())
            }
            Entry::Outcome(ended) => {
                self.open.remove(&ended.call);
                self.print(&text(&record))
            }
            _ => self.print(&text(&record)),
        }
    }

    fn print(&mut self, line: &str) -> Outcome {
        self.shown += 1;
        output::print(line)
    }

    /// What has no end yet is under way, or its daemon was killed.
    async fn finish(mut self) -> Outcome {
        for record in std::mem::take(&mut self.open).into_values() {
            self.print(&text(&record))?;
        }
        match &self.args.peer {
            // A name without lines may be a slip.
            Some(name) if self.shown == 0 => known(self.context, name).await,
            _ if self.shown == 0 && !self.context.json => output::print("nothing yet"),
            _ => Ok(()),
        }
    }

    fn wants(&self, about: &About<'_>) -> bool {
        let peer = |name: &String| about.peer.parse().is_ok_and(|identity| means(name, &identity));
        self.args.peer.as_ref().is_none_or(peer) && (!self.args.denied || about.verdict != Verdict::Allowed)
    }
}

fn about<'a>(entry: &'a Entry<'_>) -> Option<&'a About<'a>> {
    match entry {
        Entry::Decision(decided) => Some(&decided.about),
        Entry::Outcome(ended) => Some(&ended.about),
        Entry::Checkpoint { .. } | Entry::Forgotten { .. } => None,
    }
}

/// `2026-11-21 01:23:45Z claude-bob fs.stat /x: ok, 0.031 ms (scope.fs_read[0])`
fn text(record: &Record<'_>) -> String {
    let (about, became) = match &record.entry {
        Entry::Decision(Decided { about, outcome: Some(code), .. }) => (about, format!("{code}")),
        Entry::Decision(Decided { about, .. }) => (about, "no end".into()),
        Entry::Outcome(Ended { about, outcome, ms, .. }) => (about, format!("{outcome}, {ms} ms")),
        Entry::Checkpoint { .. } | Entry::Forgotten { .. } => return String::new(),
    };
    let resource = match about.resource.as_ref() {
        "" => String::new(),
        resource => format!(" {}", one_line(resource, RESOURCE_CHARS_MAX)),
    };
    let [peer, op, rule, became] =
        [&about.peer, &about.op, &about.rule, &became.into()].map(|part| one_line(part, RESOURCE_CHARS_MAX));
    format!("{} {peer} {op}{resource}: {became} ({rule})", age::moment(record.ts))
}
