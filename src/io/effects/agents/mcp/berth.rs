//! One server as its callers see it: they wait here until it is up, and here its attendant sees whether anybody calls it.
//!
//! ```text
//! Starting ─▶ Up(client) ─▶ Over(why)        a berth that is shut takes no more calls: the next one has another berth
//!     └─────────────────────────▲
//! ```

use super::client::Client;
use coalmine_actors::effects::{error::EffectError, port::Opened};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

/// How far a server is.
#[derive(Clone)]
enum Stage {
    Starting,
    Up(Client),
    Over(EffectError),
}

/// Who calls it.
#[derive(Default)]
struct Uses {
    calls: usize,
    is_shut: bool,
}

/// A server's place in a session. The session and the calls under way hold it; with the last of them its server ends.
pub(super) struct Berth {
    /// The policy, opened, by which it was started.
    under: Opened,
    stage: watch::Receiver<Stage>,
    uses: watch::Sender<Uses>,
}

impl Berth {
    /// A berth under this policy, and what its attendant has of it.
    pub(super) fn new(under: Opened) -> (Arc<Self>, Post) {
        let (stage, watched) = watch::channel(Stage::Starting);
        let (uses, used) = watch::channel(Uses::default());
        let berth = Arc::new(Self { under, stage: watched, uses });
        let post = Post { berth: Arc::downgrade(&berth), stage, uses: used };
        (berth, post)
    }

    /// Whether its server was started by this policy and no older one.
    pub(super) fn is_under(&self, opened: &Opened) -> bool {
        Arc::ptr_eq(&self.under, opened)
    }

    /// A call of its server; nothing once it takes no more.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Use> {
        let entered = self.uses.send_if_modified(|uses| {
            uses.calls += usize::from(!uses.is_shut);
            !uses.is_shut
        });
        entered.then(|| Use(Arc::clone(self)))
    }
}

/// One call under way.
pub(super) struct Use(Arc<Berth>);

impl Use {
    /// The server, once it is up.
    ///
    /// # Errors
    /// It can not be had: why.
    pub(super) async fn client(&self) -> Result<Client, EffectError> {
        let mut stage = self.0.stage.clone();
        match stage.wait_for(|stage| !matches!(stage, Stage::Starting)).await.as_deref() {
            Ok(Stage::Up(client)) => Ok(client.clone()),
            Ok(Stage::Over(why)) => Err(why.clone()),
            Ok(Stage::Starting) | Err(_) => Err(unattended()),
        }
    }

    /// Why it is over, once it is.
    pub(super) async fn end(&self) -> EffectError {
        let mut stage = self.0.stage.clone();
        match stage.wait_for(|stage| matches!(stage, Stage::Over(_))).await.as_deref() {
            Ok(Stage::Over(why)) => why.clone(),
            Ok(_) | Err(_) => unattended(),
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.uses.send_modify(|uses| uses.calls -= 1);
    }
}

fn unattended() -> EffectError {
    EffectError::Internal("a tool server's attendant is gone".into())
}

/// A berth as its attendant has it: it does not keep it.
pub(super) struct Post {
    berth: Weak<Berth>,
    stage: watch::Sender<Stage>,
    uses: watch::Receiver<Uses>,
}

impl Post {
    /// The server is up.
    pub(super) fn up(&self, client: Client) {
        self.stage.send_replace(Stage::Up(client));
    }

    /// Takes no more calls.
    pub(super) fn shut(&self) {
        if let Some(berth) = self.berth.upgrade() {
            berth.uses.send_modify(|uses| uses.is_shut = true);
        }
    }

    /// Tells why it is over; the first reason counts.
    pub(super) fn over(&self, why: EffectError) {
        self.stage.send_if_modified(|stage| {
            let is_news = !matches!(stage, Stage::Over(_));
            if is_news {
                *stage = Stage::Over(why);
            }
            is_news
        });
    }

    /// Resolves when nobody can call it any more, or has for so long; it is shut then.
    pub(super) async fn unused(&self, longest: Duration) {
        let mut uses = self.uses.clone();
        // An error says that the berth is gone, and with it everybody who could call.
        while uses.wait_for(|uses| uses.calls == 0).await.is_ok() {
            match timeout(longest, uses.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return,
                Err(_idle) => {
                    if self.berth.upgrade().is_none_or(|berth| berth.shut_if_unused()) {
                        return;
                    }
                }
            }
        }
    }
}

impl Berth {
    /// Between a look and the end of an idle server a call may have come.
    fn shut_if_unused(&self) -> bool {
        self.uses.send_if_modified(|uses| {
            uses.is_shut |= uses.calls == 0;
            uses.is_shut
        })
    }
}
