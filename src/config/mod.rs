//! What a daemon is told: defaults < file < environment < flags, layered by hand into checked types.
//!
//! [`place`] says where the fleet lies, which every verb needs; the rest is the daemon's alone, so a broken file
//! stops no reader.

pub mod attachments;
mod check;
mod file;
mod layer;
mod mail;
pub mod models;
pub mod place;
pub mod project;
mod provision;

pub use check::check_runtime;
pub use layer::{Overrides, parse_policy};
pub use provision::ProvisionConfig;

use crate::io::limits::fits_host;
use attachments::AttachmentsConfig;
use coalmine_actors::{
    attachments::tier::DurabilityTier,
    error::FleetError,
    mail::MailRules,
    memory::Durability,
    names::Runtime,
    peer::{
        limits::Limits,
        restart_policy::{RestartLimit, RestartPolicy},
    },
    runtime::RuntimeDef,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Largest config file, bytes.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// What the daemon runs by.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What happens after a death where a peer does not say.
    pub restart: RestartPolicy,
    /// How often a peer may die, and how long it waits between its lives.
    pub limit: RestartLimit,
    /// What a peer may use of the host where it does not say.
    pub limits: Limits,
    /// How many peers may be coming back at once after a mass death.
    pub parallel: usize,
    /// Variables of the daemon that peers' servers get besides the default ones.
    pub pass_env: Vec<String>,
    /// When something that is to be remembered counts as kept.
    pub memory_durability: Durability,
    /// How the memory provider's commands are run.
    pub provision: ProvisionConfig,
    /// What must outlive the daemon: a part that does not keeps the fleet from starting.
    pub tier: DurabilityTier,
    /// How attachments are kept.
    pub attachments: AttachmentsConfig,
    /// How messages are treated.
    pub mail: MailRules,
    /// Models that effects may ask.
    pub providers: models::Providers,
    /// Every runtime: the built-in ones as the file changes them, and its own.
    pub runtimes: BTreeMap<Runtime, RuntimeDef>,
}

impl Default for Config {
    /// The built-in runtimes; restarted on failure, at most 5 deaths in 300 s, 8 at once after a mass death.
    fn default() -> Self {
        Self {
            restart: RestartPolicy::default(),
            limit: RestartLimit::default(),
            limits: Limits::default(),
            parallel: layer::PARALLEL,
            pass_env: Vec::new(),
            memory_durability: Durability::default(),
            provision: ProvisionConfig::default(),
            tier: DurabilityTier::default(),
            attachments: AttachmentsConfig::default(),
            mail: MailRules::default(),
            providers: models::from_env(&|_| None),
            runtimes: crate::runtimes::built_in(),
        }
    }
}

/// Reads the file at `path` (a missing one is empty) and lays environment and flags over it.
///
/// # Errors
/// [`FleetError::BadConfig`]: the file can not be read, or with the line and the nearest key.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>, flags: &Overrides) -> Result<Config, FleetError> {
    let text = text(path)?.unwrap_or_default();
    let bad = |why| FleetError::BadConfig { path: path.to_path_buf(), why };
    let file::Parsed {
        restart: lowest,
        limits,
        pass_env,
        memory_durability,
        provision,
        tier,
        attachments,
        mail,
        providers,
        runtimes,
    } = file::parse(&text).map_err(bad)?;
    fits_host(&limits).map_err(|error| bad(format!("limits.{error}")))?;
    let from_env = Overrides::from_env(env)
        .map_err(|why| FleetError::BadConfig { path: PathBuf::from("the environment"), why })?;
    let restart = flags.clone().over(from_env).over(lowest);
    Ok(Config {
        restart: restart.policy.unwrap_or_default(),
        limit: restart.limit().map_err(bad)?,
        limits,
        parallel: restart.parallel().map_err(bad)?,
        pass_env,
        memory_durability,
        provision,
        tier,
        attachments,
        mail,
        providers: models::checked(providers, models::from_env(env)).map_err(bad)?,
        runtimes,
    })
}

/// The text of a file that a person wrote; nothing where there is none. Never more than the limit is read, whatever
/// the file says of its length.
fn text(path: &Path) -> Result<Option<String>, FleetError> {
    let bad = |why| FleetError::BadConfig { path: path.to_path_buf(), why };
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)) {
        Ok(_) if text.len() as u64 > CONFIG_BYTES_MAX => {
            Err(bad(format!("it has more than {CONFIG_BYTES_MAX} bytes, which are the limit")))
        }
        Ok(_) => Ok(Some(text)),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(bad(format!("it can not be read: {error}"))),
    }
}

#[cfg(test)]
mod tests;
