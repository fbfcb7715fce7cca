//! What a program is started with.

use super::{
    ARG_BYTES_MAX, ARGS_MAX, ARGV_BYTES_MAX, Argument, PAIR_BYTES_MAX, PAIRS_MAX, Unfit, text_of, text_schema,
    without_nul,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Arguments of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Argv(pub Vec<String>);

impl Argument for Argv {
    const SHAPE: &'static str = "[text, …]";

    fn read(given: Value) -> Result<Self, Unfit> {
        let Value::Array(list) = given else { return Err(Unfit::is_not("is not a list of texts")) };
        if list.len() > ARGS_MAX {
            return Err(Unfit::Long(ARGS_MAX));
        }
        let mut left = ARGV_BYTES_MAX;
        let arg = |given: Value| {
            let arg = without_nul(text_of(given, ARG_BYTES_MAX)?)?;
            left = left.checked_sub(arg.len()).ok_or(Unfit::Long(ARGV_BYTES_MAX))?;
            Ok(arg)
        };
        list.into_iter().map(arg).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "array", "maxItems": ARGS_MAX, "items": text_schema(ARG_BYTES_MAX) })
    }

    /// No arguments.
    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    const OPTIONAL: bool = true;
}

/// Variables for a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, String>);

impl Argument for Variables {
    const SHAPE: &'static str = "{NAME: text, …}";

    fn read(given: Value) -> Result<Self, Unfit> {
        let Value::Object(map) = given else { return Err(Unfit::is_not("is not an object of texts")) };
        if map.len() > PAIRS_MAX {
            return Err(Unfit::Long(PAIRS_MAX));
        }
        let pair = |(name, value): (String, Value)| {
            if !is_variable(&name) {
                return Err(Unfit::is_not("holds a name that is no variable's"));
            }
            Ok((name, without_nul(text_of(value, PAIR_BYTES_MAX)?)?))
        };
        map.into_iter().map(pair).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "object", "maxProperties": PAIRS_MAX, "additionalProperties": text_schema(PAIR_BYTES_MAX) })
    }

    /// No variables.
    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    const OPTIONAL: bool = true;
}

/// Letters, digits and `_`, no digit first.
pub fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The name of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable(pub String);

impl Argument for Variable {
    const SHAPE: &'static str = "variable";

    fn read(given: Value) -> Result<Self, Unfit> {
        let text = text_of(given, 256)?;
        if is_variable(&text) { Ok(Self(text)) } else { Err(Unfit::is_not("is not the name of a variable")) }
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 256, "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" })
    }
}
