//! What an operation can be given: one type a shape, each of which reads itself from JSON within its limits.

pub mod chat;
mod name;
mod number;
mod path;
mod program;
mod text;
mod value;
mod web;
mod word;

pub use self::{
    chat::Messages,
    name::{Handler, Name, Peer},
    number::Upto,
    path::{PathArg, Pattern, Place},
    program::{Argv, Variable, Variables, is_variable},
    text::{Contents, Long, Message, Short, Text},
    value::{Json, Object, Parameter, Parameters},
    web::{Headers, Method, Port, UrlArg},
    word::{Level, LogFormat, Role, Signal},
};
use super::error::EffectError;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Longest contents and bodies, bytes.
pub const CONTENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most arguments of a program.
pub const ARGS_MAX: usize = 1_024;
/// Longest of them, bytes.
pub const ARG_BYTES_MAX: usize = 64 * 1024;
/// All of them together, bytes: the kernel takes 2 MiB of arguments and environment.
pub const ARGV_BYTES_MAX: usize = 1024 * 1024;
/// Most variables that a caller sets, and most headers.
pub const PAIRS_MAX: usize = 256;
/// Longest name or value of one, bytes.
pub const PAIR_BYTES_MAX: usize = 32 * 1024;
/// Most parameters of a statement.
pub const PARAMETERS_MAX: usize = 32_766;

/// Why something that was given can not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It is malformed.
    Form(Cow<'static, str>),
    /// There is too much of it: so much there may be.
    Long(usize),
}

impl Unfit {
    fn is_not(what: &'static str) -> Self {
        Self::Form(Cow::Borrowed(what))
    }

    /// As the error of a call that gave it as `which`.
    pub fn of(self, which: &'static str) -> EffectError {
        match self {
            Self::Form(why) => EffectError::bad(which, why),
            Self::Long(max) => EffectError::limit(which, max as u64),
        }
    }
}

/// Something that can be given to an operation.
pub trait Argument: Sized {
    /// What it is called in the table of operations.
    const SHAPE: &'static str;
    /// Whether it may be left out.
    const OPTIONAL: bool = false;

    /// Reads what was given.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(given: Value) -> Result<Self, Unfit>;

    /// Its JSON schema.
    fn schema() -> Value;

    /// What it is where nothing was given; nothing where it may not be left out.
    fn absent() -> Option<Self> {
        None
    }
}

/// Takes the argument `which` out of what was given.
pub(super) fn take<A: Argument>(given: &mut Map<String, Value>, which: &'static str) -> Result<A, EffectError> {
    match given.remove(which) {
        None | Some(Value::Null) => A::absent().ok_or_else(|| EffectError::bad(which, "is missing")),
        Some(value) => A::read(value).map_err(|unfit| unfit.of(which)),
    }
}

impl<A: Argument> Argument for Option<A> {
    const SHAPE: &'static str = A::SHAPE;
    const OPTIONAL: bool = true;

    fn read(given: Value) -> Result<Self, Unfit> {
        A::read(given).map(Some)
    }

    fn schema() -> Value {
        A::schema()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

fn text_of(given: Value, bytes_max: usize) -> Result<String, Unfit> {
    match given {
        Value::String(text) if text.len() > bytes_max => Err(Unfit::Long(bytes_max)),
        Value::String(text) => Ok(text),
        _ => Err(Unfit::is_not("is not a text")),
    }
}

fn without_nul(text: String) -> Result<String, Unfit> {
    if text.contains('\0') { Err(Unfit::is_not("holds a NUL character")) } else { Ok(text) }
}

fn text_schema(bytes_max: usize) -> Value {
    json!({ "type": "string", "maxLength": bytes_max })
}
