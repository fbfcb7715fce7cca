//! The peers that a file declares: first the plan, all of it, then what it says. Nothing is ever removed.

use crate::{
    api::client::{Client, ClientError},
    cli::{
        context::{Context, Read},
        create,
        failure::{Failure, Outcome},
        many::{Summary, gather},
        output, provisioned,
    },
    config::{self, Overrides, project},
    fleet::plan::{Change, Plan, Step},
};
use coalmine_actors::{
    error::Kind,
    fleet::request::CreatePeer,
    provisioner::outcome::RuntimeReport,
    view::{PeerView, PhaseName},
};
use serde::Serialize;
use std::{path::Path, time::Duration};

/// What the file may say.
pub(super) const HELP: &str = "\
The file, of which every key may be left out:
  [peer.web]                    # the name
  runtime = \"claude\"            # as in `create --runtime`
  cwd = \"web\"                   # from the file's folder, which is also the default
  command = [\"npm\", \"start\"]
  env = { PORT = \"3000\" }
  restart = \"always\"          # or \"on-failure\", \"never\"
  restart_knobs = { deaths_max = 3, window = \"60s\", delay_first = \"1s\", delay_max = \"10s\", healthy_after = \"5m\" }
  idle_after = \"2h\"             # \"0s\" is never
  wake_policy = \"ephemeral\"     # a life takes one message; or \"persistent\"
  limits = { memory_max = \"2G\", tasks_max = 100 }
  policy = \"strict\"
  description = \"the shop\"
  start = false                 # made, and not started

Peers that are there are changed to what the file says, from their next life on; what it leaves out stays. Peers that \
it does not declare are named and left alone. Doing it again changes nothing.";

/// What was done with one peer.
#[derive(Debug, Serialize)]
struct Done {
    name: String,
    change: Change,
    parts: Vec<String>,
    started: bool,
    peer: PeerView,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provision: Vec<RuntimeReport>,
}

#[derive(Debug, Serialize)]
struct Carried<'a> {
    #[serde(flatten)]
    summary: &'a Summary<Done>,
    not_declared: &'a [String],
}

pub(super) async fn run(context: &Context, file: &Path, dry_run: bool, patience: Duration) -> Outcome {
    let declared = project::load(file)?;
    if dry_run {
        let read = dry(context, &declared).await?;
        refuse(file, &read.data)?;
        return context.answer_read(&read, planned);
    }
    let client = context.client_or_start(false).await?;
    let plan = client.plan(&declared).await?;
    // Before anything is made: one slip in the file leaves the whole fleet as it is.
    refuse(file, &plan)?;
    let wanted: Vec<_> = declared.iter().filter(|peer| peer.start).map(|peer| peer.name.clone()).collect();
    let summary = carry_out(&client, declared, &plan, patience).await?;
    if context.json {
        output::document(&Carried { summary: &summary, not_declared: &plan.not_declared }, None)?;
    } else {
        summary.done.iter().for_each(|done| provisioned::warn_of_birth(&done.peer.personality, &done.provision));
        output::print(&carried(&summary.done, &plan.not_declared))?;
    }
    let is_down = |done: &&Done| matches!(done.peer.phase, PhaseName::Quarantined | PhaseName::Blocked);
    let down = summary.done.iter().filter(is_down).any(|done| wanted.contains(&done.name));
    summary.conclude(context)?;
    // No start was tried, because none would help; what was asked for does not run all the same.
    if down { Err(Failure::degraded()) } else { Ok(()) }
}

async fn dry(context: &Context, declared: &[CreatePeer]) -> Outcome<Read<Plan>> {
    let look = |files: &crate::offline::Files| {
        let config = config::load(&context.place.config, &|name| std::env::var(name).ok(), &Overrides::default())?;
        Ok(files.plan(declared.to_vec(), &config)?)
    };
    context.read(async |client| client.plan(declared).await, look).await
}

/// All that is wrong with the declarations, at once.
fn refuse(file: &Path, plan: &Plan) -> Outcome {
    let refused: Vec<_> = plan.steps.iter().filter_map(|step| Some((&step.name, step.refused.as_ref()?))).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = refused.iter().map(|(name, error)| format!("peer.{name}: {}", error.message)).collect();
    let mut hints: Vec<_> = refused.iter().map(|(_, error)| error.hint.as_str()).collect();
    hints.dedup();
    let message = format!("{}: {}", file.display(), told.join("\n  "));
    Err(Failure::new(Kind::Config, "bad-config", message, hints.join("\n")))
}

async fn carry_out(
    client: &Client,
    declared: Vec<CreatePeer>,
    plan: &Plan,
    patience: Duration,
) -> Outcome<Summary<Done>> {
    let names = declared.iter().map(|peer| peer.name.clone()).collect();
    gather(client, names, |client, name| {
        let wish = declared.iter().find(|peer| peer.name == name).cloned();
        let step = plan.steps.iter().find(|step| step.name == name).cloned();
        let (Some(wish), Some(step)) = (wish, step) else { unreachable!("the plan has a step for each name") };
        follow(client, wish, step, patience)
    })
    .await
}

async fn follow(client: Client, wish: CreatePeer, step: Step, patience: Duration) -> Result<Done, ClientError> {
    let identity = step.identity.map_or_else(|| step.name.clone(), |identity| identity.to_string());
    let mut provision = Vec::new();
    let peer = match (step.change, step.start) {
        (Change::Keep, false) => client.show(&identity).await?.swap_remove(0),
        (Change::Keep, true) => client.start(&identity, patience).await?,
        (_, start) => {
            let created = client.create(&CreatePeer { start, ..wish }, patience).await?;
            provision = created.provision;
            created.peer
        }
    };
    Ok(Done { name: step.name, change: step.change, parts: step.parts, started: step.start, peer, provision })
}

fn planned(plan: &Plan) -> String {
    let steps = plan.steps.iter().map(|step| {
        let what = match step.change {
            Change::Create => "create".to_owned(),
            Change::Change => format!("change ({})", step.parts.join(", ")),
            Change::Keep => "unchanged".into(),
            Change::Refuse => "refused".into(),
        };
        let who = step.identity.as_ref().map_or_else(|| step.name.clone(), ToString::to_string);
        [what, if step.start { format!("{who}, and start it") } else { who }]
    });
    table(steps, &plan.not_declared)
}

fn carried(done: &[Done], not_declared: &[String]) -> String {
    let rows = done.iter().map(|done| {
        let what = match done.change {
            Change::Create => "created".to_owned(),
            Change::Change => format!("changed ({})", done.parts.join(", ")),
            Change::Keep | Change::Refuse => "unchanged".into(),
        };
        let started = if done.started { " and started" } else { "" };
        [format!("{what}{started}"), create::told(&done.peer)]
    });
    table(rows, not_declared)
}

fn table(rows: impl Iterator<Item = [String; 2]>, not_declared: &[String]) -> String {
    let mut table = output::table(&[]);
    rows.for_each(|row| {
        table.add_row(row);
    });
    if !not_declared.is_empty() {
        table.add_row(["not declared".to_owned(), format!("{}; left alone", not_declared.join(", "))]);
    }
    match output::rendered(&mut table) {
        nothing if nothing.is_empty() => "the file declares no peer".into(),
        text => text,
    }
}
