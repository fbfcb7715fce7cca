//! What is to be done for one runtime of one peer: a plan as data, from slot, peer and occasion. Pure.

use super::{
    occasion::{Direction, Occasion},
    outcome::State,
    recipe::{MemoryRecipe, PluginRecipe, Setting, SettingValue},
    slot::{CommandSpec, PluginSpec, Provider},
    substitute::{Value, substitute},
};
use crate::names::{Personality, Runtime};
use std::path::{Path, PathBuf};

/// A peer, as far as a provider is concerned with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub personality: Personality,
    /// Its folder.
    pub cwd: PathBuf,
    /// Those of its runtimes that are agents, in its own order.
    pub agents: Vec<Agent>,
}

/// A runtime that is an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub runtime: Runtime,
    /// What its definition says of memory.
    pub recipe: MemoryRecipe,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// First, in order.
    pub edits: Vec<Edit>,
    /// Then.
    pub then: Then,
}

/// What follows the edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// The provider's own command.
    Command(ProvisionCommand),
    /// The runtime's commands, one after the other (v1.1).
    Plugin {
        /// `name@marketplace`, where one installation serves the whole host.
        host_global: Option<String>,
        /// In order.
        commands: Vec<ProvisionCommand>,
    },
    /// Nothing can be.
    Nothing(State, String),
}

/// One value to be set in a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The file; a `~/` in front is the user's home.
    pub file: String,
    /// The way to the value, key by key.
    pub key: Vec<String>,
    /// The value.
    pub value: SettingValue,
}

/// A command, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionCommand {
    /// Where the program is.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it starts, if that is there.
    pub cwd: PathBuf,
}

impl ProvisionCommand {
    /// Program and arguments, as they are told.
    pub fn argv(&self) -> Vec<String> {
        let (Program::At(name) | Program::InPath(name)) = &self.program;
        std::iter::once(name).chain(&self.args).cloned().collect()
    }
}

/// Where a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// At this absolute path.
    At(String),
    /// Wherever it is in PATH.
    InPath(String),
}

/// What is to be done for `agent` of `subject`.
pub fn errand(provider: &Provider, subject: &Subject, agent: &Agent, occasion: Occasion) -> Errand {
    let cwd = subject.cwd.to_string_lossy();
    let values = [
        ("cwd", &*cwd),
        ("runtime", agent.runtime.as_str()),
        ("personality", subject.personality.as_str()),
        ("occasion", occasion.as_str()),
    ];
    let then = then(provider, agent, occasion.direction(), &values, &subject.cwd);
    let will_run = !matches!(then, Then::Nothing(..));
    let before = agent.recipe.before_provision.iter().filter(|_| will_run);
    let edits = match occasion.direction() {
        Direction::On => before.chain(&agent.recipe.on_slot_occupied).map(|setting| edit(setting, &values)).collect(),
        Direction::Off => Vec::new(),
    };
    Errand { edits, then }
}

