//! The registry: the peers of the fleet, as `fleet.json` holds them.
pub mod document;
