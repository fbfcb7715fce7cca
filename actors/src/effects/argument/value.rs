//! Parameters of statements, and JSON as it is.

use super::{Argument, CONTENTS_BYTES_MAX, Contents, PARAMETERS_MAX, Unfit, text_of};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Parameters of a statement, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(pub Vec<Parameter>);

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// NULL
    Null,
    /// A whole number; true is 1.
    Int(i64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

impl Argument for Parameters {
    const SHAPE: &'static str = "[value, …]";
    const OPTIONAL: bool = true;

    fn read(given: Value) -> Result<Self, Unfit> {
        let Value::Array(list) = given else { return Err(Unfit::is_not("is not a list of values")) };
        if list.len() > PARAMETERS_MAX {
            return Err(Unfit::Long(PARAMETERS_MAX));
        }
        let value = |value: Value| match value {
            Value::Null => Ok(Parameter::Null),
            Value::Bool(flag) => Ok(Parameter::Int(flag.into())),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Ok(Parameter::Int(int)),
                (None, Some(real)) if !number.is_u64() => Ok(Parameter::Real(real)),
                _ => Err(Unfit::is_not("holds a number that does not fit 64 bits")),
            },
            Value::String(text) => text_of(Value::String(text), CONTENTS_BYTES_MAX).map(Parameter::Text),
            bytes @ Value::Object(_) => Contents::read(bytes).map(|Contents(bytes)| Parameter::Bytes(bytes)),
            Value::Array(_) => Err(Unfit::is_not("holds a list")),
        };
        list.into_iter().map(value).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "array", "maxItems": PARAMETERS_MAX })
    }

    /// No parameters.
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// Any JSON, within what the request may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub Value);

impl Argument for Json {
    const SHAPE: &'static str = "json";

    fn read(given: Value) -> Result<Self, Unfit> {
        Ok(Self(given))
    }

    fn schema() -> Value {
        json!({})
    }
}

/// An object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(pub Map<String, Value>);

impl Argument for Object {
    const SHAPE: &'static str = "object";
    const OPTIONAL: bool = true;

    fn read(given: Value) -> Result<Self, Unfit> {
        match given {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(Unfit::is_not("is not an object")),
        }
    }

    fn schema() -> Value {
        json!({ "type": "object" })
    }

    /// An empty one.
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}
