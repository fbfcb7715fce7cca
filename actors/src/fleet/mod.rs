//! The root of the tree: it supervises the stores and the peers, and conducts what concerns several of them.
pub mod actor;
mod conduct;
pub mod message;
pub mod request;
pub mod resolve;
#[cfg(test)]
mod tests;
