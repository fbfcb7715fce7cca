//! What a request over the network is made of.

use super::{
    super::origin::{Target, URL_BYTES_MAX},
    Argument, PAIR_BYTES_MAX, PAIRS_MAX, Unfit, text_of, text_schema,
};
use serde_json::{Value, json};

/// A port; 0 is one that the system chooses, which no listed scope names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

impl Argument for Port {
    const SHAPE: &'static str = "port";

    fn read(given: Value) -> Result<Self, Unfit> {
        let port = given.as_u64().and_then(|port| u16::try_from(port).ok());
        port.map(Self).ok_or(Unfit::is_not("is not a port of 0 to 65535"))
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX })
    }
}

/// An `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlArg(pub Target);

impl Argument for UrlArg {
    const SHAPE: &'static str = "url";

    fn read(given: Value) -> Result<Self, Unfit> {
        text_of(given, URL_BYTES_MAX)?.parse().map(Self).map_err(Unfit::is_not)
    }

    fn schema() -> Value {
        text_schema(URL_BYTES_MAX)
    }
}

/// Pairs of names and values, in their order, names twice where they are given twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Argument for Headers {
    const SHAPE: &'static str = "[[name, value], …]";

    fn read(given: Value) -> Result<Self, Unfit> {
        let not_pairs = || Unfit::is_not("is not a list of [name, value]");
        let Value::Array(list) = given else { return Err(not_pairs()) };
        if list.len() > PAIRS_MAX {
            return Err(Unfit::Long(PAIRS_MAX));
        }
        let pair = |pair: Value| {
            let Value::Array(pair) = pair else { return Err(not_pairs()) };
            let [name, value]: [Value; 2] = pair.try_into().map_err(|_| not_pairs())?;
            let (name, value) = (text_of(name, PAIR_BYTES_MAX)?, text_of(value, PAIR_BYTES_MAX)?);
            // What is no token would end a header, and begin another one.
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) || value.bytes().any(|byte| byte < b' ' && byte != b'\t') {
                return Err(Unfit::is_not("holds a header that is none"));
            }
            Ok((name, value))
        };
        list.into_iter().map(pair).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "array", "maxItems": PAIRS_MAX, "items": {
            "type": "array", "items": text_schema(PAIR_BYTES_MAX), "minItems": 2, "maxItems": 2,
        } })
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method(pub String);

impl Argument for Method {
    const SHAPE: &'static str = "method";

    fn read(given: Value) -> Result<Self, Unfit> {
        let text = text_of(given, 32)?;
        let is_method = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if is_method { Ok(Self(text)) } else { Err(Unfit::is_not("is not a method like GET")) }
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 32, "pattern": "^[A-Z-]+$" })
    }
}
