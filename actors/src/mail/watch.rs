//! Awaits in a life's transcripts what was submitted there: one task a life, by what [`Vigil`] decides. It looks while
//! something is awaited, and does nothing otherwise; it ends with the life.

use super::{
    envelope::Opening,
    id::MessageId,
    progress::{Record, State, Step},
    shared::Shared,
    transcript::Entries,
    vigil::{LOOK_MS, Submitted, VIGIL_MS_MAX, Vigil},
};
use crate::{
    names::{Generation, Identity},
    ports::LifeKey,
    repeats::Repeats,
    view::PeerView,
};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep, sleep_until},
};

/// How long a peer whose actor is being restarted is left alone.
const ABSENT_PAUSE: Duration = Duration::from_millis(250);

/// The watches of all lives. With it they end.
#[derive(Default)]
pub(super) struct Watches(HashMap<Identity, Watch>);

impl Watches {
    /// Awaits a message from now on, where it was just submitted and its recipient's program writes down what it was
    /// told.
    pub(super) fn submitted(&mut self, shared: &Arc<Shared>, record: &Record) {
        let Some((message, generation)) = awaited(record, shared.now()) else { return };
        let identity = &record.message.to;
        self.0.retain(|_, watch| !watch.task.is_finished());
        let watched = self.0.get(identity).map(|watch| watch.generation);
        // Of those that were left, some were submitted in a life before the present one.
        if watched > Some(generation) {
            return;
        }
        if watched != Some(generation) {
            let Some(entries) = shared.parts.recipients.entries(identity) else { return };
            let life = LifeKey { identity: identity.clone(), generation };
            self.0.insert(identity.clone(), Watch::begin(Arc::clone(shared), life, entries));
        }
        if let Some(Watch { post, .. }) = self.0.get(identity) {
            post.vigil().submitted(message, shared.now_boot_ms());
            post.news.notify_one();
        }
    }

    /// Somebody else has said that it was seen.
    pub(super) fn seen(&self, id: MessageId) {
        self.0.values().for_each(|watch| watch.post.vigil().over(id));
    }
}

/// What is awaited of a message, and in which life; nothing where it is not, or not any more.
fn awaited(Record { message, progress }: &Record, now: Timestamp) -> Option<(Submitted, Generation)> {
    if progress.state != State::Submitted {
        return None;
    }
    let (typed_at, submitted_at) = (progress.typed_at?, progress.submitted_at?);
    // A clock that was set back makes nothing older.
    let age_ms = u64::try_from(now.duration_since(submitted_at).as_millis()).unwrap_or(0);
    let opening = Opening { id: message.id, redelivered: progress.redelivered };
    (age_ms < VIGIL_MS_MAX).then_some((Submitted { opening, typed_at, age_ms }, progress.generation?))
}

/// What is awaited in one life.
struct Watch {
    generation: Generation,
    post: Arc<Post>,
    task: AbortHandle,
}

