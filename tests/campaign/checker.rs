//! Holds the files and the process table against what was done. It believes nothing that the fleet says of itself.

use super::{
    census::{Kind, Member},
    ledger::{Killed, Ledger, Wish},
    schedule::PEERS,
};
use coalmine::{
    actors::{
        journal::logfmt,
        names::{Generation, Identity},
        ports::LifeKey,
        view::{PeerView, PhaseName},
    },
    paths::Paths,
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// Fields of a line.
type Fields = Vec<(String, String)>;

/// Everything that can be seen of a fleet at one moment.
pub struct Sight {
    pub views: Vec<PeerView>,
    pub census: Vec<Member>,
    pub files: Files,
}

/// What its files say.
pub struct Files {
    /// Lines of exits.log that tell of a server's death, by life.
    pub told: BTreeMap<(String, u64), Vec<Fields>>,
    /// Records, by life.
    pub records: BTreeMap<(String, u64), usize>,
    /// `state.json` by identity; `None` where it can not be parsed.
    pub states: BTreeMap<String, Option<Value>>,
    /// `fleet.json`, where it can be parsed.
    pub fleet: Option<Value>,
    /// lifecycle.log.
    pub events: Vec<Fields>,
}

pub fn field<'a>(fields: &'a Fields, key: &str) -> &'a str {
    fields.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn lines(path: &Path) -> Vec<Fields> {
    let text = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter_map(|line| logfmt::parse(line).ok()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.file_name().into_string().ok()).collect()
}

fn life_of(fields: &Fields) -> (String, u64) {
    (field(fields, "identity").to_owned(), field(fields, "gen").parse().unwrap_or(0))
}

impl Files {
    pub fn read(paths: &Paths) -> Self {
        let mut told: BTreeMap<_, Vec<Fields>> = BTreeMap::new();
        for line in lines(&paths.journal().join("exits.log")) {
            if field(&line, "ev") == "server-exit" {
                told.entry(life_of(&line)).or_default().push(line);
            }
        }
        let mut records = BTreeMap::new();
        for name in names(&paths.journal().join("server-deaths")) {
            let life = name.strip_suffix(".txt").and_then(|name| name.rsplit_once("-g"));
            if let Some((identity, generation)) = life.filter(|_| !name.starts_with('.')) {
                *records.entry((identity.to_owned(), generation.parse().unwrap())).or_default() += 1;
            }
        }
        let parse = |path: &Path| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
        let states = names(&paths.peers());
        let states = states.into_iter().map(|name| {
            let path = paths.peers().join(&name).join("state.json");
            // A folder with nothing of a life in it belongs to a peer that never lived.
            let state =
                if path.exists() || lived(&paths.peers().join(&name)) { parse(&path) } else { Some(Value::Null) };
            (name, state)
        });
        Self {
            told,
            records,
            states: states.collect(),
            fleet: parse(&paths.registry()),
            events: lines(&paths.journal().join("lifecycle.log")),
        }
    }
}

/// Whether something in a peer's folder belongs to a life of it.
fn lived(folder: &Path) -> bool {
    names(folder).iter().any(|name| ["claim-g", "canary-g", "pane-g"].iter().any(|of_life| name.starts_with(of_life)))
}

/// What is wrong, one sentence each. What is only not done yet is also wrong: whoever checks, waits and looks again.
pub fn complaints(ledger: &Ledger, sight: &Sight) -> Vec<String> {
    let mut wrong = Vec::new();
    deaths(ledger, &sight.files, &mut wrong);
    sessions(ledger, sight, &mut wrong);
    processes(sight, &mut wrong);
    lost_lives(ledger, sight, &mut wrong);
    wrong
}

/// Every unclaimed death has exactly one record, no other end has one, and each tells how where that could be known.
fn deaths(ledger: &Ledger, files: &Files, wrong: &mut Vec<String>) {
    for (life, Killed { owed, seen_by }) in &ledger.killed {
        let lines = files.told.get(life).map_or(&[][..], Vec::as_slice);
        if *owed && lines.is_empty() {
            wrong.push(format!("{life:?}: its server was killed, and exits.log does not tell"));
        }
        let told_exactly = lines.iter().any(|line| field(line, "status") == "signal:9")
            || files.events.iter().any(|event| {
                field(event, "ev") == "death" && life_of(event) == *life && field(event, "status") == "signal:9"
            });
        if *owed && seen_by.is_some() && !lines.is_empty() && !told_exactly {
            wrong.push(format!("{life:?}: killed by signal 9 before everybody's eyes, and told as {lines:?}"));
        }
        if lines.iter().any(|line| !matches!(field(line, "status"), "signal:9" | "unknown")) {
            wrong.push(format!("{life:?}: killed by signal 9, told as {lines:?}"));
        }
    }
    for (life, lines) in &files.told {
        if lines.len() > 1 {
            wrong.push(format!("{life:?}: told {} times: {lines:?}", lines.len()));
        }
        if !ledger.killed.contains_key(life) {
            wrong.push(format!("{life:?}: nobody killed its server, and exits.log tells of its death: {lines:?}"));
        }
        if files.records.get(life) != Some(&1) {
            wrong.push(format!("{life:?}: told in exits.log, without a record"));
        }
    }
    for life in files.records.keys().filter(|life| !files.told.contains_key(life)) {
        wrong.push(format!("{life:?}: recorded, and not told in exits.log"));
    }
}

fn servers_of<'a>(census: &'a [Member], identity: &Identity) -> Vec<&'a Member> {
    census.iter().filter(|member| matches!(&member.kind, Kind::Server(life) if life.identity == *identity)).collect()
}

