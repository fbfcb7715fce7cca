//! What a check found: each with its weight and with what to type.

use super::{
    context::Context,
    failure::{Failure, Outcome},
    output,
};
use crate::text::one_line;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// Longest finding, characters.
const SAYS_CHARS_MAX: usize = 400;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Weight {
    Ok,
    Warn,
    Bad,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    weight: Weight,
    /// What was looked at.
    subject: String,
    /// What was seen.
    says: String,
    /// What to run about it; empty where nothing is to be done.
    run: String,
}

impl Finding {
    pub(super) fn ok(subject: &str, says: impl ToString) -> Self {
        Self { weight: Weight::Ok, subject: subject.into(), says: says.to_string(), run: String::new() }
    }

    pub(super) fn warn(subject: &str, says: impl ToString, run: impl ToString) -> Self {
        Self { weight: Weight::Warn, subject: subject.into(), says: says.to_string(), run: run.to_string() }
    }

    pub(super) fn bad(subject: &str, says: impl ToString, run: impl ToString) -> Self {
        Self { weight: Weight::Bad, subject: subject.into(), says: says.to_string(), run: run.to_string() }
    }

    fn text(&self) -> String {
        let (word, color) = match self.weight {
            Weight::Ok => ("ok  ", AnsiColor::Green),
            Weight::Warn => ("warn", AnsiColor::Yellow),
            Weight::Bad => ("bad ", AnsiColor::Red),
        };
        let style: Style = color.on_default();
        let run = if self.run.is_empty() { String::new() } else { format!("\n      run: {}", self.run) };
        format!("{style}{word}{style:#}  {}: {}{run}", self.subject, one_line(&self.says, SAYS_CHARS_MAX))
    }
}

/// Writes them all; degraded (6) when one is bad.
pub(super) fn report(context: &Context, findings: &[Finding]) -> Outcome {
    if context.json {
        output::document(&findings, None)?;
    } else {
        output::print(&findings.iter().map(Finding::text).collect::<Vec<_>>().join("\n"))?;
    }
    if findings.iter().any(|finding| finding.weight == Weight::Bad) { Err(Failure::degraded()) } else { Ok(()) }
}
