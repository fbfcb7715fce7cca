//! `[provider.NAME]`: models that effects may ask, where they are and how we are known there.

use coalmine_actors::effects::{
    decide::is_secret,
    kind::is_name,
    origin::Target,
    request::{CLOUD_PROVIDER, LOCAL_PROVIDER},
};
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// Where Ollama listens where nobody says.
const OLLAMA_URL: &str = "http://127.0.0.1:11434";
/// Ollama's port.
const OLLAMA_PORT: u16 = 11434;
/// Where OpenAI's own models are.
const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The variable that holds the key for it.
const OPENAI_KEY: &str = "OPENAI_API_KEY";

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Ollama's own API: `/api/chat`.
    Ollama,
    /// OpenAI's, as many others speak it: `/chat/completions`.
    Openai,
}

/// Where the key is. It is read when it is needed, and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// There is none.
    None,
    /// In this variable of the daemon, where it is set.
    Env(String),
    /// In this file.
    File(PathBuf),
}

/// A provider of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// What its paths are put behind, without a slash at its end. What the config says was checked; what a variable
    /// says is looked at when it is used, for it may be meant for somebody else.
    pub url: String,
    /// The model where a call names none.
    pub model: Option<String>,
    /// Where the key is.
    pub key: KeySource,
}

/// Providers by name.
pub type Providers = BTreeMap<String, Provider>;

/// The two that are there without a config: what the daemon's variables say of them.
pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Providers {
    let set = |name: &str| env(name).filter(|text| !text.is_empty());
    let ollama = Provider {
        kind: ProviderKind::Ollama,
        url: set("OLLAMA_HOST").map_or(OLLAMA_URL.into(), |host| ollama_url(&host)),
        model: None,
        key: KeySource::None,
    };
    let url = set("OPENAI_BASE_URL").unwrap_or(OPENAI_URL.into());
    let openai =
        Provider { kind: ProviderKind::Openai, url: plain(&url), model: None, key: KeySource::Env(OPENAI_KEY.into()) };
    BTreeMap::from([(LOCAL_PROVIDER.into(), ollama), (CLOUD_PROVIDER.into(), openai)])
}

/// `OLLAMA_HOST` as Ollama reads it: a scheme and a port may be left out, and what a server listens at everywhere is
/// reached here.
fn ollama_url(host: &str) -> String {
    let (scheme, place) = host.split_once("://").unwrap_or(("http", host));
    let place = place.trim_end_matches('/');
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, format!(":{port}")),
        _ if host.contains("://") => (place, String::new()),
        _ => (place, format!(":{OLLAMA_PORT}")),
    };
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        name => name,
    };
    format!("{scheme}://{name}{port}")
}

fn plain(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// `[provider.NAME]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderTable {
    kind: Option<ProviderKind>,
    url: Option<String>,
    model: Option<String>,
    api_key_env: Option<String>,
    api_key_file: Option<PathBuf>,
}

/// What the config says, over what the variables say.
pub(super) fn checked(tables: BTreeMap<String, ProviderTable>, mut known: Providers) -> Result<Providers, String> {
    for (name, table) in tables {
        if !is_name(&name) {
            return Err(format!("[provider.{name:?}]: a name is of a-z, 0-9, `-`, `_` and `.`"));
        }
        let provider = table.over(known.get(&name)).map_err(|why| format!("provider.{name}.{why}"))?;
        known.insert(name, provider);
    }
    Ok(known)
}

impl ProviderTable {
    fn over(self, below: Option<&Provider>) -> Result<Provider, String> {
        let Self { kind, url, model, api_key_env, api_key_file } = self;
        let kind = kind.or(below.map(|below| below.kind)).ok_or("kind is missing: \"ollama\" or \"openai\"")?;
        // Another kind is another place, with another key.
        let below = below.filter(|below| below.kind == kind);
        let moved = url.is_some();
        let url = match url {
            Some(url) => endpoint(&url).map(|()| plain(&url)).map_err(|why| format!("url: {why}"))?,
            None => below.map(|below| below.url.clone()).ok_or("url is missing")?,
        };
        let key = match (api_key_env, api_key_file) {
            (Some(_), Some(_)) => return Err("api_key_env: give either this or `api_key_file`".into()),
            (Some(name), None) if !is_secret(&name) => {
                let why = "peers could be shown it: its name must say what it is, as in MY_API_KEY";
                return Err(format!("api_key_env: {name:?}: {why}"));
            }
            (Some(name), None) => KeySource::Env(name),
            (None, Some(path)) if !path.is_absolute() => return Err("api_key_file must be an absolute path".into()),
            (None, Some(path)) => KeySource::File(path),
            // A key goes nowhere but to whom it was given for.
            (None, None) if moved => KeySource::None,
            (None, None) => below.map_or(KeySource::None, |below| below.key.clone()),
        };
        let model = model.or(below.and_then(|below| below.model.clone()));
        if model.as_ref().is_some_and(String::is_empty) {
            return Err("model is empty".into());
        }
        Ok(Provider { kind, url, model, key })
    }
}

