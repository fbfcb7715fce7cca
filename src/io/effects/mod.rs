//! What agents do to the world, family by family: each takes what was checked, and nothing else.

pub mod fs_list;
pub mod fs_read;
pub mod fs_remove;
pub mod fs_write;
pub mod proc;
pub mod roots;
