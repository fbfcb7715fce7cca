//! What a program may still do once it has given up the rest: the kernel's own walls around a process.
//!
//! ```text
//! rules.rs     what a policy leaves to a program: folders, ports; also as entries of a pane file
//! hidden.rs    what nobody is granted, known by device and inode
//! needs.rs     what every program needs to run at all
//! landlock.rs  files, TCP ports, signals: three system calls
//! seccomp.rs   sockets of other kinds, and input pushed into a terminal
//! walls.rs     all of it together, around the thread that enters
//! ```
//!
//! A thread that has entered can not leave, and neither can what it starts. The daemon enters with a thread that does
//! nothing but start one program; `coalmine-helper pane` enters and becomes the program. Both share this as source.
#![allow(unsafe_code, reason = "three system calls of Landlock and one of seccomp have no wrapper in rustix")]

pub mod hidden;
mod landlock;
mod needs;
pub mod rules;
mod seccomp;
pub mod walls;

pub use landlock::abi;

/// By what a program is held here, as results, views and the audit log say it: `landlock-abi7`, or `none`.
pub fn name_of(abi: Option<u32>) -> String {
    abi.map_or_else(|| "none".to_owned(), |abi| format!("landlock-abi{abi}"))
}

/// Whether this kernel can put a claim to the test; one that it can not is said aloud, and not passed over in silence.
#[cfg(test)]
pub(crate) fn can_test(claim: &str, abi_min: u32) -> bool {
    use std::io::Write;
    let can = abi().is_some_and(|abi| abi >= abi_min);
    if !can {
        let _unheard = writeln!(std::io::stderr(), "\nNOT TESTED: {claim}: Landlock here is {:?}", abi());
    }
    can
}