/// What paths can be put behind.
fn endpoint(url: &str) -> Result<(), String> {
    let target: Target = url.parse()?;
    match target.url.query() {
        Some(_) => Err("it holds a query".into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &'static [(&str, &str)], text: &str) -> Result<Providers, String> {
        #[derive(Deserialize)]
        struct File {
            provider: BTreeMap<String, ProviderTable>,
        }
        let env = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        checked(toml::from_str::<File>(&format!("[provider]\n{text}")).unwrap().provider, from_env(&env))
    }

    #[test]
    fn without_a_word_the_usual_two_are_there() {
        let known = with(&[], "").unwrap();
        assert_eq!((known["ollama"].url.as_str(), &known["ollama"].key), (OLLAMA_URL, &KeySource::None));
        assert_eq!(known["openai"].url, OPENAI_URL);
        assert_eq!(known["openai"].key, KeySource::Env(OPENAI_KEY.into()));
    }

    #[test]
    fn the_daemons_variables_say_where_they_are() {
        for (host, url) in [
            ("127.0.0.1:11500", "http://127.0.0.1:11500"),
            ("0.0.0.0", OLLAMA_URL),
            (":11500", "http://127.0.0.1:11500"),
            ("gpu.lan", "http://gpu.lan:11434"),
            ("https://gpu.lan/", "https://gpu.lan"),
            ("http://gpu.lan:80", "http://gpu.lan:80"),
            ("[::1]", "http://[::1]:11434"),
            ("[::]:11500", "http://[::1]:11500"),
        ] {
            assert_eq!(ollama_url(host), url, "{host}");
        }
        let set: &[_] = &[("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1/"), ("OLLAMA_HOST", "")];
        let known = with(set, "").unwrap();
        assert_eq!(known["openai"].url, "http://127.0.0.1:8000/v1");
        assert_eq!(known["ollama"].url, OLLAMA_URL);
    }

    #[test]
    fn the_config_changes_what_it_names_and_adds_others() {
        let text = "openai.model = \"m\"\n[provider.vllm]\nkind = \"openai\"\nurl = \"http://10.0.0.5:8000/v1\"\n\
                    model = \"q\"\napi_key_file = \"/etc/vllm.key\"\n[provider.ollama]\nurl = \"http://gpu.lan:11434\"";
        let known = with(&[], text).unwrap();
        assert_eq!(known["openai"].model.as_deref(), Some("m"));
        assert_eq!(known["openai"].key, KeySource::Env(OPENAI_KEY.into()));
        assert_eq!(known["vllm"].key, KeySource::File("/etc/vllm.key".into()));
        assert_eq!(known["ollama"].url, "http://gpu.lan:11434");
    }

    #[test]
    fn a_key_stays_with_the_place_that_it_was_given_for() {
        let known = with(&[], "openai.url = \"https://other.example/v1\"").unwrap();
        assert_eq!(known["openai"].key, KeySource::None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, said) in [
            ("x.model = \"m\"", "provider.x.kind is missing"),
            ("x.kind = \"openai\"", "provider.x.url is missing"),
            ("openai.url = \"ftp://a\"", "provider.openai.url: only http and https"),
            ("openai.url = \"https://a?key=1\"", "it holds a query"),
            ("openai.url = \"https://u:p@a\"", "a user name or a password"),
            ("openai.api_key_env = \"EDITOR\"", "its name must say what it is"),
            ("openai.api_key_env = \"A_KEY\"\nopenai.api_key_file = \"/k\"", "either this or"),
            ("openai.api_key_file = \"k\"", "an absolute path"),
            ("openai.model = \"\"", "provider.openai.model is empty"),
            ("\"a b\".kind = \"ollama\"", "a name is of a-z"),
        ] {
            let error = with(&[], text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
