//! The tree's contract: messages to real actors, with a world of fakes and a paused clock.

mod crashes;
mod house;
mod lives;
mod loading;
mod memory;
mod removal;
mod root;
mod sessions;
mod survival;
