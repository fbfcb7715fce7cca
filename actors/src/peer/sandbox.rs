//! Whether a peer's own program runs behind the kernel's walls, and what is told of it. Pure.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What holds a program that nothing holds.
pub const NONE: &str = "none";

/// Whether a peer's own program is held to its policy's scopes by the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// It is not.
    #[default]
    Off,
    /// As far as this kernel can; where it can not, the program runs all the same.
    BestEffort,
    /// Always: where the kernel can not, the program does not run.
    Required,
}

impl Sandbox {
    /// Whether this is asked for at all.
    pub fn is_wanted(self) -> bool {
        self != Self::Off
    }

    /// By what a program that begins now is held, where `host` is by what this kernel could.
    pub fn held_by(self, host: Option<&str>) -> String {
        host.filter(|_| self.is_wanted()).unwrap_or(NONE).to_owned()
    }

    /// What is told: `begun` is by what the life in hand was held from its beginning on, where there is one.
    pub fn view(self, host: Option<&str>, begun: Option<&str>) -> SandboxView {
        let next = self.held_by(host);
        let held_by = begun.map_or_else(|| next.clone(), str::to_owned);
        let why = match self {
            _ if held_by != NONE => "",
            _ if next != NONE => "it began before it was asked for",
            Self::Off => "not asked for",
            Self::BestEffort | Self::Required => "this kernel has no Landlock",
        };
        SandboxView { next: (next != held_by).then_some(next), held_by, why: why.to_owned() }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::BestEffort => "best-effort",
            Self::Required => "required",
        }
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Sandbox {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let known = [Self::Off, Self::BestEffort, Self::Required].into_iter().find(|known| known.as_str() == text);
        known.ok_or("it is required, best-effort or off")
    }
}

/// By what a program is held, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxView {
    /// `landlock-abi7`, or `none`: of the life in hand, else of the next.
    pub held_by: String,
    /// Why by nothing; empty where it is held.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// By what the next life is held, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Default for SandboxView {
    fn default() -> Self {
        Sandbox::Off.view(None, None)
    }
}

impl fmt::Display for SandboxView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.held_by)?;
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        match &self.next {
            Some(next) => write!(f, "; {next} from its next life"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_holds_and_not_what_was_asked_for() {
        let abi7 = Some("landlock-abi7");
        for (sandbox, host, begun, told) in [
            (Sandbox::Off, abi7, None, "none: not asked for"),
            (Sandbox::Required, abi7, None, "landlock-abi7"),
            (Sandbox::Required, None, None, "none: this kernel has no Landlock"),
            (Sandbox::BestEffort, None, Some("none"), "none: this kernel has no Landlock"),
            (
                Sandbox::Required,
                abi7,
                Some("none"),
                "none: it began before it was asked for; landlock-abi7 from its next life",
            ),
            (Sandbox::Off, abi7, abi7, "landlock-abi7; none from its next life"),
        ] {
            assert_eq!(sandbox.view(host, begun).to_string(), told, "{sandbox}");
        }
    }

    #[test]
    fn a_word_is_read_as_it_is_written() {
        for sandbox in [Sandbox::Off, Sandbox::BestEffort, Sandbox::Required] {
            assert_eq!(sandbox.to_string().parse(), Ok(sandbox));
            assert_eq!(serde_json::to_value(sandbox).unwrap(), sandbox.as_str());
        }
        assert!("yes".parse::<Sandbox>().is_err());
    }
}
