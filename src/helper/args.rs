//! Arguments by hand: a canary has no room for a parser.

use std::{ffi::OsString, str::FromStr};

/// What is wrong with the arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage(pub(crate) String);

/// The value that must follow the option `name`.
pub(crate) fn value_of(name: &str, args: &mut impl Iterator<Item = OsString>) -> Result<OsString, Usage> {
    args.next().ok_or_else(|| Usage(format!("{name} needs a value")))
}

/// `value` of the option `name` as text.
pub(crate) fn text(name: &str, value: OsString) -> Result<String, Usage> {
    value.into_string().map_err(|value| Usage(format!("{name} {value:?} is not UTF-8")))
}

/// `value` of the option `name` as a number.
pub(crate) fn number<T: FromStr>(name: &str, value: OsString) -> Result<T, Usage> {
    let value = text(name, value)?;
    value.parse().map_err(|_not_a_number| Usage(format!("{name} {value:?} is not a number in range")))
}

/// The option `name`, which must have been given.
pub(crate) fn required<T>(name: &str, given: Option<T>) -> Result<T, Usage> {
    given.ok_or_else(|| Usage(format!("{name} is missing")))
}
