//! A knowledge graph in the fleet's memory: the nine tools of the reference memory server.
//!
//! Every entity, every observation and every relation is an item of its own with the tag `graph`, so that nobody who adds
//! writes over another's words. Their content is one JSON object; its keys say which of the three it is:
//!
//! ```text
//! {"name":"Ann","entityType":"person"}   {"entityName":"Ann","observation":"…"}   {"from":"Ann","to":"Bob","relationType":"…"}
//! ```
//!
//! Changes take turns, in the daemon, for each looks first what is there already. A change that is cut short by a crash may
//! be there in part; nobody was told that it is done, and the same call again does the rest.

mod rows;
mod stored;

use self::stored::{Graph, Piece};
use crate::mcp::{
    answer::{self, Given, Refusal},
    arguments::Arguments,
    toolbox::FleetTools,
};
use rmcp::model::CallToolResult;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;

pub(in crate::mcp) use rows::GraphTool;

/// A thing, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    name: String,
    entity_type: String,
    observations: Vec<String>,
}

/// How one thing stands to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relation {
    from: String,
    to: String,
    relation_type: String,
}

/// What is to be known of an entity from now on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Adding {
    entity_name: String,
    contents: Vec<String>,
}

/// What is known of an entity since.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    entity_name: String,
    added_observations: Vec<String>,
}

/// What is to be known of an entity no more.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deleting {
    entity_name: String,
    observations: Vec<String>,
}

/// Calls one of the nine.
pub(in crate::mcp) async fn call(tools: &FleetTools, tool: GraphTool, mut args: Arguments) -> Given {
    let _turn = if tool.row().hints.reads { None } else { Some(tools.graph.lock().await) };
    let graph = Graph::read(tools.fleet.memory()).await?;
    match tool {
        GraphTool::CreateEntities => {
            let new = graph.new_entities(args.objects("entities")?);
            stored::add(tools, new.iter().flat_map(Piece::of_entity).collect()).await?;
            listed("entities", &new)
        }
        GraphTool::CreateRelations => {
            let new = graph.new_relations(args.objects("relations")?);
            stored::add(tools, new.iter().cloned().map(Piece::Relation).collect()).await?;
            listed("relations", &new)
        }
        GraphTool::AddObservations => {
            let new = graph.new_observations(args.objects("observations")?)?;
            stored::add(tools, new.iter().flat_map(Piece::of_added).collect()).await?;
            listed("results", &new)
        }
        GraphTool::DeleteEntities => {
            stored::forget(tools, graph.ids_of_entities(&args.texts("entityNames"))).await?;
            Ok(done("Entities deleted successfully"))
        }
        GraphTool::DeleteObservations => {
            stored::forget(tools, graph.ids_of_observations(&args.objects::<Deleting>("deletions")?)).await?;
            Ok(done("Observations deleted successfully"))
        }
        GraphTool::DeleteRelations => {
            stored::forget(tools, graph.ids_of_relations(&args.objects("relations")?)).await?;
            Ok(done("Relations deleted successfully"))
        }
        GraphTool::ReadGraph => whole(&graph),
        GraphTool::SearchNodes => {
            let words = args.the("query").to_lowercase();
            let holds = |text: &String| text.to_lowercase().contains(&words);
            drawn(&graph, |entity| {
                holds(&entity.name) || holds(&entity.entity_type) || entity.observations.iter().any(holds)
            })
        }
        GraphTool::OpenNodes => {
            let names = args.texts("names");
            drawn(&graph, |entity| names.contains(&entity.name))
        }
    }
}

/// These entities, and every relation of at least one of them.
fn drawn(graph: &Graph, wanted: impl Fn(&Entity) -> bool) -> Given {
    let entities: Vec<_> = graph.entities().filter(|entity| wanted(entity)).collect();
    let names: HashSet<_> = entities.iter().map(|entity| entity.name.as_str()).collect();
    let touches = |one: &&Relation| names.contains(one.from.as_str()) || names.contains(one.to.as_str());
    let relations: Vec<_> = graph.relations().filter(touches).collect();
    pretty(json!({ "entities": entities, "relations": relations }), None)
}

/// All of it, also relations of what is no entity.
fn whole(graph: &Graph) -> Given {
    let (entities, relations): (Vec<_>, Vec<_>) = (graph.entities().collect(), graph.relations().collect());
    pretty(json!({ "entities": entities, "relations": relations }), None)
}

/// A list: the text is the list alone, as the reference server has it.
fn listed<T: Serialize>(name: &str, list: &[T]) -> Given {
    pretty(json!({ name: list }), Some(name))
}

fn pretty(value: Value, text_of: Option<&str>) -> Given {
    let shown = text_of.map_or(&value, |name| &value[name]);
    let text = serde_json::to_string_pretty(shown);
    let text = text.map_err(|error| Refusal::new("internal", error.to_string(), ""))?;
    Ok(answer::told(value, text))
}

fn done(what: &str) -> CallToolResult {
    answer::told(json!({ "success": true, "message": what }), what.to_owned())
}
