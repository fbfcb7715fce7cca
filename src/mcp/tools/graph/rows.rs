//! What the nine tools are called and take, as the reference server has them.

use crate::mcp::{
    arguments::{Arg, Shape},
    tool::{Hints, Row},
};
use coalmine_actors::memory::item::CONTENT_BYTES_MAX;

/// Most entries of one call.
const COUNT_MAX: usize = 1_000;

/// A tool of the reference memory server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mcp) enum GraphTool {
    CreateEntities,
    CreateRelations,
    AddObservations,
    DeleteEntities,
    DeleteObservations,
    DeleteRelations,
    ReadGraph,
    SearchNodes,
    OpenNodes,
}

const TEXT: Shape = Shape::Text { chars_max: CONTENT_BYTES_MAX };
const TEXTS: Shape = Shape::Texts { count_max: COUNT_MAX, chars_max: CONTENT_BYTES_MAX };

const fn objects(fields: &'static [Arg]) -> Shape {
    Shape::Objects { count_max: COUNT_MAX, fields }
}

const ENTITY: &[Arg] = &[
    Arg::must("name", TEXT, "The name of the entity"),
    Arg::must("entityType", TEXT, "The type of the entity"),
    Arg::must("observations", TEXTS, "An array of observation contents associated with the entity"),
];

const RELATION: &[Arg] = &[
    Arg::must("from", TEXT, "The name of the entity where the relation starts"),
    Arg::must("to", TEXT, "The name of the entity where the relation ends"),
    Arg::must("relationType", TEXT, "The type of the relation"),
];

const ADDING: &[Arg] = &[
    Arg::must("entityName", TEXT, "The name of the entity to add the observations to"),
    Arg::must("contents", TEXTS, "An array of observation contents to add"),
];

const DELETING: &[Arg] = &[
    Arg::must("entityName", TEXT, "The name of the entity containing the observations"),
    Arg::must("observations", TEXTS, "An array of observations to delete"),
];

static CREATE_ENTITIES: Row = Row {
    name: "create_entities",
    title: "Create Entities",
    about: "Create multiple new entities in the knowledge graph",
    hints: Hints::ADDS,
    args: &[Arg::must("entities", objects(ENTITY), "The entities; a name that is there already is left as it is")],
};

static CREATE_RELATIONS: Row = Row {
    name: "create_relations",
    title: "Create Relations",
    about: "Create multiple new relations between entities in the knowledge graph. Relations should be in active voice",
    hints: Hints::ADDS,
    args: &[Arg::must("relations", objects(RELATION), "The relations; one that is there already is left as it is")],
};

static ADD_OBSERVATIONS: Row = Row {
    name: "add_observations",
    title: "Add Observations",
    about: "Add new observations to existing entities in the knowledge graph",
    hints: Hints::ADDS,
    args: &[Arg::must("observations", objects(ADDING), "What to add, and to which entities")],
};

static DELETE_ENTITIES: Row = Row {
    name: "delete_entities",
    title: "Delete Entities",
    about: "Delete multiple entities and their associated relations from the knowledge graph",
    hints: Hints::REMOVES,
    args: &[Arg::must("entityNames", TEXTS, "An array of entity names to delete")],
};

static DELETE_OBSERVATIONS: Row = Row {
    name: "delete_observations",
    title: "Delete Observations",
    about: "Delete specific observations from entities in the knowledge graph",
    hints: Hints::REMOVES,
    args: &[Arg::must("deletions", objects(DELETING), "What to delete, and of which entities")],
};

static DELETE_RELATIONS: Row = Row {
    name: "delete_relations",
    title: "Delete Relations",
    about: "Delete multiple relations from the knowledge graph",
    hints: Hints::REMOVES,
    args: &[Arg::must("relations", objects(RELATION), "An array of relations to delete")],
};

static READ_GRAPH: Row = Row {
    name: "read_graph",
    title: "Read Graph",
    about: "Read the entire knowledge graph",
    hints: Hints::READS,
    args: &[],
};

static SEARCH_NODES: Row = Row {
    name: "search_nodes",
    title: "Search Nodes",
    about: "Search for nodes in the knowledge graph based on a query",
    hints: Hints::READS,
    args: &[Arg::must("query", TEXT, "The search query to match against entity names, types, and observation content")],
};

static OPEN_NODES: Row = Row {
    name: "open_nodes",
    title: "Open Nodes",
    about: "Open specific nodes in the knowledge graph by their names",
    hints: Hints::READS,
    args: &[Arg::must("names", TEXTS, "An array of entity names to retrieve")],
};

impl GraphTool {
    /// All of them.
    pub(in crate::mcp) const ALL: &'static [Self] = &[
        Self::CreateEntities,
        Self::CreateRelations,
        Self::AddObservations,
        Self::DeleteEntities,
        Self::DeleteObservations,
        Self::DeleteRelations,
        Self::ReadGraph,
        Self::SearchNodes,
        Self::OpenNodes,
    ];

    /// What clients are told of it.
    pub(in crate::mcp) fn row(self) -> &'static Row {
        match self {
            Self::CreateEntities => &CREATE_ENTITIES,
            Self::CreateRelations => &CREATE_RELATIONS,
            Self::AddObservations => &ADD_OBSERVATIONS,
            Self::DeleteEntities => &DELETE_ENTITIES,
            Self::DeleteObservations => &DELETE_OBSERVATIONS,
            Self::DeleteRelations => &DELETE_RELATIONS,
            Self::ReadGraph => &READ_GRAPH,
            Self::SearchNodes => &SEARCH_NODES,
            Self::OpenNodes => &OPEN_NODES,
        }
    }
}
