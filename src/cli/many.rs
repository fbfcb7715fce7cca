//! Verbs that take several names: each one is done, failures are told one by one, the exit code sums them up.

use super::{
    context::Context,
    failure::{self, Failure, Outcome},
    output,
};
use crate::api::{
    client::{Client, ClientError},
    wire::ErrorBody,
};
use clap::Args;
use coalmine_actors::view::PeerView;
use serde::Serialize;
use std::sync::Arc;
use tokio::{sync::Semaphore, task::JoinSet};

/// Requests in flight at once.
const PARALLEL_MAX: usize = 8;

/// `NAME…` or `--all`.
#[derive(Debug, Args)]
pub(super) struct Names {
    /// Peers, by name or by identity
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// Every peer of the fleet
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

impl Names {
    /// The names that were given, or what `every` takes of each peer, once each.
    pub(super) async fn resolve(
        self,
        client: &Client,
        every: impl Fn(&PeerView) -> Option<String>,
    ) -> Outcome<Vec<String>> {
        if !self.all {
            return Ok(self.names);
        }
        let mut names: Vec<_> = client.list().await?.iter().filter_map(every).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// What became of each name.
#[derive(Debug, Serialize)]
pub(super) struct Summary<T> {
    /// What was done, in the names' order.
    pub(super) done: Vec<T>,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Failed {
    name: String,
    error: ErrorBody,
}

/// Asks for each name, a few at a time, and says what became of each.
pub(super) async fn each<T, F>(
    context: &Context,
    client: &Client,
    names: Vec<String>,
    ask: impl Fn(Client, String) -> F,
    human: impl Fn(&T) -> String,
) -> Outcome
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<T, ClientError>> + Send + 'static,
{
    let single = names.len() == 1;
    let mut summary = gather(client, names, ask).await?;
    if single && let Some(failed) = summary.failed.pop() {
        return Err(Failure::Error(failed.error));
    }
    tell_all(context, &summary, human)?;
    summary.conclude(context)
}

/// The same for what is answered with several things for one name.
pub(super) async fn each_of<T, F>(
    context: &Context,
    client: &Client,
    names: Vec<String>,
    ask: impl Fn(Client, String) -> F,
    human: impl Fn(&T) -> String,
) -> Outcome
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<Vec<T>, ClientError>> + Send + 'static,
{
    let single = names.len() == 1;
    let Summary { done, mut failed } = gather(client, names, ask).await?;
    if single && let Some(failed) = failed.pop() {
        return Err(Failure::Error(failed.error));
    }
    let summary = Summary { done: done.into_iter().flatten().collect(), failed };
    tell_all(context, &summary, human)?;
    summary.conclude(context)
}

fn tell_all<T: Serialize>(context: &Context, summary: &Summary<T>, human: impl Fn(&T) -> String) -> Outcome {
    if context.json {
        output::document(summary, None)
    } else if summary.done.is_empty() && summary.failed.is_empty() {
        context.note("nothing to do");
        Ok(())
    } else {
        summary.done.iter().try_for_each(|done| output::print(&human(done)))
    }
}

/// Asks for each name, a few at a time, and answers in the names' order.
pub(super) async fn gather<T, F>(
    client: &Client,
    names: Vec<String>,
    ask: impl Fn(Client, String) -> F,
) -> Outcome<Summary<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ClientError>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(PARALLEL_MAX));
    let mut asked = JoinSet::new();
    for (index, name) in names.iter().enumerate() {
        let (answer, places) = (ask(client.clone(), name.clone()), Arc::clone(&places));
        asked.spawn(async move {
            let _place = places.acquire().await;
            (index, answer.await)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    let mut summary = Summary { done: Vec::new(), failed: Vec::new() };
    for (index, answer) in answers {
        match answer.map_err(Failure::from) {
            Ok(done) => summary.done.push(done),
            Err(Failure::Error(error)) => summary.failed.push(Failed { name: names[index].clone(), error }),
            Err(quiet) => return Err(quiet),
        }
    }
    Ok(summary)
}

impl<T> Summary<T> {
    /// Tells people the failures; the first one's exit code where nothing was done, else degraded.
    pub(super) fn conclude(self, context: &Context) -> Outcome {
        let exit = self.failed.first().map(|first| first.error.exit_code);
        let all_failed = self.done.is_empty();
        if !context.json {
            self.failed.into_iter().for_each(|failed| failure::tell(failed.error, false));
        }
        match exit {
            None => Ok(()),
            Some(exit) if all_failed => Err(Failure::Quiet(exit)),
            Some(_) => Err(Failure::degraded()),
        }
    }
}
