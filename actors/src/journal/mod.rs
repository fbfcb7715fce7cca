//! The journal: what happened, one line an event.
pub mod logfmt;
