//! The kill campaign: random schedules that kill, stop and continue everything that a fleet is made of, at any
//! moment and at named steps, and a checker that holds the files and the process table against what was done.
//!
//! A few schedules run with every `cargo test`. The whole campaign:
//! `COALMINE_CAMPAIGN_COUNT=2000 COALMINE_CAMPAIGN_SEED=1 cargo test --release --test campaign -- --ignored`
//!
//! ```text
//! seed ─▶ schedule ─▶ yard (a root, a daemon, three peers) ─▶ steps, and the ledger of what they did
//!                                                               ▼
//!      failure: seed, schedule, journal ◀─ complaints? ◀─ everything continued, a daemon started, and waited
//! ```
#![allow(clippy::print_stderr, reason = "it tells how far it is")]
#![allow(unreachable_pub, reason = "one binary: nothing outside it can reach anything")]
#![allow(clippy::unwrap_used, reason = "a test says by panicking what went wrong")]
#![allow(missing_docs, reason = "nothing of it is for others")]

mod boot;
mod campaign;
mod census;
mod checker;
mod ledger;
mod newborn;
mod pid_reuse;
mod schedule;
mod sharp;
mod silence;
mod tally;
mod yard;

#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

/// Schedules that run with every test.
const SHORT: u64 = 25;

#[test]
fn a_short_campaign_loses_nothing_and_doubles_nothing() {
    campaign::run(campaign::number("COALMINE_CAMPAIGN_SHORT", SHORT), campaign::number("COALMINE_CAMPAIGN_SEED", 1));
}

#[test]
#[ignore = "takes ten minutes with a release build: COALMINE_CAMPAIGN_COUNT schedules from COALMINE_CAMPAIGN_SEED on"]
fn a_long_campaign_loses_nothing_and_doubles_nothing() {
    campaign::run(campaign::number("COALMINE_CAMPAIGN_COUNT", 2_000), campaign::number("COALMINE_CAMPAIGN_SEED", 1));
}
