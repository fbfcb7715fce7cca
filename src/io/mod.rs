//! The outside: one adapter for each port of the actors, and everything that talks to the kernel.

pub mod witness;