fn canaries_of<'a>(census: &'a [Member], identity: &Identity) -> Vec<&'a Member> {
    census.iter().filter(|member| matches!(&member.kind, Kind::Canary(life) if life.identity == *identity)).collect()
}

/// What should run runs once, and is what state.json says; what should not does not.
fn sessions(ledger: &Ledger, sight: &Sight, wrong: &mut Vec<String>) {
    for (name, state) in &sight.files.states {
        if state.is_none() {
            wrong.push(format!("{name}: its state.json can not be parsed"));
        }
    }
    let entries = sight.files.fleet.as_ref().and_then(|fleet| fleet["peers"].as_array());
    let Some(entries) = entries else { return wrong.push("fleet.json can not be parsed".into()) };
    for entry in entries.iter().filter(|entry| !entry["phase"].is_null()) {
        wrong.push(format!("{}: still {} in fleet.json", entry["personality"], entry["phase"]));
    }
    for (peer, name) in PEERS.iter().enumerate() {
        let identity: Identity = format!("shell-{name}").parse().unwrap();
        let registered = entries.iter().any(|entry| entry["personality"] == *name);
        let view = sight.views.iter().find(|view| view.identity == identity);
        if registered != view.is_some() {
            wrong.push(format!("{name}: in fleet.json {registered}, in the fleet {}", view.is_some()));
        }
        let is = match view.map(|view| view.phase) {
            None => Wish::Gone,
            Some(PhaseName::Up) => Wish::Up,
            Some(PhaseName::Stopped | PhaseName::Asleep) => Wish::Down,
            Some(_) => {
                wrong.push(format!("{name}: never comes to rest: {view:#?}"));
                continue;
            }
        };
        if let Some(wish) = ledger.wish(peer)
            && wish != is
        {
            wrong.push(format!("{name}: the last request, answered with success, made it {wish:?}, and it is {is:?}"));
        }
        let state = sight.files.states.get(&identity.to_string()).and_then(Option::as_ref);
        match view.filter(|_| is == Wish::Up) {
            Some(view) => up(view, state, sight, wrong),
            None => down(&identity, state, is, sight, wrong),
        }
    }
}

fn up(view: &PeerView, state: Option<&Value>, sight: &Sight, wrong: &mut Vec<String>) {
    let identity = &view.identity;
    let wanted = LifeKey { identity: identity.clone(), generation: view.generation };
    let servers = servers_of(&sight.census, identity);
    let canaries = canaries_of(&sight.census, identity);
    if !matches!(&servers[..], [server] if Some(server.pid) == view.server_pid
        && server.kind == Kind::Server(wanted.clone()))
    {
        wrong.push(format!("{identity}: up, and its servers are {servers:?}: {view:#?}"));
    }
    if !matches!(&canaries[..], [canary] if Some(canary.pid) == view.canary_pid
        && canary.kind == Kind::Canary(wanted.clone()))
    {
        wrong.push(format!("{identity}: up, and its canaries are {canaries:?}: {view:#?}"));
    }
    if view.unreachable || view.unwatched || view.records_owed > 0 {
        wrong.push(format!("{identity}: up, and not well: {view:#?}"));
    }
    if !sight.census.iter().any(|member| member.kind == Kind::Program(wanted.clone())) {
        wrong.push(format!("{identity}: up, and its program does not run"));
    }
    let lives = state.and_then(|state| state["lives"].as_array()).map_or(&[][..], Vec::as_slice);
    let named =
        |life: &Value| life["gen"] == view.generation.0 && life["server"]["pid"] == view.server_pid.unwrap_or(0);
    if lives.len() != 1 || !named(&lives[0]) {
        wrong.push(format!("{identity}: up, and state.json says {lives:?}"));
    }
}

fn down(identity: &Identity, state: Option<&Value>, is: Wish, sight: &Sight, wrong: &mut Vec<String>) {
    let lives = state.and_then(|state| state["lives"].as_array()).map_or(0, Vec::len);
    if lives > 0 {
        wrong.push(format!("{identity}: down, with {lives} lives in state.json"));
    }
    if is == Wish::Gone && sight.files.states.contains_key(&identity.to_string()) {
        wrong.push(format!("{identity}: removed, and its folder is there"));
    }
}

/// Whatever runs belongs to a life that lives.
fn processes(sight: &Sight, wrong: &mut Vec<String>) {
    for member in &sight.census {
        let (Kind::Server(life) | Kind::Canary(life) | Kind::Program(life) | Kind::Tool(life)) = &member.kind else {
            wrong.push(format!("a client hangs: {member:?}"));
            continue;
        };
        let lives = sight.views.iter().any(|view| {
            view.identity == life.identity && view.generation == life.generation && view.server_pid.is_some()
        });
        if !lives {
            wrong.push(format!("left behind: {member:?}"));
        }
    }
}

/// No life ends without a reason.
fn lost_lives(ledger: &Ledger, sight: &Sight, wrong: &mut Vec<String>) {
    for view in &sight.views {
        let last = if view.server_pid.is_some() { view.generation.0 } else { view.generation.0 + 1 };
        for generation in 1..last {
            let life = LifeKey { identity: view.identity.clone(), generation: Generation(generation) };
            // Whether it ever had a server: that it never had is told too, but a daemon that dies takes its last lines
            // with it.
            let lived = sight.files.events.iter().any(|event| {
                matches!(field(event, "ev"), "canary" | "adopted" | "up")
                    && life_of(event) == (life.identity.to_string(), generation)
            });
            if lived && !ledger.may_have_ended(&life) {
                wrong.push(format!("{life}: ended, and nobody had a hand in it"));
            }
        }
    }
}