fn then(provider: &Provider, agent: &Agent, direction: Direction, values: &[Value<'_>], cwd: &Path) -> Then {
    let declared = match direction {
        Direction::On => &provider.provision,
        Direction::Off => &provider.unprovision,
    };
    match (declared, &provider.plugin, &agent.recipe.plugin) {
        (Some(spec), ..) => Then::Command(command(spec, values, cwd)),
        (None, Some(spec), Some(recipe)) if !provider.has_commands() => plugin(spec, recipe, direction, values, cwd),
        (None, Some(_), None) if !provider.has_commands() => {
            Then::Nothing(State::SetupFailed, format!("the runtime {} has no plugins", agent.runtime))
        }
        _ => Then::Nothing(State::MissingDirection, missing(provider, direction)),
    }
}

/// What is said of a direction that is not declared.
pub(super) fn missing(provider: &Provider, direction: Direction) -> String {
    let block = direction.block();
    format!("provider {:?} declares no {block} command (a v1.2 declaration needs both directions)", provider.name)
}

fn command(spec: &CommandSpec, values: &[Value<'_>], cwd: &Path) -> ProvisionCommand {
    let args = spec.args.iter().map(|arg| substitute(arg, values)).collect();
    ProvisionCommand { program: Program::At(spec.command.clone()), args, cwd: cwd.to_owned() }
}

fn plugin(spec: &PluginSpec, recipe: &PluginRecipe, direction: Direction, values: &[Value<'_>], cwd: &Path) -> Then {
    let values: Vec<_> = values
        .iter()
        .copied()
        .chain([
            ("name", spec.name.as_str()),
            ("marketplace", spec.marketplace.as_str()),
            ("marketplaceRef", spec.marketplace_ref.as_str()),
        ])
        .collect();
    let lines = match direction {
        Direction::On => &recipe.on,
        Direction::Off => &recipe.off,
    };
    let commands = lines.iter().filter_map(|line| {
        let (program, args) = line.split_first()?;
        let args = args.iter().map(|arg| substitute(arg, &values)).collect();
        Some(ProvisionCommand { program: Program::InPath(program.clone()), args, cwd: cwd.to_owned() })
    });
    let host_global = recipe.host_global.then(|| format!("{}@{}", spec.name, spec.marketplace));
    Then::Plugin { host_global, commands: commands.collect() }
}

fn edit(setting: &Setting, values: &[Value<'_>]) -> Edit {
    Edit {
        file: substitute(&setting.file, values),
        key: setting.key.iter().map(|key| substitute(key, values)).collect(),
        value: setting.value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioner::slot::parse;
    use serde_json::{Value as Json, json};

    fn provider(blocks: Json) -> Provider {
        let mut all = json!({ "provider": "mem", "package": "p", "version": "1" });
        all.as_object_mut().unwrap().extend(blocks.as_object().unwrap().clone());
        parse(all.to_string().as_bytes()).provider.unwrap()
    }

    fn commands() -> Json {
        let block =
            |verb: &str| json!({ "command": "/bin/mem", "args": [verb, "--cwd={cwd}", "{runtime}", "{personality}"] });
        json!({ "provision": block("on:{occasion}"), "unprovision": block("off:{occasion}") })
    }

    fn plugin_block() -> Json {
        json!({ "plugin": { "name": "pl", "marketplace": "mk", "marketplaceRef": "o/r" } })
    }

    fn claude() -> Agent {
        let setting = |file: &str| Setting {
            file: file.into(),
            key: vec!["a".into(), "{cwd}".into()],
            value: SettingValue::Bool(false),
        };
        let line = |words: &str| words.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
        Agent {
            runtime: "claude".parse().unwrap(),
            recipe: MemoryRecipe {
                before_provision: vec![setting("~/before.toml")],
                on_slot_occupied: vec![setting("{cwd}/occupied.json")],
                plugin: Some(PluginRecipe {
                    host_global: false,
                    on: vec![line("claude add {marketplaceRef}"), line("claude install {name}@{marketplace}")],
                    off: vec![line("claude remove {name}")],
                }),
            },
        }
    }

    fn subject(cwd: &str) -> Subject {
        Subject { personality: "bob".parse().unwrap(), cwd: cwd.into(), agents: vec![claude()] }
    }

    fn done(provider: &Provider, occasion: Occasion) -> Errand {
        errand(provider, &subject("/w"), &claude(), occasion)
    }

    #[test]
    fn each_argument_is_substituted_by_itself_and_shell_signs_stay() {
        let spec =
            json!({ "provision": { "command": "/{cwd}", "args": ["{cwd}", "-x={personality}", "$(id); {runtime}"] } });
        let subject = subject("/a b\n'{occasion}' $&");
        let Then::Command(command) = errand(&provider(spec), &subject, &claude(), Occasion::Birth).then else {
            panic!()
        };
        assert_eq!(command.argv(), ["/{cwd}", "/a b\n'{occasion}' $&", "-x=bob", "$(id); claude"]);
        assert_eq!(command.cwd, subject.cwd);
    }

    #[test]
    fn each_occasion_calls_its_own_direction() {
        let both = provider(commands());
        for (occasion, first) in [
            (Occasion::Birth, "on:birth"),
            (Occasion::SweepOn, "on:sweep-on"),
            (Occasion::OffPeer, "off:off-peer"),
            (Occasion::OffAll, "off:off-all"),
            (Occasion::Remove, "off:remove"),
        ] {
            let Then::Command(command) = done(&both, occasion).then else { panic!("{occasion:?}") };
            assert_eq!(command.args, [first, "--cwd=/w", "claude", "bob"]);
        }
    }

    #[test]
    fn commands_come_before_a_plugin_and_nothing_falls_back_to_it() {
        let mut blocks = commands();
        blocks.as_object_mut().unwrap().extend(plugin_block().as_object().unwrap().clone());
        assert!(matches!(done(&provider(blocks.clone()), Occasion::Birth).then, Then::Command(_)));
        blocks.as_object_mut().unwrap().remove("unprovision");
        let Then::Nothing(State::MissingDirection, why) = done(&provider(blocks), Occasion::Remove).then else {
            panic!()
        };
        assert_eq!(why, "provider \"mem\" declares no unprovision command (a v1.2 declaration needs both directions)");
    }

    #[test]
    fn a_plugin_alone_is_installed_by_the_runtimes_own_commands() {
        let errand = done(&provider(plugin_block()), Occasion::Birth);
        let Then::Plugin { host_global: None, commands } = errand.then else { panic!() };
        let argv: Vec<_> = commands.iter().map(|command| command.argv().join(" ")).collect();
        assert_eq!(argv, ["claude add o/r", "claude install pl@mk"]);
        let mut codex = claude();
        codex.recipe.plugin.as_mut().unwrap().host_global = true;
        let errand = super::errand(&provider(plugin_block()), &subject("/w"), &codex, Occasion::OffAll);
        let Then::Plugin { host_global, commands } = errand.then else { panic!() };
        assert_eq!((host_global.as_deref(), commands.len()), (Some("pl@mk"), 1));
    }

    #[test]
    fn settings_come_first_and_only_on_the_way_in() {
        let files = |errand: Errand| errand.edits.into_iter().map(|edit| edit.file).collect::<Vec<_>>();
        let both = provider(commands());
        assert_eq!(files(done(&both, Occasion::Birth)), ["~/before.toml", "/w/occupied.json"]);
        assert_eq!(done(&both, Occasion::SweepOn).edits[0].key, ["a", "/w"]);
        assert_eq!(files(done(&both, Occasion::Remove)), Vec::<String>::new());
        let bare = provider(json!({}));
        assert_eq!(files(done(&bare, Occasion::Birth)), ["/w/occupied.json"], "nothing is provisioned");
    }
}
