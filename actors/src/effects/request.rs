//! What the arguments of a call mean together, and what they are about, in a form of their own for the audit log.

use super::{
    argument::{
        Argv, Name, PathArg, Place, Upto, UrlArg,
        chat::{ChatMessage, text_tokens},
    },
    error::EffectError,
    op::Request,
};
use crate::journal::event::cut;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Longest resource in a record, bytes.
pub const RESOURCE_BYTES_MAX: usize = 1_024;
/// How long an answer of a model is taken to be where nobody says, tokens.
pub const ANSWER_TOKENS_EXPECTED: u64 = 4_096;
/// The provider that is meant by `agent.local_complete` where none is named.
pub const LOCAL_PROVIDER: &str = "ollama";
/// The same for `agent.cloud_complete`.
pub const CLOUD_PROVIDER: &str = "openai";

impl Request {
    /// What no argument can say alone.
    pub(super) fn check(&self) -> Result<(), EffectError> {
        match self {
            Self::RandIntIn { lo, hi } if lo > hi => Err(EffectError::bad("hi", "is below `lo`")),
            Self::AgentLocalComplete { prompt, messages, .. } | Self::AgentCloudComplete { prompt, messages, .. }
                if prompt.is_some() == messages.is_some() =>
            {
                Err(EffectError::bad("prompt", "give either `prompt` or `messages`"))
            }
            _ => Ok(()),
        }
    }

    /// Bytes that leave with it, as far as they are known before.
    pub fn bytes_out(&self) -> u64 {
        let bytes = match self {
            Self::IoPrint { line } => line.len(),
            Self::IoWrite { contents, .. } => contents.0.len(),
            Self::LogDebug { message }
            | Self::LogInfo { message }
            | Self::LogWarn { message }
            | Self::LogError { message } => message.len(),
            Self::ProcessRun { stdin: Some(stdin), .. } | Self::ProcessSpawn { stdin: Some(stdin), .. } => {
                stdin.0.len()
            }
            Self::NetPost { body, .. } | Self::HttpPost { body, .. } => body.0.len(),
            Self::HttpSend { body: Some(body), .. } => body.0.len(),
            Self::KvPut { value, .. } => value.0.len(),
            Self::ChatBroadcast { body, .. } | Self::ChatSend { body, .. } => body.len(),
            Self::AgentCallMcp { arguments, .. } => length(&arguments.0),
            _ => 0,
        };
        bytes as u64
    }

    /// Tokens of a model that it may take, as far as that can be told before: the question by its length, and the longest
    /// answer that was asked for.
    pub fn llm_tokens(&self) -> u64 {
        match self {
            Self::AgentLocalComplete { prompt, messages, max_tokens, .. }
            | Self::AgentCloudComplete { prompt, messages, max_tokens, .. } => {
                let prompt = prompt.as_ref().map_or(0, |prompt| text_tokens(prompt));
                let messages = messages.iter().flat_map(|messages| &messages.0).map(ChatMessage::tokens);
                let answer = max_tokens.map_or(ANSWER_TOKENS_EXPECTED, |Upto(tokens)| tokens);
                prompt.saturating_add(messages.sum()).saturating_add(answer)
            }
            _ => 0,
        }
    }

