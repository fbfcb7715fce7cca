//! When a provider is called, and in which of its two directions.

use serde::{Deserialize, Serialize};

/// Why a provider is called. Its command reads this word as `{occasion}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A peer is made, or gets another runtime.
    Birth,
    /// Somebody swept the memory on.
    SweepOn,
    /// Somebody swept it off for one peer.
    OffPeer,
    /// Somebody swept it off for all.
    OffAll,
    /// A peer is removed.
    Remove,
}

impl Occasion {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::SweepOn => "sweep-on",
            Self::OffPeer => "off-peer",
            Self::OffAll => "off-all",
            Self::Remove => "remove",
        }
    }

    /// Which of the provider's commands it calls.
    pub fn direction(self) -> Direction {
        match self {
            Self::Birth | Self::SweepOn => Direction::On,
            Self::OffPeer | Self::OffAll | Self::Remove => Direction::Off,
        }
    }
}

/// Memory into a folder, or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// `provision`.
    On,
    /// `unprovision`.
    Off,
}

impl Direction {
    /// The declaration's block that serves it.
    pub fn block(self) -> &'static str {
        match self {
            Self::On => "provision",
            Self::Off => "unprovision",
        }
    }
}
