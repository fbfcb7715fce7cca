//! Who answers at a server: a function of the embedder, a granted program, or a peer.
//!
//! A program and a peer are effects within the effect: each request is decided by the policy of that moment, counted, and
//! written down. What fails is told to the session's log; whoever asked gets its number alone.

use super::{Functions, front::House};
use coalmine_actors::effects::{
    argument::{Argv, Contents, Handler, Json, Name, Peer, Text},
    error::EffectError,
    op::Request,
    output::Output,
    port::{Answers, Seat},
    served::{Answered, Asked},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{task::JoinSet, time::timeout};

/// What is told of a request in a topic and in the log, characters.
const TOLD_CHARS_MAX: usize = 200;
/// What is told of a program's last words, characters.
const STDERR_CHARS_MAX: usize = 500;
/// Reasons of the mailroom that no time will change.
const FOR_GOOD: &[&str] = &["no-composer", "removed"];

/// See the module.
#[derive(Clone)]
pub(super) enum Answerer {
    Function(Arc<dyn Answers>),
    Program(Name),
    Peer(Peer),
}

impl Answerer {
    /// Who is named.
    ///
    /// # Errors
    /// No function of that name is registered.
    pub(super) fn of(handler: Handler, functions: &Functions) -> Result<Self, EffectError> {
        match handler {
            Handler::Program(name) => Ok(Self::Program(name)),
            Handler::Peer(peer) => Ok(Self::Peer(peer)),
            Handler::Function(Name(name)) => {
                let found = functions.get(&name).map(|function| Self::Function(Arc::clone(function)));
                found.ok_or_else(|| EffectError::bad("handler", "is no function that this fleet has"))
            }
        }
    }

    async fn answer(self, seat: Arc<Seat>, asked: Asked) -> Result<Answered, EffectError> {
        match self {
            Self::Function(function) => function.answer(seat, asked).await?.checked(),
            Self::Program(name) => by_program(&seat, name, &asked).await,
            Self::Peer(peer) => by_peer(&seat, peer, &asked).await,
        }
    }
}

/// The answer of whoever answers; the number of its failure where there is none.
pub(super) async fn answer(house: &House, asked: Asked) -> Result<Answered, String> {
    let about = about(&asked);
    // A task of its own: a function that panics takes nobody else with it. Dropped with its set, it is called off.
    let mut task = JoinSet::new();
    task.spawn(house.answerer.clone().answer(Arc::clone(&house.seat), asked));
    let answer = match timeout(house.limits.handler_time, task.join_next()).await {
        Err(_late) => Err(EffectError::Timeout { phase: "handler" }),
        Ok(Some(Ok(answer))) => answer,
        Ok(ended) => Err(EffectError::Internal(format!("the handler ended without an answer: {ended:?}"))),
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) => Err(told(&house.seat, &about, &error).await),
    }
}

/// What is told of a request where its contents are nobody's business.
fn about(asked: &Asked) -> String {
    let path = asked.path.chars().take(TOLD_CHARS_MAX - asked.method.len().min(32) - 1);
    format!("{} {}", asked.method.chars().take(32).collect::<String>(), path.collect::<String>())
}

/// Tells the session's log why there is no answer, and gives the number that stands there by then.
async fn told(seat: &Arc<Seat>, about: &str, error: &EffectError) -> String {
    let id = seat.token().unwrap_or_else(|_no_chance| "unnumbered".into());
    let line = format!("request {id}, {about}: {error}");
    tracing::warn!(peer = %seat.peer, line, "a served request has no answer");
    let session = seat.nested();
    let noted = tokio::task::spawn_blocking(move || {
        if let Some(session) = session {
            session.note(&line);
        }
    });
    let _told_by_the_log_itself = noted.await;
    id
}

async fn by_program(seat: &Seat, program: Name, asked: &Asked) -> Result<Answered, EffectError> {
    let session = seat.nested().ok_or(EffectError::Cancelled)?;
    let stdin = Some(Contents(asked.to_json().to_string().into()));
    let run = Request::ProcessRun { program, args: Argv::default(), stdin };
    let said = session.perform(run).await?.into_json();
    let text = match (&said["exit_code"], &said["truncated"], said["stdout"].as_str()) {
        (Value::Number(zero), Value::Bool(false), Some(text)) if zero.as_i64() == Some(0) => text,
        (Value::Number(zero), Value::Bool(false), None) if zero.as_i64() == Some(0) => {
            return Err(EffectError::bad("answer", "is not UTF-8"));
        }
        (status, truncated, _) => {
            let last = said["stderr"].as_str().unwrap_or_default().trim();
            let last: String = last.chars().take(STDERR_CHARS_MAX).collect();
            let signal = &said["signal"];
            let what =
                format!("the program ended with status {status}, signal {signal}, cut short {truncated}: {last}");
            return Err(EffectError::Protocol { what });
        }
    };
    Answered::read(text)
}

/// The request becomes a message, and the answer says which: the peer answers whenever it likes, by `chat.send` where the
/// request came from a room.
async fn by_peer(seat: &Seat, peer: Peer, asked: &Asked) -> Result<Answered, EffectError> {
    let session = seat.nested().ok_or(EffectError::Cancelled)?;
    let topic = Some(Text(about(asked)));
    let send = Request::AgentSendA2a { peer, payload: Json(asked.to_letter()), topic };
    let (status, code) = match session.perform(send).await {
        Ok(Output::Text(id)) => return Ok(Answered::json(202, &json!({ "message": id }))),
        Ok(other) => return Err(EffectError::Internal(format!("a message's id came as {other:?}"))),
        Err(EffectError::NotSent { code, .. }) if FOR_GOOD.contains(&code.as_str()) => (502, code),
        Err(EffectError::NotSent { code, .. }) => (503, code),
        Err(EffectError::NotFound) => (502, "unknown-peer".into()),
        Err(EffectError::Limit { which, .. }) if which == "payload" => (413, "message-too-large".into()),
        Err(error) => return Err(error),
    };
    Ok(Answered::json(status, &json!({ "error": { "code": code } })))
}
