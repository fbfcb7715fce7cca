//! A fleet inside the bench's own process, which is then its daemon.

use super::{Outcome, PATIENCE};
use coalmine::{
    Fleet, FleetBuilder, FleetHandle,
    actors::{fleet::request::CreatePeer, peer::restart_policy::RestartLimit, view::Event, view::Streamed},
};
use std::path::{Path, PathBuf};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, timeout},
};
use tokio_stream::StreamExt;

/// The helper that was built with this bench.
pub fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_coalmine-helper"))
}

/// The fleet, and everything that its events say, each with the moment in which it was heard.
pub struct BenchFleet {
    /// The fleet.
    pub handle: FleetHandle,
    root: PathBuf,
    heard: UnboundedReceiver<(Instant, Event)>,
}

impl BenchFleet {
    /// Starts a fleet in `root` whose peers are never put in quarantine and wait for nothing between their lives.
    pub async fn start(root: &Path) -> Outcome<Self> {
        Self::start_with(root, |builder| builder).await
    }

    /// The same, as `shape` makes it.
    pub async fn start_with(root: &Path, shape: impl FnOnce(FleetBuilder) -> FleetBuilder) -> Outcome<Self> {
        let limit = RestartLimit { deaths_max: usize::MAX, delay_first_ms: 0, ..RestartLimit::default() };
        let builder = shape(Fleet::builder().root(root).helper(helper()).restart_limit(limit));
        let handle = builder.start().await?;
        let (sender, heard) = unbounded_channel();
        let mut events = handle.events();
        tokio::spawn(async move {
            while let Some(streamed) = events.next().await {
                let now = Instant::now();
                let Streamed::Event(event) = streamed else { panic!("the bench lagged behind the events") };
                if sender.send((now, event)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { handle, root: root.to_owned(), heard })
    }

    /// Makes `count` peers that sleep, `p0` and so on; none is started.
    pub async fn create_sleepers(&self, count: usize) -> Outcome<Vec<String>> {
        let mut names = Vec::with_capacity(count);
        for number in 0..count {
            let name = format!("p{number}");
            self.handle.create(sleeper(&name, &self.root)).await?;
            names.push(name);
        }
        Ok(names)
    }

    /// Starts all of `names` at once; says when the last one was up.
    pub async fn start_all(&mut self, names: &[String]) -> Outcome<Instant> {
        self.forget_events();
        let mut starts = tokio::task::JoinSet::new();
        for name in names {
            let (handle, name) = (self.handle.clone(), name.clone());
            starts.spawn(async move { handle.start(&name, PATIENCE).await });
        }
        let mut last = Instant::now();
        for _ in names {
            last = self.next(|event| event.ev == "up").await?.0;
        }
        while let Some(started) = starts.join_next().await {
            started??;
        }
        Ok(last)
    }

    /// Ends all of `names`.
    pub async fn stop_all(&self, names: &[String]) -> Outcome<()> {
        let mut stops = tokio::task::JoinSet::new();
        for name in names {
            let (handle, name) = (self.handle.clone(), name.clone());
            stops.spawn(async move { handle.stop(&name, PATIENCE).await.map(drop) });
        }
        while let Some(stopped) = stops.join_next().await {
            stopped??;
        }
        Ok(())
    }

    /// Drops what was heard so far.
    pub fn forget_events(&mut self) {
        while self.heard.try_recv().is_ok() {}
    }

    /// The next event that `is_wanted`; the others are dropped.
    pub async fn next(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Outcome<(Instant, Event)> {
        loop {
            let heard = timeout(PATIENCE, self.heard.recv()).await.map_err(|_elapsed| "an event did not come")?;
            let (at, event) = heard.ok_or("the events ended")?;
            if is_wanted(&event) {
                return Ok((at, event));
            }
            if event.ev == "start-failed" {
                return Err(format!("a start failed: {event:?}").into());
            }
        }
    }
}

/// A `shell` peer that does nothing.
pub fn sleeper(name: &str, cwd: &Path) -> CreatePeer {
    CreatePeer {
        name: name.into(),
        cwd: cwd.to_owned(),
        command: vec!["/bin/sleep".into(), "36000".into()],
        ..CreatePeer::default()
    }
}