    /// The provider that a completion goes to.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::AgentLocalComplete { provider, .. } => Some(named(provider, LOCAL_PROVIDER)),
            Self::AgentCloudComplete { provider, .. } => Some(named(provider, CLOUD_PROVIDER)),
            _ => None,
        }
    }

    /// What it is about, on one line of at most [`RESOURCE_BYTES_MAX`] bytes: no contents, no query of an URL, and of a
    /// handle only its beginning. Those who read it may be others than those who may have it.
    pub fn resource(&self) -> String {
        let text = match self {
            Self::IoRead { path }
            | Self::IoWrite { path, .. }
            | Self::FsExists { path }
            | Self::FsIsFile { path }
            | Self::FsIsDir { path }
            | Self::FsStat { path }
            | Self::FsListDir { path, .. }
            | Self::FsWalk { path, .. }
            | Self::FsMkdirP { path }
            | Self::FsRemove { path } => plain(path),
            Self::FsGlob { pattern, .. } => plain(&pattern.0),
            Self::FsCopy { src, dst } => format!("{} -> {}", plain(src), plain(dst)),
            Self::LogSetLevel { level } => level.word().into(),
            Self::LogSetFormat { format } => format.word().into(),
            Self::LogSetSink { path } => placed(path, "-"),
            Self::TimeSleepMs { ms } => format!("{ms} ms"),
            Self::RandIntIn { lo, hi } => format!("{lo}..={hi}"),
            Self::CryptoRandom { n } => format!("{} bytes", n.0),
            Self::EnvGet { name } => name.0.clone(),
            Self::ProcSpawn { program, args }
            | Self::ProcessRun { program, args, .. }
            | Self::ProcessSpawn { program, args, .. } => command(program, args),
            Self::ProcessKill { handle, signal } => {
                format!("{} {}", handle.short(), signal.map_or("TERM", |signal| signal.word()))
            }
            Self::ProcessReadStdoutLine { handle }
            | Self::ProcessReadStderrLine { handle }
            | Self::ProcessWait { handle }
            | Self::NetAddress { handle }
            | Self::NetClose { handle }
            | Self::KvClose { handle }
            | Self::SqlClose { handle }
            | Self::SqlExec { handle, .. }
            | Self::SqlQuery { handle, .. } => handle.short(),
            Self::NetGet { url }
            | Self::NetPost { url, .. }
            | Self::HttpGet { url }
            | Self::HttpPost { url, .. }
            | Self::HttpSend { url, .. } => address(url),
            Self::NetServe { port, .. } | Self::NetServeTls { port, .. } | Self::NetServeWs { port, .. } => {
                format!("port {}", port.0)
            }
            Self::ChatBroadcast { room, .. } => room.0.clone(),
            // As of a handle: whoever has all of it can talk there.
            Self::ChatSend { connection, .. } => connection.chars().take(8).collect(),
            Self::KvOpen { path } => path.as_ref().map_or_else(|| "own".into(), plain),
            Self::KvGet { handle, key }
            | Self::KvPut { handle, key, .. }
            | Self::KvDelete { handle, key }
            | Self::KvContains { handle, key }
            | Self::KvListPrefix { handle, prefix: key, .. } => format!("{} {}", handle.short(), key.0),
            Self::SqlOpen { path } => placed(path, ":memory:"),
            Self::AgentCallMcp { server, tool, .. } => format!("{}/{}", server.0, tool.0),
            Self::AgentSendA2a { peer, .. } => peer.0.clone(),
            Self::AgentLocalComplete { .. } | Self::AgentCloudComplete { .. } => {
                self.provider().unwrap_or_default().to_owned()
            }
            Self::IoPrint { .. }
            | Self::LogDebug { .. }
            | Self::LogInfo { .. }
            | Self::LogWarn { .. }
            | Self::LogError { .. }
            | Self::TimeNow {}
            | Self::DatetimeNow {}
            | Self::BudgetRemaining {} => String::new(),
        };
        cut(text, RESOURCE_BYTES_MAX - '…'.len_utf8())
    }
}

fn named<'a>(given: &'a Option<Name>, default: &'a str) -> &'a str {
    given.as_ref().map_or(default, |name| &name.0)
}

/// Of the JSON that is sent, bytes.
fn length(object: &Map<String, Value>) -> usize {
    serde_json::to_vec(object).map_or(0, |text| text.len())
}

/// Without double slashes and `.`; `..` stay, they are what was asked for.
fn plain(path: &PathArg) -> String {
    path.0.components().collect::<PathBuf>().to_string_lossy().into_owned()
}

fn placed<const WORD: char>(place: &Place<WORD>, own: &str) -> String {
    match place {
        Place::Own => own.into(),
        Place::At(path) => plain(path),
    }
}

fn command(Name(program): &Name, Argv(args): &Argv) -> String {
    let mut text = program.clone();
    for arg in args {
        if text.len() > RESOURCE_BYTES_MAX {
            break;
        }
        text.push(' ');
        text.push_str(arg);
    }
    text
}

/// Origin and path: a query may hold a key.
fn address(UrlArg(target): &UrlArg) -> String {
    format!("{}{}{}", target.origin, target.url.path(), if target.url.query().is_some() { "?…" } else { "" })
}
