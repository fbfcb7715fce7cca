//! A whole fleet on real tmux, from inside a program.
mod deaths;
mod embedding;
mod idle;
mod limits;
mod mass;
mod restarts;
mod sandbox;
mod sessions;
