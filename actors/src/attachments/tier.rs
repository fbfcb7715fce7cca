//! What outlives the process, and the check that a durable fleet is durable in all its parts.

use crate::error::FleetError;
use serde::{Deserialize, Serialize};

/// Whether a store's content outlives its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Gone with the process.
    Ephemeral,
    /// Kept.
    Durable,
}

/// How much of a fleet outlives its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurabilityTier {
    /// Nothing has to.
    Inline,
    /// Everything does.
    #[default]
    Durable,
}

impl From<Persistence> for DurabilityTier {
    fn from(persistence: Persistence) -> Self {
        match persistence {
            Persistence::Ephemeral => Self::Inline,
            Persistence::Durable => Self::Durable,
        }
    }
}

/// Checks that every part of a fleet keeps what the fleet promises.
///
/// # Errors
/// [`FleetError::Unsupported`] with the names of those that do not.
pub fn check_tiers(wanted: DurabilityTier, facets: &[(&str, DurabilityTier)]) -> Result<(), FleetError> {
    let weak: Vec<_> = facets.iter().filter(|(_, tier)| *tier < wanted).map(|(name, _)| *name).collect();
    if weak.is_empty() {
        return Ok(());
    }
    let names = weak.join(", ");
    Err(FleetError::Unsupported {
        what: format!("the fleet is durable, and its {names} would not outlive the daemon"),
        hint: format!(
            "make the {names} durable, or say that nothing of this fleet has to last: [fleet] tier = \"inline\""
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_durable_fleet_with_an_ephemeral_facet_is_refused_and_the_facet_named() {
        let (durable, ephemeral) = (Persistence::Durable.into(), Persistence::Ephemeral.into());
        let facets = [("memory", durable), ("attachments", ephemeral)];
        let error = check_tiers(DurabilityTier::Durable, &facets).unwrap_err();
        assert!(error.to_string().contains("attachments") && !error.to_string().contains("memory"), "{error}");
        assert!(check_tiers(DurabilityTier::Inline, &facets).is_ok());
        assert!(check_tiers(DurabilityTier::Durable, &facets[..1]).is_ok());
    }
}
