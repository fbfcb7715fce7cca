//! What an operation can be given: one type a shape, each of which reads itself from JSON within its limits.

use super::{
    error::EffectError,
    folder::PATH_BYTES_MAX,
    handles::HandleId,
    kind::is_name,
    origin::{Target, URL_BYTES_MAX},
};
use crate::names::{Identity, Personality};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::BTreeMap, ops::Deref, path::PathBuf};

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

/// Any text of at most so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const BYTES_MAX: usize>(pub String);

/// A line, a message, a body of a chat.
pub type Message = Text<{ 64 * 1024 }>;
/// A key, a name, a cursor.
pub type Short = Text<4_096>;
/// A statement, a prompt.
pub type Long = Text<{ 4 * 1024 * 1024 }>;

impl<const BYTES_MAX: usize> Deref for Text<BYTES_MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const BYTES_MAX: usize> Argument for Text<BYTES_MAX> {
    const SHAPE: &'static str = "text";

    fn read(given: Value) -> Result<Self, Unfit> {
        text_of(given, BYTES_MAX).map(Self)
    }

    fn schema() -> Value {
        text_schema(BYTES_MAX)
    }
}

/// An absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathArg(pub PathBuf);

impl Argument for PathArg {
    const SHAPE: &'static str = "path";

    fn read(given: Value) -> Result<Self, Unfit> {
        let text = without_nul(text_of(given, PATH_BYTES_MAX)?)?;
        match text.as_bytes().first() {
            None => Err(Unfit::is_not("is empty")),
            Some(b'/') => Ok(Self(text.into())),
            Some(_) => Err(Unfit::is_not("is not an absolute path")),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": PATH_BYTES_MAX, "pattern": "^/" })
    }
}

/// Where a log or a database is: a path, or the one word for a place that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<const WORD: char> {
    /// `-` for the session's own log, `:` (as in `:memory:`) for a database in memory.
    Own,
    /// A file.
    At(PathArg),
}

impl<const WORD: char> Argument for Place<WORD> {
    const SHAPE: &'static str = if WORD == ':' { "path or `:memory:`" } else { "path or `-`" };

    fn read(given: Value) -> Result<Self, Unfit> {
        let own = if WORD == ':' { ":memory:" } else { "-" };
        if given == own { Ok(Self::Own) } else { PathArg::read(given).map(Self::At) }
    }

    fn schema() -> Value {
        text_schema(PATH_BYTES_MAX)
    }
}

/// An absolute path that may hold `*`, `?`, `[…]` and `**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub PathArg);

impl Pattern {
    /// The folder above the first part that is a pattern, and the rest.
    pub fn split(&self) -> (PathBuf, PathBuf) {
        let is_plain = |part: &std::path::Component<'_>| {
            !part.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
        };
        let parts = self.0.0.components();
        let folder: PathBuf = parts.clone().take_while(is_plain).collect();
        (folder, parts.skip_while(is_plain).collect())
    }
}

impl Argument for Pattern {
    const SHAPE: &'static str = "pattern";

    fn read(given: Value) -> Result<Self, Unfit> {
        PathArg::read(given).map(Self)
    }

    fn schema() -> Value {
        PathArg::schema()
    }
}

/// Bytes: a text, or `{"base64": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents(pub Bytes);

impl Argument for Contents {
    const SHAPE: &'static str = "text or bytes";

    fn read(given: Value) -> Result<Self, Unfit> {
        let bytes = match given {
            Value::String(text) => text.into_bytes(),
            Value::Object(mut map) if map.len() == 1 => {
                let Some(Value::String(text)) = map.remove("base64") else {
                    return Err(Unfit::is_not("is neither a text nor {\"base64\": …}"));
                };
                if text.len() / 4 > CONTENTS_BYTES_MAX / 3 + 1 {
                    return Err(Unfit::Long(CONTENTS_BYTES_MAX));
                }
                STANDARD.decode(text).map_err(|_| Unfit::is_not("is not base64"))?
            }
            _ => return Err(Unfit::is_not("is neither a text nor {\"base64\": …}")),
        };
        if bytes.len() > CONTENTS_BYTES_MAX { Err(Unfit::Long(CONTENTS_BYTES_MAX)) } else { Ok(Self(bytes.into())) }
    }

    fn schema() -> Value {
        json!({ "oneOf": [text_schema(CONTENTS_BYTES_MAX), {
            "type": "object", "properties": { "base64": { "type": "string" } },
            "required": ["base64"], "additionalProperties": false,
        }] })
    }
}

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

/// A port, 1 to 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

impl Argument for Port {
    const SHAPE: &'static str = "port";

    fn read(given: Value) -> Result<Self, Unfit> {
        let port = given.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
        port.map(Self).ok_or(Unfit::is_not("is not a port of 1 to 65535"))
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": u16::MAX })
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

/// One of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),*
        }

        impl $name {
            /// The word for it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl Argument for $name {
            const SHAPE: &'static str = concat!($("`", $word, "` "),*);

            fn read(given: Value) -> Result<Self, Unfit> {
                match given.as_str() {
                    $(Some($word) => Ok(Self::$variant),)*
                    _ => Err(Unfit::is_not(concat!("is none of", $(" ", $word),*))),
                }
            }

            fn schema() -> Value {
                json!({ "enum": [$($word),*] })
            }
        }
    };
}

words! {
    /// How much a line of a log matters.
    Level {
        /// For whoever looks for a fault.
        Debug = "debug",
        /// What goes on.
        Info = "info",
        /// What may want a look.
        Warn = "warn",
        /// What went wrong.
        Error = "error",
    }
}

words! {
    /// How the session's log is written.
    LogFormat {
        /// A line of text.
        Text = "text",
        /// An object a line.
        Json = "json",
    }
}

words! {
    /// What a program is sent.
    Signal {
        /// SIGHUP
        Hup = "HUP",
        /// SIGINT
        Int = "INT",
        /// SIGQUIT
        Quit = "QUIT",
        /// SIGKILL
        Kill = "KILL",
        /// SIGUSR1
        Usr1 = "USR1",
        /// SIGUSR2
        Usr2 = "USR2",
        /// SIGTERM
        Term = "TERM",
        /// SIGCONT
        Cont = "CONT",
        /// SIGSTOP
        Stop = "STOP",
    }
}
