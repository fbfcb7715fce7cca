//! The root of the tree.
pub mod request;
