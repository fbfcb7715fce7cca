//! Names of programs, servers, peers, handles, and who answers for a server.

use super::{
    super::{handles::HandleId, kind::is_name},
    Argument, Unfit, text_of, text_schema,
};
use crate::names::{Identity, Personality};
use serde_json::{Value, json};

/// A name that a policy gives to something: a program, a server, a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub String);

impl Argument for Name {
    const SHAPE: &'static str = "name";

    fn read(given: Value) -> Result<Self, Unfit> {
        let text = text_of(given, 128)?;
        if is_name(&text) { Ok(Self(text)) } else { Err(Unfit::is_not("is not a name of a-z, 0-9, `-`, `_` and `.`")) }
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 128, "pattern": "^[a-z0-9_.-]+$" })
    }
}

/// A peer, by name or by identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer(pub String);

impl Argument for Peer {
    const SHAPE: &'static str = "peer";

    fn read(given: Value) -> Result<Self, Unfit> {
        let text = text_of(given, 65)?;
        let known = text.parse::<Personality>().is_ok() || text.parse::<Identity>().is_ok();
        if known { Ok(Self(text)) } else { Err(Unfit::is_not("is not the name of a peer")) }
    }

    fn schema() -> Value {
        text_schema(65)
    }
}

impl Argument for HandleId {
    const SHAPE: &'static str = "handle";

    fn read(given: Value) -> Result<Self, Unfit> {
        let Value::String(text) = given else { return Err(Unfit::is_not("is not a handle")) };
        text.parse().map_err(|_| Unfit::is_not("is not a handle"))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

/// Who answers the requests of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// A function that the embedder registered.
    Function(Name),
    /// A granted program: the request on stdin, the response on stdout, both as JSON.
    Program(Name),
    /// A peer.
    Peer(Peer),
}

impl Argument for Handler {
    const SHAPE: &'static str = "{function|program|peer: name}";

    fn read(given: Value) -> Result<Self, Unfit> {
        let none = || Unfit::is_not("is not one of {\"function\": …}, {\"program\": …}, {\"peer\": …}");
        let Value::Object(map) = given else { return Err(none()) };
        if map.len() != 1 {
            return Err(none());
        }
        match map.into_iter().next() {
            Some((key, name)) if key == "function" => Name::read(name).map(Self::Function),
            Some((key, name)) if key == "program" => Name::read(name).map(Self::Program),
            Some((key, name)) if key == "peer" => Peer::read(name).map(Self::Peer),
            _ => Err(none()),
        }
    }

    fn schema() -> Value {
        json!({ "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
            "properties": { "function": Name::schema(), "program": Name::schema(), "peer": Peer::schema() } })
    }
}
