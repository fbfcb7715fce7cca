//! What a tool takes: declared once, and from that both its JSON schema and the check of what was given.

use super::answer::Refusal;
use coalmine_actors::registry::nearest::nearest;
use rmcp::model::JsonObject;
use serde_json::{Value, json};

/// Most of a name that is repeated to whoever gave it, characters.
const SHOWN_CHARS_MAX: usize = 64;

/// One argument.
#[derive(Debug)]
pub(crate) struct Arg {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

/// What an argument can be.
#[derive(Debug)]
pub(crate) enum Shape {
    Text { chars_max: usize },
    Number { min: u64, max: u64 },
    Word(&'static [&'static str]),
    Texts { count_max: usize, chars_max: usize },
    Objects { count_max: usize, fields: &'static [Arg] },
}

impl Arg {
    /// One that must be given.
    pub(crate) const fn must(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, about, shape, required: true }
    }

    /// One that may be left out.
    pub(crate) const fn may(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, about, shape, required: false }
    }
}

impl Shape {
    fn schema(&self) -> Value {
        match self {
            Self::Text { chars_max } => json!({ "type": "string", "maxLength": chars_max }),
            Self::Number { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Texts { count_max, chars_max } => {
                json!({ "type": "array", "maxItems": count_max, "items": { "type": "string", "maxLength": chars_max } })
            }
            Self::Objects { count_max, fields } => {
                json!({ "type": "array", "maxItems": count_max, "items": schema(fields) })
            }
        }
    }

    /// What is wrong with a value, and where in it.
    fn check(&self, path: &str, given: &Value) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::argument(path, why));
        match (self, given) {
            (Self::Text { chars_max }, Value::String(text)) => {
                let chars = text.chars().count();
                if chars > *chars_max {
                    refuse(format!("has {chars} characters; {chars_max} are the limit"))
                } else {
                    Ok(())
                }
            }
            (Self::Text { .. }, _) => refuse("is not a text".into()),
            (Self::Number { min, max }, given) => match given.as_u64() {
                Some(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => refuse(format!("is not a whole number from {min} to {max}")),
            },
            (Self::Word(words), Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
            (Self::Word(words), _) => refuse(format!("is not one of {}", words.join(", "))),
            (Self::Texts { count_max, chars_max }, given) => {
                let one = Self::Text { chars_max: *chars_max };
                each(path, given, *count_max)?
                    .enumerate()
                    .try_for_each(|(at, text)| one.check(&format!("{path}[{at}]"), text))
            }
            (Self::Objects { count_max, fields }, given) => {
                each(path, given, *count_max)?.enumerate().try_for_each(|(at, object)| {
                    let path = format!("{path}[{at}]");
                    let Value::Object(object) = object else {
                        return Err(Refusal::argument(&path, "is not an object"));
                    };
                    check(&format!("{path}."), fields, object)
                })
            }
        }
    }
}

fn each<'a>(path: &str, given: &'a Value, count_max: usize) -> Result<std::slice::Iter<'a, Value>, Refusal> {
    let Value::Array(list) = given else { return Err(Refusal::argument(path, "is not a list")) };
    if list.len() > count_max {
        return Err(Refusal::argument(path, format!("has {} entries; {count_max} are the limit", list.len())));
    }
    Ok(list.iter())
}

