//! One call from its decision to its end: decided, reserved, written down; then settled and written down again.

use super::{
    account::Authority,
    audit::entry::{About, Decided, Ended, Entry, Verdict},
    budget::Usage,
    decide::decide,
    error::EffectError,
    op::Request,
    output::{Done, Output},
    plan::Decision,
    port::{Call, Outcome},
    rule::Rule,
    session::Inner,
};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Most of an operation's name that is written down: it may be anything that somebody asked for.
const OP_CHARS_MAX: usize = 64;

/// A call that was allowed and written down, and whose end is not. Dropped before its end, it was called off.
pub(super) struct Begun {
    session: Arc<Inner>,
    about: About<'static>,
    call: u64,
    reserved: Usage,
    since: Instant,
    is_over: bool,
}

impl Inner {
    fn about(&self, op: Cow<'static, str>, resource: String, rule: String, verdict: Verdict) -> About<'static> {
        About {
            peer: self.peer_text.clone().into(),
            session: self.seat.session,
            op,
            resource: resource.into(),
            rule: rule.into(),
            verdict,
        }
    }

    /// Writes down that something was not allowed, or not understood; the error itself, or that even this failed.
    pub(super) fn refuse(&self, about: About<'static>, error: EffectError) -> EffectError {
        let outcome = Some(error.code().into());
        let decided = Decided { about, calls: 0, bytes_out: 0, llm_tokens: 0, outcome };
        self.shared.audit.enter(Entry::Decision(decided)).err().unwrap_or(error)
    }

    /// The same for a call whose arguments can not be read.
    pub(super) fn misunderstood(&self, op: &str, error: EffectError) -> EffectError {
        let op: String = op.chars().take(OP_CHARS_MAX).collect();
        let about = self.about(op.into(), String::new(), error.code().into(), Verdict::Refused);
        self.refuse(about, error)
    }

    /// Decides, reserves and writes down; what the host needs to do it. Blocks.
    pub(super) fn begin(self: &Arc<Self>, request: Request) -> Result<(Begun, Call), EffectError> {
        let authority = self.authority();
        let op = request.op();
        let (plan, rule) = match decide(&authority.policy, &request) {
            Decision::Allow(plan, rule) => (plan, rule),
            Decision::Deny(rule) => {
                let about = self.about(op.name().into(), request.resource(), rule.to_string(), Verdict::Denied);
                return Err(self.refuse(about, EffectError::Denied { rule }));
            }
        };
        let about = self.about(op.name().into(), request.resource(), rule.to_string(), Verdict::Allowed);
        let calls = authority.policy.budget.cost(op);
        let wanted =
            Usage { calls, bytes_out: request.bytes_out(), llm_tokens: request.llm_tokens(), ..Usage::default() };
        let begun = self.reserve(&authority, about, wanted, op.is_grave())?;
        let call = Call {
            seat: Arc::clone(&self.seat),
            time_left: self.account.ledger.time_left(&authority.policy.budget),
            policy: Arc::clone(&authority.policy),
            opened: Arc::clone(&authority.opened),
            request,
            plan,
        };
        Ok((begun, call))
    }

    /// The same for an operation that an embedder added, which decides for itself. Blocks.
    pub(super) fn begin_added(self: &Arc<Self>, name: &str, allowed: bool, calls: u64) -> Result<Begun, EffectError> {
        let rule = Rule::Added(name.to_owned());
        let verdict = if allowed { Verdict::Allowed } else { Verdict::Denied };
        let about = self.about(name.to_owned().into(), String::new(), rule.to_string(), verdict);
        if !allowed {
            return Err(self.refuse(about, EffectError::Denied { rule }));
        }
        self.reserve(&self.authority(), about, Usage { calls, ..Usage::default() }, true)
    }

    fn reserve(
        self: &Arc<Self>,
        authority: &Authority,
        about: About<'static>,
        reserved: Usage,
        durable: bool,
    ) -> Result<Begun, EffectError> {
        if self.seat.has_ended() {
            let about = About { verdict: Verdict::Refused, rule: "the session has ended".into(), ..about };
            return Err(self.refuse(about, EffectError::Cancelled));
        }
        if let Err(over) = self.account.ledger.reserve(&authority.policy.budget, reserved) {
            let EffectError::Budget { what, .. } = over else { return Err(over) };
            let about = About { verdict: Verdict::Denied, rule: format!("budget.{what}").into(), ..about };
            return Err(self.refuse(about, over));
        }
        let give_back = || self.account.ledger.settle(reserved, Usage::default());
        let Usage { calls, bytes_out, llm_tokens, .. } = reserved;
        let decided = Decided { about: about.clone(), calls, bytes_out, llm_tokens, outcome: None };
        let call = self.shared.audit.enter(Entry::Decision(decided)).inspect_err(|_| give_back())?;
        let begun = Begun { session: Arc::clone(self), about, call, reserved, since: Instant::now(), is_over: false };
        if durable && let Err(error) = self.shared.audit.sync(call) {
            return begun.end(Err(error)).map(|_| unreachable!("an error stays one"));
        }
        Ok(begun)
    }
}

impl Begun {
    /// Settles and writes down what became of it. Blocks.
    pub(super) fn end(mut self, outcome: Outcome) -> Result<Output, EffectError> {
        self.close(&outcome);
        outcome.map(|done| done.output)
    }

    fn close(&mut self, outcome: &Outcome) {
        self.is_over = true;
        let took = self.since.elapsed();
        let taken = taken(self.reserved, took, outcome);
        self.session.account.ledger.settle(self.reserved, taken);
        let done = outcome.as_ref().ok();
        let ended = Ended {
            call: self.call,
            about: self.about.clone(),
            outcome: outcome.as_ref().err().map_or("ok", EffectError::code).into(),
            ms: taken.wall_us as f64 / 1_000.0,
            bytes_in: done.map_or(0, |done| done.bytes_in),
            bytes_out: taken.bytes_out,
            calls: taken.calls,
            llm_tokens: taken.llm_tokens,
            sandbox: done.and_then(|done| done.sandbox.clone()).map(|sandbox| sandbox.0.into()),
        };
        // It has happened: that its end can not be written changes nothing for whoever asked. By its decision it is
        // known, and what it reserved stays counted.
        let _told_by_the_audit_itself = self.session.shared.audit.enter(Entry::Outcome(ended));
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_over {
            self.close(&Err(EffectError::Cancelled));
        }
    }
}

/// What a call took in the end. One of which it is certain that nothing was tried takes nothing.
fn taken(reserved: Usage, took: Duration, outcome: &Outcome) -> Usage {
    let wall_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match outcome {
        Ok(Done { bytes_out, llm_tokens, .. }) => Usage {
            calls: reserved.calls,
            wall_us,
            bytes_out: bytes_out.unwrap_or(reserved.bytes_out),
            llm_tokens: *llm_tokens,
        },
        Err(EffectError::Unsupported { .. } | EffectError::Unaudited { .. }) => Usage::default(),
        Err(
            EffectError::NotFound
            | EffectError::Denied { .. }
            | EffectError::UnknownHandle
            | EffectError::TooManyHandles { .. },
        ) => Usage { calls: reserved.calls, wall_us, ..Usage::default() },
        Err(error) if error.may_have_spent_tokens() => Usage { wall_us, ..reserved },
        Err(_) => Usage { wall_us, llm_tokens: 0, ..reserved },
    }
}
