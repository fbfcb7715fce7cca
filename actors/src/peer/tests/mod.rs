//! The peer's contract: its decisions as rows, its invariants as a model, its actor with fakes and a paused clock.

mod adopting;
mod beginning;
mod canary;
mod dying;
mod idling;
mod incident;
mod lab;
mod model;
mod odds;
mod one_task;
mod quarantine;
mod rearming;
mod session;
mod starting;
mod stopping;
mod truth;
