//! The rules and the desk, without a disk.

mod interleaving;
mod rules;
