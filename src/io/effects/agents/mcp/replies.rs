//! Only replies pass: what a server asks of us is answered or refused here, and what it announces is let go.
//!
//! We declare that we can do nothing for a server: no sampling, no elicitation, no roots. A ping is answered.

use super::fault::Fault;
use coalmine_actors::effects::error::EffectError;
use rmcp::{
    RoleClient,
    model::{
        ClientJsonRpcMessage, ClientResult, ErrorCode, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
        ServerRequest,
    },
    transport::Transport,
};
use std::future::Future;
use tokio::task::JoinSet;

/// Answers that may wait for a server to read them.
const ANSWERS_MAX: usize = 64;

/// A way to a server, of whose messages only the replies are seen.
pub(super) struct Replies<T> {
    way: T,
    /// Answers under way; let go with the way.
    answers: JoinSet<()>,
    fault: Fault,
}

impl<T: Transport<RoleClient>> Replies<T> {
    pub(super) fn of(way: T, fault: Fault) -> Self {
        Self { way, answers: JoinSet::new(), fault }
    }

    /// Sends an answer; nothing where the server asks and asks, and reads nothing.
    fn answer(&mut self, id: RequestId, asked: &ServerRequest) -> Option<()> {
        while self.answers.try_join_next().is_some() {}
        if self.answers.len() >= ANSWERS_MAX {
            self.fault.tell(EffectError::limit("requests of the tool server at once", ANSWERS_MAX as u64));
            return None;
        }
        let sent = self.way.send(answer(id, asked));
        self.answers.spawn(async move {
            // Who can not be written to is about to be found out by its reader.
            let _sent_or_not = sent.await;
        });
        Some(())
    }
}

fn answer(id: RequestId, asked: &ServerRequest) -> ClientJsonRpcMessage {
    match asked {
        ServerRequest::PingRequest(_) => JsonRpcMessage::response(ClientResult::empty(()), id),
        _ => {
            let refusal = ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "not offered to tool servers", None);
            JsonRpcMessage::error(refusal, Some(id))
        }
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Replies<T> {
    type Error = T::Error;

    fn send(&mut self, message: ClientJsonRpcMessage) -> impl Future<Output = Result<(), T::Error>> + Send + 'static {
        self.way.send(message)
    }

    /// The next reply. As cancel-safe as the way itself.
    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            match self.way.receive().await? {
                JsonRpcMessage::Request(asked) => self.answer(asked.id, &asked.request)?,
                JsonRpcMessage::Notification(_) => {}
                reply => return Some(reply),
            }
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), T::Error>> + Send {
        self.way.close()
    }
}
