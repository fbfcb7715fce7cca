//! What the provisioner refuses; see [`FleetError`](crate::error::FleetError) for the three parts of each.

use super::{errand::missing, occasion::Direction, slot::Slot};
use crate::error::Kind;

/// Why nothing is swept, or a sweep can not be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// Nobody keeps the memory.
    #[error("memory slot is empty: no provider declared{}", .problems.iter().map(|why| format!("; {why}")).collect::<String>())]
    EmptySlot {
        /// What is wrong with the declaration that is there.
        problems: Vec<String>,
    },
    /// The provider can only be called in the other direction.
    #[error("{what}")]
    MissingDirection {
        /// Which provider, and which direction.
        what: String,
    },
    /// The same sweep is under way.
    #[error("the same sweep is under way: its id is {id}")]
    SweepRuns {
        /// Its id.
        id: u64,
    },
    /// There is no such sweep any more, or there never was.
    #[error("no sweep has the id {id}")]
    UnknownSweep {
        /// What was asked for.
        id: u64,
    },
}

impl ProvisionError {
    /// Whether a sweep in this direction is refused by the slot.
    ///
    /// # Errors
    /// It is.
    pub fn refused_by(slot: &Slot, direction: Direction) -> Result<(), Self> {
        let Some(provider) = &slot.provider else {
            return Err(Self::EmptySlot { problems: slot.problems.iter().map(ToString::to_string).collect() });
        };
        let declared = match direction {
            Direction::On => provider.provision.is_some(),
            Direction::Off => provider.unprovision.is_some(),
        };
        let by_plugin = !provider.has_commands() && provider.plugin.is_some();
        if declared || by_plugin { Ok(()) } else { Err(Self::MissingDirection { what: missing(provider, direction) }) }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::EmptySlot { .. } | Self::MissingDirection { .. } => Kind::Failed,
            Self::SweepRuns { .. } => Kind::Held,
            Self::UnknownSweep { .. } => Kind::NotFound,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::EmptySlot { .. } => "memory-slot-empty",
            Self::MissingDirection { .. } => "missing-direction",
            Self::SweepRuns { .. } => "sweep-runs",
            Self::UnknownSweep { .. } => "unknown-sweep",
        }
    }

    pub(crate) fn hint(&self) -> String {
        match self {
            Self::EmptySlot { .. } => {
                "install a memory provider; it declares itself in memory-provider.json (docs/PROVIDERS.md)".into()
            }
            Self::MissingDirection { .. } => "ask the provider's maker for it; nothing was run".into(),
            Self::SweepRuns { .. } => "wait until it is over; its own caller can end it with Ctrl-C".into(),
            Self::UnknownSweep { .. } => "only the last sweeps are remembered; `coalmine events` tells of all".into(),
        }
    }
}
