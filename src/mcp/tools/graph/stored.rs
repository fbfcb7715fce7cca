//! The graph as items of the memory: read as a whole, added to and taken from piece by piece.

use super::{Added, Adding, Deleting, Entity, Relation};
use crate::mcp::{answer::Refusal, toolbox::FleetTools};
use coalmine_actors::memory::{
    Memory,
    item::{Item, NewItem},
    query::{PAGE_ITEMS_MAX, Query},
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use tokio::task::JoinSet;

/// The tag of every piece.
const TAG: &str = "graph";
/// Most pieces of a graph that is read at once.
const PIECES_MAX: usize = 100_000;
/// Pieces that are forgotten at once: they share a write.
const FORGET_AT_ONCE_MAX: usize = 256;

/// The content of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Piece {
    #[serde(rename_all = "camelCase")]
    Entity {
        name: String,
        entity_type: String,
    },
    #[serde(rename_all = "camelCase")]
    Observation {
        entity_name: String,
        observation: String,
    },
    Relation(Relation),
}

impl Piece {
    /// An entity with all that is known of it; itself first.
    pub(super) fn of_entity(entity: &Entity) -> Vec<Self> {
        let Entity { name, entity_type, observations } = entity.clone();
        let own = Self::Entity { name: name.clone(), entity_type };
        let known =
            observations.into_iter().map(|observation| Self::Observation { entity_name: name.clone(), observation });
        std::iter::once(own).chain(known).collect()
    }

    /// What was added to an entity.
    pub(super) fn of_added(added: &Added) -> Vec<Self> {
        let piece = |observation: &String| Self::Observation {
            entity_name: added.entity_name.clone(),
            observation: observation.clone(),
        };
        added.added_observations.iter().map(piece).collect()
    }
}

/// The graph as it is now, in the order in which it was made.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pieces: Vec<(u64, Piece)>,
    entities: Vec<Entity>,
    relations: Vec<Relation>,
}

impl Graph {
    /// Everything with our tag that is a piece of a graph; what is not is somebody's own note.
    pub(super) async fn read(memory: &Memory) -> Result<Self, Refusal> {
        let mut query = Query { tags: vec![TAG.into()], limit: Some(PAGE_ITEMS_MAX), ..Query::default() };
        let mut pieces = Vec::new();
        loop {
            let page = memory.list(query.clone()).await?;
            pieces.extend(page.items.into_iter().filter_map(piece));
            if pieces.len() > PIECES_MAX {
                let hint = "memory_list with the tag `graph` reads it in pages; forget what nobody needs";
                return Err(Refusal::new("too-large", format!("the graph has more than {PIECES_MAX} pieces"), hint));
            }
            match page.cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => break,
            }
        }
        pieces.sort_by_key(|(id, _)| *id);
        Ok(Self::of(pieces))
    }

    fn of(pieces: Vec<(u64, Piece)>) -> Self {
        let mut graph = Self::default();
        let mut at: HashMap<&str, usize> = HashMap::new();
        for (_, piece) in &pieces {
            if let Piece::Entity { name, entity_type } = piece {
                at.entry(name).or_insert_with(|| {
                    graph.entities.push(Entity {
                        name: name.clone(),
                        entity_type: entity_type.clone(),
                        observations: Vec::new(),
                    });
                    graph.entities.len() - 1
                });
            }
        }
        let (mut seen, mut related) = (HashSet::new(), HashSet::new());
        for (_, piece) in &pieces {
            match piece {
                Piece::Observation { entity_name, observation } if seen.insert((entity_name, observation)) => {
                    if let Some(at) = at.get(entity_name.as_str()) {
                        graph.entities[*at].observations.push(observation.clone());
                    }
                }
                Piece::Relation(relation) if related.insert(relation) => graph.relations.push(relation.clone()),
                _ => {}
            }
        }
        graph.pieces = pieces;
        graph
    }

    pub(super) fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter()
    }

    pub(super) fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter()
    }

    /// Those whose names are not there yet; of two in one call the first.
    pub(super) fn new_entities(&self, wanted: Vec<Entity>) -> Vec<Entity> {
        let mut known: HashSet<String> = self.entities.iter().map(|entity| entity.name.clone()).collect();
        let mut new: Vec<_> = wanted.into_iter().filter(|entity| known.insert(entity.name.clone())).collect();
        new.iter_mut().for_each(|entity| once(&mut entity.observations, &[]));
        new
    }

    /// Those that are not there yet.
    pub(super) fn new_relations(&self, mut wanted: Vec<Relation>) -> Vec<Relation> {
        let mut known: HashSet<_> = self.relations.iter().cloned().collect();
        wanted.retain(|relation| known.insert(relation.clone()));
        wanted
    }

    /// What is not known yet of entities that are all there; else nothing is new.
    pub(super) fn new_observations(&self, wanted: Vec<Adding>) -> Result<Vec<Added>, Refusal> {
        let mut known: HashMap<_, _> =
            self.entities.iter().map(|one| (one.name.clone(), one.observations.clone())).collect();
        let added = wanted.into_iter().map(|Adding { entity_name, mut contents }| {
            let Some(before) = known.get_mut(&entity_name) else {
                let hint = "create_entities makes it; read_graph shows those that there are. Nothing was added";
                return Err(Refusal::new("no-entity", format!("Entity with name {entity_name} not found"), hint));
            };
            once(&mut contents, before);
            before.extend(contents.iter().cloned());
            Ok(Added { entity_name, added_observations: contents })
        });
        added.collect()
    }

    fn ids(&self, goes: impl Fn(&Piece) -> bool) -> Vec<u64> {
        self.pieces.iter().filter(|(_, piece)| goes(piece)).map(|(id, _)| *id).collect()
    }

    /// Entities with all that is known of them and all their relations.
    pub(super) fn ids_of_entities(&self, names: &[String]) -> Vec<u64> {
        let names: HashSet<_> = names.iter().collect();
        self.ids(|piece| match piece {
            Piece::Entity { name, .. } => names.contains(name),
            Piece::Observation { entity_name, .. } => names.contains(entity_name),
            Piece::Relation(relation) => names.contains(&relation.from) || names.contains(&relation.to),
        })
    }

    pub(super) fn ids_of_observations(&self, deletions: &[Deleting]) -> Vec<u64> {
        self.ids(|piece| {
            let Piece::Observation { entity_name, observation } = piece else { return false };
            deletions.iter().any(|one| one.entity_name == *entity_name && one.observations.contains(observation))
        })
    }

    pub(super) fn ids_of_relations(&self, relations: &[Relation]) -> Vec<u64> {
        self.ids(|piece| matches!(piece, Piece::Relation(relation) if relations.contains(relation)))
    }
}

