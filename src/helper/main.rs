//! The helper beside every peer.
fn main() {}
