//! The operations that need no family: time, chance, variables, the session's sink and log, its budget.

use super::{
    argument::{Level, Place},
    budget::Budget,
    error::EffectError,
    ledger::{Ledger, ms},
    op::Request,
    output::Output,
    port::{Call, Outcome},
    session::Inner,
    uniform,
};
use serde_json::json;
use std::{sync::PoisonError, time::Duration};
use tokio::time::sleep;

/// Longest sleep of one call.
pub const SLEEP_TIME_MAX: Duration = Duration::from_secs(60);

impl Inner {
    /// Carries out what waits for nothing but, perhaps, a disk.
    pub(super) fn core(&self, call: Call) -> Outcome {
        let output = match &call.request {
            Request::IoPrint { line } => self.print.line(line).map(|()| Output::Null)?,
            Request::LogDebug { message } => self.log(Level::Debug, message)?,
            Request::LogInfo { message } => self.log(Level::Info, message)?,
            Request::LogWarn { message } => self.log(Level::Warn, message)?,
            Request::LogError { message } => self.log(Level::Error, message)?,
            Request::LogSetLevel { level } => {
                self.log.set_level(*level);
                Output::Null
            }
            Request::LogSetFormat { format } => {
                self.log.set_format(*format);
                Output::Null
            }
            Request::LogSetSink { path: Place::Own } => {
                self.log.set_sink(None);
                Output::Null
            }
            Request::LogSetSink { path: Place::At(_) } => {
                self.log.set_sink(Some(self.shared.host.log_sink(call)?));
                Output::Null
            }
            Request::TimeNow {} => Output::Json(json!(self.shared.clock.now().wall.as_microsecond() as f64 / 1e6)),
            Request::DatetimeNow {} => {
                let nanoseconds = i64::try_from(self.shared.clock.now().wall.as_nanosecond());
                Output::Int(nanoseconds.map_err(|_| EffectError::Internal("the clock is beyond 2262".into()))?)
            }
            Request::RandIntIn { lo, hi } => Output::Int(uniform::between(*lo, *hi, || self.draw(&call))?),
            Request::CryptoRandom { n } => {
                let mut bytes = vec![0; usize::try_from(n.0).unwrap_or(0)];
                self.shared.chance.fill(&mut bytes)?;
                Output::Bytes(bytes.into())
            }
            Request::EnvGet { name } => self.shared.environment.get(&name.0).map_or(Output::Null, Output::Text),
            Request::BudgetRemaining {} => Output::Json(remaining(&self.account.ledger, &call.policy.budget)),
            other => return Err(EffectError::Internal(format!("{} is none of the core", other.op()))),
        };
        Ok(output.into())
    }

    fn log(&self, level: Level, message: &str) -> Result<Output, EffectError> {
        self.log.write(self.shared.clock.now().wall, level, message).map(|()| Output::Null)
    }

    /// 64 bits: of the system, or of the seed that the policy sets.
    fn draw(&self, call: &Call) -> Result<u64, EffectError> {
        if let Some(seed) = call.policy.random_seed {
            let mut seeded = self.seeded.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(seeded.get_or_insert_with(|| fastrand::Rng::with_seed(seed)).u64(..));
        }
        let mut bytes = [0; 8];
        self.shared.chance.fill(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// Waits, and blocks nobody; the session's end and the end of its time call it off.
    pub(super) async fn sleep(&self, call: &Call, wanted_ms: i64) -> Outcome {
        let wanted = Duration::from_millis(u64::try_from(wanted_ms).unwrap_or(0)).min(SLEEP_TIME_MAX);
        let allowed = call.time_left.unwrap_or(SLEEP_TIME_MAX);
        tokio::select! {
            // Both are cancel-safe: nothing is held.
            () = sleep(wanted.min(allowed)) => {}
            () = self.seat.ended() => return Err(EffectError::Cancelled),
        }
        if wanted > allowed { Err(EffectError::Timeout { phase: "budget" }) } else { Ok(Output::Null.into()) }
    }
}

/// What is left of each number that has a ceiling.
fn remaining(ledger: &Ledger, budget: &Budget) -> serde_json::Value {
    let used = ledger.used();
    let left = |ceiling: Option<u64>, used: u64| ceiling.map(|ceiling| ceiling.saturating_sub(used));
    json!({
        "calls": left(budget.calls, used.calls),
        "wall_ms": ledger.time_left(budget).map(ms),
        "bytes_out": left(budget.bytes_out, used.bytes_out),
        "llm_tokens": left(budget.llm_tokens, used.llm_tokens),
    })
}
