//! Integration tests: each one talks to the binary, and owns every process, socket and file that it touches.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod cli;