fn piece(item: Item) -> Option<(u64, Piece)> {
    Some((item.id, serde_json::from_str(&item.content).ok()?))
}

/// Each once, and none of those that were there before.
fn once(texts: &mut Vec<String>, before: &[String]) {
    let mut known: HashSet<String> = before.iter().cloned().collect();
    texts.retain(|text| known.insert(text.clone()));
}

/// Remembers pieces, in their order.
pub(super) async fn add(tools: &FleetTools, pieces: Vec<Piece>) -> Result<(), Refusal> {
    let source = &tools.caller.sender.name;
    let items = pieces.iter().map(|piece| {
        let content = serde_json::to_string(piece).map_err(|error| Refusal::new("internal", error.to_string(), ""))?;
        let item = NewItem { tags: vec![TAG.into()], source: Some(source.clone()), ..NewItem::new("fact", content) };
        // All of them are looked at before the first one is written.
        item.clone().check()?;
        Ok(item)
    });
    let items: Vec<_> = items.collect::<Result<_, Refusal>>()?;
    for added in tools.fleet.memory().add_all(items).await {
        added?;
    }
    Ok(())
}

/// Forgets pieces. One that somebody else has forgotten meanwhile is what was wanted.
pub(super) async fn forget(tools: &FleetTools, ids: Vec<u64>) -> Result<(), Refusal> {
    for some in ids.chunks(FORGET_AT_ONCE_MAX) {
        let mut under_way = JoinSet::new();
        for id in some.iter().copied() {
            let memory = tools.fleet.memory().clone();
            under_way.spawn(async move { memory.forget(id).await });
        }
        for outcome in under_way.join_all().await {
            match outcome {
                Ok(_) => {}
                Err(error) if error.code() == "forgotten" => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn relation(from: &str, to: &str) -> Relation {
        Relation { from: from.into(), to: to.into(), relation_type: "knows".into() }
    }

    fn graph() -> Graph {
        let ann = Entity { name: "Ann".into(), entity_type: "person".into(), observations: vec!["tea".into()] };
        let bob = Entity { name: "Bob".into(), entity_type: "person".into(), observations: vec![] };
        let pieces = [&ann, &bob, &ann].into_iter().flat_map(Piece::of_entity);
        let pieces = pieces.chain([Piece::Relation(relation("Ann", "Bob")), Piece::Relation(relation("Ann", "Bob"))]);
        Graph::of((1..).zip(pieces).collect())
    }

    #[test]
    fn each_piece_is_read_as_it_is_written() {
        for (piece, wanted) in [
            (Piece::Entity { name: "A".into(), entity_type: "t".into() }, json!({ "name": "A", "entityType": "t" })),
            (
                Piece::Observation { entity_name: "A".into(), observation: "o".into() },
                json!({ "entityName": "A", "observation": "o" }),
            ),
            (Piece::Relation(relation("A", "B")), json!({ "from": "A", "to": "B", "relationType": "knows" })),
        ] {
            assert_eq!(serde_json::to_value(&piece).unwrap(), wanted);
            assert_eq!(serde_json::from_value::<Piece>(wanted).unwrap(), piece);
        }
    }

    #[test]
    fn what_was_written_twice_is_there_once() {
        let graph = graph();
        assert_eq!(
            graph.entities().map(|one| (one.name.as_str(), one.observations.len())).collect::<Vec<_>>(),
            [("Ann", 1), ("Bob", 0)]
        );
        assert_eq!(graph.relations().count(), 1);
        assert_eq!(graph.ids_of_relations(&[relation("Ann", "Bob")]).len(), 2, "and goes with all its doubles");
        assert_eq!(graph.ids_of_entities(&["Ann".into()]).len(), 6);
    }

    #[test]
    fn only_what_is_new_is_added_and_nothing_where_an_entity_is_missing() {
        let graph = graph();
        let adding = |name: &str, contents: &[&str]| Adding {
            entity_name: name.into(),
            contents: contents.iter().map(|text| (*text).into()).collect(),
        };
        let added =
            graph.new_observations(vec![adding("Ann", &["tea", "milk", "milk"]), adding("Ann", &["milk"])]).unwrap();
        assert_eq!(added[0].added_observations, ["milk"]);
        assert!(added[1].added_observations.is_empty());
        let refusal = graph.new_observations(vec![adding("Bob", &["x"]), adding("Eve", &["x"])]).unwrap_err();
        assert_eq!(refusal.message(), "Entity with name Eve not found");
        assert_eq!(
            graph.new_relations(vec![relation("Ann", "Bob"), relation("Bob", "Ann"), relation("Bob", "Ann")]),
            [relation("Bob", "Ann")]
        );
    }
}