/// The JSON schema of these arguments.
pub(crate) fn schema(args: &[Arg]) -> Value {
    let described = args.iter().map(|arg| {
        let mut schema = arg.shape.schema();
        schema["description"] = arg.about.into();
        (arg.name.to_owned(), schema)
    });
    let properties: JsonObject = described.collect();
    let required: Vec<_> = args.iter().filter(|arg| arg.required).map(|arg| arg.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn check(path: &str, args: &[Arg], given: &JsonObject) -> Result<(), Refusal> {
    let known = || args.iter().map(|arg| arg.name);
    if let Some(strange) = given.keys().find(|name| !known().any(|known| known == *name)) {
        let shown: String = strange.chars().take(SHOWN_CHARS_MAX).collect();
        let near = nearest(strange, known());
        let hint = match near.first() {
            Some(name) => format!("; did you mean `{name}`?"),
            None if args.is_empty() => "; there are none".into(),
            None => format!("; there are {}", known().collect::<Vec<_>>().join(", ")),
        };
        return Err(Refusal::argument(&format!("{path}{shown}"), format!("is no argument{hint}")));
    }
    args.iter().try_for_each(|arg| {
        let path = format!("{path}{}", arg.name);
        match given.get(arg.name) {
            None | Some(Value::Null) if arg.required => Err(Refusal::argument(&path, "is missing")),
            None | Some(Value::Null) => Ok(()),
            Some(value) => arg.shape.check(&path, value),
        }
    })
}

/// What was given, after it was found to fit.
#[derive(Debug, Default)]
pub(crate) struct Arguments(JsonObject);

impl Arguments {
    /// Holds what was given against what a tool takes.
    pub(crate) fn read(args: &[Arg], given: JsonObject) -> Result<Self, Refusal> {
        check("", args, &given)?;
        Ok(Self(given))
    }

    /// A text, where it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A text that must be there.
    pub(crate) fn the(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// A text that reads itself; what it says of a bad one names the argument.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        self.text(name)
            .map(|text| text.parse().map_err(|error: T::Err| Refusal::argument(name, error.to_string())))
            .transpose()
    }

    /// A number, where it was given.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// A list of texts; empty where none was given.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|text| text.as_str().map(ToOwned::to_owned)).collect()
    }

    /// A list whose objects read themselves.
    pub(crate) fn objects<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Result<Vec<T>, Refusal> {
        let list = self.0.remove(name).unwrap_or_else(|| json!([]));
        serde_json::from_value(list).map_err(|error| Refusal::argument(name, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARGS: &[Arg] = &[
        Arg::must("content", Shape::Text { chars_max: 4 }, "a text"),
        Arg::may("limit", Shape::Number { min: 1, max: 9 }, "a number"),
        Arg::may("kind", Shape::Word(&["fact", "pref"]), "a word"),
        Arg::may("tags", Shape::Texts { count_max: 2, chars_max: 3 }, "texts"),
        Arg::may(
            "things",
            Shape::Objects { count_max: 2, fields: &[Arg::must("name", Shape::Text { chars_max: 3 }, "a name")] },
            "objects",
        ),
    ];

    fn why(given: Value) -> String {
        let Value::Object(given) = given else { panic!("not an object") };
        Arguments::read(ARGS, given).map_or_else(|refusal| refusal.message(), |_| String::new())
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place_and_its_limit() {
        for (given, wanted) in [
            (
                json!({ "content": "ñññ\u{1f426}", "limit": 9, "kind": "pref", "tags": ["a"], "things": [{ "name": "x" }] }),
                "",
            ),
            (json!({ "content": "x", "limit": null }), ""),
            (json!({}), "the argument `content` is missing"),
            (json!({ "content": null }), "the argument `content` is missing"),
            (json!({ "content": 1 }), "the argument `content` is not a text"),
            (json!({ "content": "12345" }), "the argument `content` has 5 characters; 4 are the limit"),
            (json!({ "content": "x", "limit": 0 }), "the argument `limit` is not a whole number from 1 to 9"),
            (json!({ "content": "x", "limit": 1.5 }), "the argument `limit` is not a whole number from 1 to 9"),
            (json!({ "content": "x", "limit": -1 }), "the argument `limit` is not a whole number from 1 to 9"),
            (json!({ "content": "x", "kind": "fakt" }), "the argument `kind` is not one of fact, pref"),
            (json!({ "content": "x", "tags": "a" }), "the argument `tags` is not a list"),
            (json!({ "content": "x", "tags": ["a", "b", "c"] }), "the argument `tags` has 3 entries; 2 are the limit"),
            (json!({ "content": "x", "tags": ["a", 1] }), "the argument `tags[1]` is not a text"),
            (json!({ "content": "x", "things": [1] }), "the argument `things[0]` is not an object"),
            (json!({ "content": "x", "things": [{}] }), "the argument `things[0].name` is missing"),
            (json!({ "content": "x", "limt": 3 }), "the argument `limt` is no argument; did you mean `limit`?"),
            (
                json!({ "content": "x", "zzz": 3 }),
                "the argument `zzz` is no argument; there are content, limit, kind, tags, things",
            ),
        ] {
            assert_eq!(why(given.clone()), wanted, "{given}");
        }
    }

    #[test]
    fn the_schema_says_the_same() {
        let schema = schema(ARGS);
        assert_eq!(schema["required"], json!(["content"]));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["limit"]["maximum"], 9);
        assert_eq!(schema["properties"]["kind"]["enum"], json!(["fact", "pref"]));
        assert_eq!(schema["properties"]["things"]["items"]["required"], json!(["name"]));
    }
}
