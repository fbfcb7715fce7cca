//! Integration tests.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too; clippy knows only functions marked so")]

mod helper;
