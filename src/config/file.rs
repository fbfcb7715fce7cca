//! `config.toml`: its shape, and errors that name the line and the nearest key.

use super::{
    Overrides,
    attachments::{AttachmentsConfig, AttachmentsTable},
    check_runtime,
    ephemeral::EphemeralTable,
    mail::MailTable,
    models::ProviderTable,
    provision::{ProvisionConfig, ProvisionTable},
};
use coalmine_actors::{
    attachments::tier::DurabilityTier,
    mail::{Composer, MailRules, Transcript},
    memory::Durability,
    names::Runtime,
    peer::{
        limits::Limits,
        one_task::{OneTask, WakePolicy},
    },
    provisioner::recipe::MemoryRecipe,
    runtime::{Attention, Readiness, RuntimeDef, RuntimeKind, StopRecipe},
    toml_error::explain,
};
use jiff::SignedDuration;
use serde::Deserialize;
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

/// How often the memory is made durable where only that is asked for.
const SYNC_INTERVAL_DEFAULT: Duration = Duration::from_millis(50);
/// How often it may be.
const SYNC_INTERVALS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    restart: Overrides,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    env: EnvTable,
    #[serde(default)]
    fleet: FleetTable,
    #[serde(default)]
    memory: MemoryTable,
    #[serde(default)]
    provision: ProvisionTable,
    #[serde(default)]
    attachments: AttachmentsTable,
    #[serde(default)]
    mail: MailTable,
    #[serde(default)]
    ephemeral: EphemeralTable,
    #[serde(default)]
    provider: BTreeMap<String, ProviderTable>,
    #[serde(default)]
    runtime: BTreeMap<Runtime, RuntimePatch>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvTable {
    #[serde(default)]
    pass: Vec<String>,
}

/// `[fleet]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FleetTable {
    #[serde(default)]
    tier: DurabilityTier,
}

/// `[memory]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryTable {
    durability: Option<DurabilityName>,
    interval: Option<SignedDuration>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DurabilityName {
    Commit,
    Interval,
    Os,
}

impl MemoryTable {
    fn durability(&self) -> Result<Durability, String> {
        let durability = match (self.durability, self.interval) {
            (None | Some(DurabilityName::Commit), None) => Durability::Commit,
            (Some(DurabilityName::Os), None) => Durability::Os,
            (Some(DurabilityName::Interval), interval) => {
                let interval = interval.map_or(Ok(SYNC_INTERVAL_DEFAULT), Duration::try_from);
                let interval = interval.ok().filter(|interval| SYNC_INTERVALS.contains(interval));
                Durability::Interval(interval.ok_or("memory.interval must be 1ms to 60s")?)
            }
            (_, Some(_)) => return Err("memory.interval needs memory.durability = \"interval\"".into()),
        };
        Ok(durability)
    }
}

/// `[runtime.NAME]`: what it leaves out stays as the built-in definition has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuntimePatch {
    kind: Option<RuntimeKind>,
    argv: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    readiness: Option<Readiness>,
    attention: Option<Vec<Attention>>,
    resume_args: Option<Vec<String>>,
    hook_args: Option<Vec<String>>,
    boot_deadline: Option<SignedDuration>,
    idle_after: Option<SignedDuration>,
    wake_policy: Option<WakePolicy>,
    stop: Option<StopRecipe>,
    composer: Option<Composer>,
    transcript: Option<Transcript>,
    memory: Option<MemoryRecipe>,
}

impl RuntimePatch {
    fn over(self, base: Option<&RuntimeDef>) -> Result<RuntimeDef, String> {
        let kind = self.kind.or(base.map(|base| base.kind)).ok_or("`kind` is missing: \"agent\" or \"program\"")?;
        let base = base.cloned().unwrap_or_else(|| empty(kind));
        Ok(RuntimeDef {
            kind,
            argv: self.argv.unwrap_or(base.argv),
            env: self.env.unwrap_or(base.env),
            readiness: self.readiness.unwrap_or(base.readiness),
            attention: self.attention.unwrap_or(base.attention),
            resume_args: self.resume_args.unwrap_or(base.resume_args),
            hook_args: self.hook_args.unwrap_or(base.hook_args),
            boot_deadline: self.boot_deadline.unwrap_or(base.boot_deadline),
            idle_after: self.idle_after.or(base.idle_after),
            wake_policy: self.wake_policy.or(base.wake_policy),
            stop: self.stop.unwrap_or(base.stop),
            composer: self.composer.or(base.composer),
            transcript: self.transcript.or(base.transcript),
            memory: self.memory.unwrap_or(base.memory),
        })
    }
}

fn empty(kind: RuntimeKind) -> RuntimeDef {
    RuntimeDef {
        kind,
        argv: Vec::new(),
        env: BTreeMap::new(),
        readiness: Readiness::None,
        attention: Vec::new(),
        resume_args: Vec::new(),
        hook_args: Vec::new(),
        boot_deadline: SignedDuration::from_secs(60),
        idle_after: None,
        wake_policy: None,
        stop: StopRecipe::default(),
        composer: None,
        transcript: None,
        memory: MemoryRecipe::default(),
    }
}

/// What a file says, with the built-in runtimes below it.
pub(super) struct Parsed {
    pub(super) restart: Overrides,
    pub(super) limits: Limits,
    pub(super) pass_env: Vec<String>,
    pub(super) memory_durability: Durability,
    pub(super) provision: ProvisionConfig,
    pub(super) tier: DurabilityTier,
    pub(super) attachments: AttachmentsConfig,
    pub(super) mail: MailRules,
    pub(super) one_task: OneTask,
    /// Not laid over the variables yet.
    pub(super) providers: BTreeMap<String, ProviderTable>,
    pub(super) runtimes: BTreeMap<Runtime, RuntimeDef>,
}

/// Parses the file's text; an error says where and what.
pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    let file: ConfigFile = toml::from_str(text).map_err(|error| explain(text, &error))?;
    if let Some(name) = file.env.pass.iter().find(|name| !is_variable_name(name)) {
        return Err(format!("env.pass: {name:?} is not a variable's name"));
    }
    let mut runtimes = crate::runtimes::built_in();
    for (name, patch) in file.runtime {
        let def = patch.over(runtimes.get(&name)).map_err(|why| format!("runtime.{name}: {why}"))?;
        runtimes.insert(name, def);
    }
    runtimes.iter().try_for_each(|(name, def)| check_runtime(name, def))?;
    let memory_durability = file.memory.durability()?;
    Ok(Parsed {
        restart: file.restart,
        limits: file.limits,
        pass_env: file.env.pass,
        memory_durability,
        tier: file.fleet.tier,
        attachments: file.attachments.checked()?,
        mail: file.mail.checked()?,
        one_task: file.ephemeral.checked()?,
        providers: file.provider,
        provision: file.provision.checked()?,
        runtimes,
    })
}

pub(super) fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
