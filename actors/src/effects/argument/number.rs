//! Whole numbers.

use super::{Argument, Unfit};
use serde_json::{Value, json};

impl Argument for i64 {
    const SHAPE: &'static str = "int";

    fn read(given: Value) -> Result<Self, Unfit> {
        given.as_i64().ok_or(Unfit::is_not("is not a whole number of 64 bits"))
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX })
    }
}

/// A number from 0 to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upto<const MAX: u64>(pub u64);

impl<const MAX: u64> Argument for Upto<MAX> {
    const SHAPE: &'static str = "int";

    fn read(given: Value) -> Result<Self, Unfit> {
        match given.as_u64() {
            Some(number) if number > MAX => Err(Unfit::Long(usize::try_from(MAX).unwrap_or(usize::MAX))),
            Some(number) => Ok(Self(number)),
            None => Err(Unfit::is_not("is not a whole number of 0 and more")),
        }
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": MAX })
    }
}
