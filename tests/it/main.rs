//! Integration tests: one binary, so that they share their helpers and are linked once.
//!
//! Every test has its own root and its own sockets, touches only what it made, and leaves nothing behind, also
//! when it fails: see [`support`].
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test that tells how far it came")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too; clippy knows only functions marked so")]
#![allow(unreachable_pub, reason = "one binary: nothing outside it can reach anything")]
#![allow(missing_docs, reason = "a test's name is its claim")]

mod attachments;
mod cli;
mod daemon;
mod effects;
mod fleet;
mod helper;
mod mail;
mod mcp;
mod memory;
mod provisioner;
mod support;
mod verbs;
