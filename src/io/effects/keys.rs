//! Files that hold the keys of models: a policy that lets one be read is refused.

use crate::config::models::{KeySource, Providers};
use coalmine_actors::effects::Policy;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// Where the keys are, as the configuration says at each moment.
#[derive(Debug, Clone)]
pub struct Keys(watch::Receiver<Arc<Providers>>);

impl Default for Keys {
    fn default() -> Self {
        Self::of(Providers::new())
    }
}

impl Keys {
    /// Those of providers that do not change.
    pub fn of(providers: Providers) -> Self {
        // Nobody tells of changes; what was said last stays.
        Self(watch::channel(Arc::new(providers)).1)
    }

    /// Those of providers that follow a configuration.
    pub fn following(providers: watch::Receiver<Arc<Providers>>) -> Self {
        Self(providers)
    }

    /// Why this policy can not be used, where it lets one be read or changed. Blocks.
    pub(super) fn reached_by(&self, policy: &Policy) -> Option<String> {
        let providers = Arc::clone(&self.0.borrow());
        let files = providers.iter().filter_map(|(name, provider)| match &provider.key {
            KeySource::File(file) => Some((name, file)),
            KeySource::Env(_) | KeySource::None => None,
        });
        files.into_iter().find_map(|(name, file)| {
            let reached = places(file).into_iter().any(|place| is_reached(policy, &place));
            let why = || {
                format!(
                    "it lets provider.{name}.api_key_file ({}) be read; move that key to a folder that no policy grants, as \
                     the state root is, or grant a narrower folder",
                    file.display()
                )
            };
            reached.then(why)
        })
    }
}

/// Where it is named, and where it is: who may change a link leads us to another file.
fn places(file: &Path) -> Vec<PathBuf> {
    let named = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let real = named.canonicalize().ok();
    [Some(named), real].into_iter().flatten().collect()
}

/// In the fleet's own folders no scope reaches it.
fn is_reached(policy: &Policy, place: &Path) -> bool {
    let is_ours = policy.never.iter().any(|own| place.starts_with(own));
    !is_ours && policy.reaches(place).is_some()
}
