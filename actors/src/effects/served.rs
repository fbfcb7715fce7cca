//! What comes in at a server, and what is answered: as values, and as the JSON that programs read and write.

use super::{
    argument::{Argument, Contents, Headers},
    error::EffectError,
    output::Output,
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Headers that say how an answer is carried: they are the server's own to write.
const CARRIAGE: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request, or a message of a room's connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `GET`; of a room's connection `MESSAGE`.
    pub method: String,
    /// `/status`
    pub path: String,
    /// What stands behind the question mark.
    pub query: Option<String>,
    /// In their order, names in lower case; of a room's connection those that it was opened with.
    pub headers: Vec<(String, String)>,
    /// The body, or the message.
    pub body: Bytes,
    /// Which connection of a room it came from: what `chat.send` takes.
    pub connection: Option<String>,
}

impl Asked {
    /// `{method, path, query, headers, body}`, and `connection` where there is one. A body that is no text is
    /// `{"base64": …}`.
    pub fn to_json(&self) -> Value {
        let mut json = self.to_letter();
        json["headers"] = self.headers.iter().map(|(name, value)| json!([name, value])).collect();
        json
    }

    /// The same without headers: what a peer reads.
    pub fn to_letter(&self) -> Value {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => text.into(),
            Err(_binary) => Output::Bytes(self.body.clone()).into_json(),
        };
        let mut json = json!({ "method": self.method, "path": self.path, "query": self.query, "body": body });
        if let Some(connection) = &self.connection {
            json["connection"] = connection.as_str().into();
        }
        json
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// 200 to 599.
    pub status: u16,
    /// In their order; those that say how it is carried are not among them.
    pub headers: Vec<(String, String)>,
    /// At most 16 MiB.
    pub body: Bytes,
}

impl Answered {
    /// A body with this status.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The same as JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        Self { status, headers, body: body.to_string().into() }
    }

    /// Reads `{status, headers?, body?}`; a status that is left out is 200.
    ///
    /// # Errors
    /// What is wrong with it, by the name of its part.
    pub fn read(text: &str) -> Result<Self, EffectError> {
        let json =
            serde_json::from_str(text).map_err(|error| EffectError::bad("answer", format!("is no JSON: {error}")))?;
        let Value::Object(mut map) = json else { return Err(EffectError::bad("answer", "is not an object")) };
        let status = match map.remove("status") {
            None => 200,
            Some(status) => status.as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default(),
        };
        let headers = part::<Headers>(&mut map, "headers")?.unwrap_or_default().0;
        let body = part::<Contents>(&mut map, "body")?.map_or_else(Bytes::new, |body| body.0);
        if let Some(other) = map.keys().next() {
            let other: String = other.chars().take(64).collect();
            return Err(EffectError::bad(other, "is no part of an answer: status, headers, body"));
        }
        Self { status, headers, body }.checked()
    }

    /// Itself, where it can be sent.
    ///
    /// # Errors
    /// A status that is none, or a header that is the server's own.
    pub fn checked(self) -> Result<Self, EffectError> {
        if !(200..=599).contains(&self.status) {
            return Err(EffectError::bad("status", "is not a number from 200 to 599"));
        }
        let is_ours = |name: &str| CARRIAGE.iter().any(|ours| name.eq_ignore_ascii_case(ours));
        match self.headers.iter().find(|(name, _)| is_ours(name)) {
            Some((name, _)) => Err(EffectError::bad("headers", format!("{name} is the server's own to say"))),
            None => Ok(self),
        }
    }
}

fn part<A: Argument>(map: &mut Map<String, Value>, which: &'static str) -> Result<Option<A>, EffectError> {
    let given = map.remove(which).filter(|value| !value.is_null());
    given.map(|value| A::read(value).map_err(|unfit| unfit.of(which))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_document_and_bytes_are_base64() {
        let asked = Asked {
            method: "POST".into(),
            path: "/a".into(),
            query: Some("x=1".into()),
            headers: vec![("a".into(), "1".into())],
            body: Bytes::from_static(&[0xff]),
            connection: None,
        };
        let json = asked.to_json();
        assert_eq!(json["body"]["base64"], "/w==");
        assert_eq!((&json["method"], &json["path"], &json["query"]), (&"POST".into(), &"/a".into(), &"x=1".into()));
        assert_eq!(json["headers"], json!([["a", "1"]]));
        assert_eq!(json.get("connection"), None);
        assert_eq!(asked.to_letter().get("headers"), None);
    }

    #[test]
    fn an_answer_is_read_with_what_may_be_left_out() {
        let full = r#"{"status": 404, "headers": [["x-a", "1"], ["x-a", "2"]], "body": "no"}"#;
        let headers = vec![("x-a".into(), "1".into()), ("x-a".into(), "2".into())];
        assert_eq!(Answered::read(full), Ok(Answered { status: 404, headers, body: "no".into() }));
        assert_eq!(Answered::read("{}"), Ok(Answered::new(200, "")));
        assert_eq!(Answered::read(r#"{"body": {"base64": "AAE="}}"#).unwrap().body, [0_u8, 1][..]);
    }

    #[test]
    fn an_answer_that_is_none_says_which_part_is_wrong() {
        for (text, which) in [
            ("", "answer"),
            ("[]", "answer"),
            ("{} {}", "answer"),
            (r#"{"status": 99}"#, "status"),
            (r#"{"status": "200"}"#, "status"),
            (r#"{"status": 101}"#, "status"),
            (r#"{"body": 7}"#, "body"),
            (r#"{"headers": {"a": "b"}}"#, "headers"),
            (r#"{"headers": [["a\nb", "c"]]}"#, "headers"),
            (r#"{"headers": [["a", "c\r\nd: e"]]}"#, "headers"),
            (r#"{"headers": [["Transfer-Encoding", "chunked"]]}"#, "headers"),
            (r#"{"headers": [["content-length", "9"]]}"#, "headers"),
            (r#"{"boddy": "x"}"#, "boddy"),
        ] {
            let error = Answered::read(text).unwrap_err();
            assert!(matches!(&error, EffectError::BadArgs { which: found, .. } if found == which), "{text}: {error}");
        }
    }
}