impl Watch {
    fn begin(shared: Arc<Shared>, life: LifeKey, entries: Arc<dyn Entries>) -> Self {
        let (generation, post) = (life.generation, Arc::new(Post::default()));
        let watched = Arc::clone(&post);
        let task = tokio::spawn(async move {
            let now_ms = || shared.now_boot_ms();
            let see = |id| {
                let shared = Arc::clone(&shared);
                async move { shared.insist(id, &Step::See).await }
            };
            tokio::select! {
                // First: what is written once the life is over is another one's.
                biased;
                () = until_over(&shared, &life) => {}
                () = watched.look_out(&life.identity, entries, now_ms, see) => {}
            }
        });
        Self { generation, post, task: task.abort_handle() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the mailroom leaves what is to be awaited.
#[derive(Default)]
struct Post {
    /// Never held across a wait.
    vigil: Mutex<Vigil>,
    /// Another message is awaited.
    news: Notify,
}

impl Post {
    fn vigil(&self) -> MutexGuard<'_, Vigil> {
        self.vigil.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for as long as it is let.
    async fn look_out<S: Future<Output = ()>>(
        &self,
        identity: &Identity,
        entries: Arc<dyn Entries>,
        now_ms: impl Fn() -> u64,
        see: impl Fn(MessageId) -> S,
    ) {
        let repeats = Repeats::default();
        loop {
            let (seen, look) = {
                let mut vigil = self.vigil();
                (vigil.take_seen(), vigil.next(now_ms()))
            };
            for id in seen {
                see(id).await;
            }
            let Some(look) = look else {
                self.news.notified().await;
                continue;
            };
            let due = Instant::now() + Duration::from_millis(look.in_ms);
            let sooner = tokio::select! {
                () = sleep_until(due) => due,
                () = self.news.notified() => due.min(Instant::now() + Duration::from_millis(LOOK_MS)),
            };
            sleep_until(sooner).await;
            match entries.look(look.since).await {
                Ok(found) => {
                    repeats.over();
                    self.vigil().entered(found);
                }
                // The first time a program may not have made its folder yet: it does so with its first entry.
                Err(error) => {
                    if let Some(times) = repeats.failed().filter(|times| *times > 1) {
                        let error = error.chain();
                        tracing::warn!(%identity, error, times, "can not be looked at; what was submitted stays so");
                    }
                }
            }
        }
    }
}

/// Resolves when this life is over. A peer that an earlier daemon left is not known to be up yet.
async fn until_over(shared: &Shared, life: &LifeKey) {
    let recipients = &shared.parts.recipients;
    loop {
        let views = recipients.view(&life.identity);
        if views.is_none() && !recipients.exists(&life.identity) {
            return;
        }
        if let Some(mut views) = views
            && views.wait_for(|view| is_over(view, life.generation)).await.is_ok()
        {
            return;
        }
        sleep(ABSENT_PAUSE).await;
    }
}

fn is_over(view: &PeerView, generation: Generation) -> bool {
    view.generation > generation || view.generation == generation && !view.phase.is_live()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeEntries;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    fn opening(n: i64) -> Opening {
        Opening { id: MessageId::at(n, 0), redelivered: false }
    }

    /// A life that is watched.
    struct Watched {
        post: Arc<Post>,
        /// How often it was said that something was seen.
        told: Arc<AtomicU32>,
        began: Instant,
    }

    impl Watched {
        fn new(entries: &FakeEntries) -> Self {
            let (post, told, began) = (Arc::new(Post::default()), Arc::new(AtomicU32::new(0)), Instant::now());
            let (own, count, entries) = (Arc::clone(&post), Arc::clone(&told), Arc::new(entries.clone()));
            tokio::spawn(async move {
                let see = |_| {
                    count.fetch_add(1, Relaxed);
                    std::future::ready(())
                };
                own.look_out(&"agent-bob".parse().unwrap(), entries, || ms_since(began), see).await;
            });
            Self { post, told, began }
        }

        fn submit(&self, n: i64) {
            let message = Submitted { opening: opening(n), typed_at: Timestamp::UNIX_EPOCH, age_ms: 0 };
            self.post.vigil().submitted(message, ms_since(self.began));
            self.post.news.notify_one();
        }

        fn told(&self) -> u32 {
            self.told.load(Relaxed)
        }
    }

    fn ms_since(began: Instant) -> u64 {
        u64::try_from(began.elapsed().as_millis()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_looked_at_but_while_something_is_awaited() {
        let entries = FakeEntries::default();
        let watched = Watched::new(&entries);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(entries.looks(), 0);
        watched.submit(1);
        sleep(Duration::from_millis(900)).await;
        assert_eq!((entries.looks(), watched.told()), (2, 0));
        entries.enter(opening(1));
        sleep(Duration::from_secs(2)).await;
        assert_eq!((entries.looks(), watched.told()), (3, 1));
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(entries.looks(), 3, "it was seen");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_never_entered_is_given_up() {
        let entries = FakeEntries::default();
        let watched = Watched::new(&entries);
        watched.submit(1);
        sleep(Duration::from_secs(3600)).await;
        let looks = entries.looks();
        assert!((300..=310).contains(&looks), "{looks}");
        sleep(Duration::from_secs(3600)).await;
        assert_eq!((entries.looks(), watched.told()), (looks, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn another_message_is_not_kept_waiting_and_a_look_that_fails_is_followed_by_another() {
        let entries = FakeEntries::default();
        let watched = Watched::new(&entries);
        watched.submit(1);
        sleep(Duration::from_secs(60)).await;
        let looks = entries.looks();
        entries.fail(1);
        watched.submit(2);
        for n in [1, 2] {
            entries.enter(opening(n));
        }
        sleep(Duration::from_millis(LOOK_MS + 10)).await;
        assert_eq!((entries.looks(), watched.told()), (looks + 1, 0), "it failed");
        sleep(Duration::from_millis(2 * LOOK_MS)).await;
        assert_eq!(watched.told(), 2);
    }
}
