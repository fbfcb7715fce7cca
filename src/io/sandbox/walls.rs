//! All walls together, around the thread that enters and whatever it starts.
//!
//! In this order: capabilities that would open doors elsewhere are dropped, new privileges given up, files and ports
//! closed by Landlock, sockets and terminals by seccomp. A failure on the way is an error, and whoever entered must end.

use super::{
    hidden::{self, Hidden},
    landlock::{self, Right, Ruleset, Tcp},
    needs,
    rules::{Ports, Rules},
    seccomp,
};
use rustix::{
    fd::BorrowedFd,
    fs::{CWD, Mode, openat},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs},
};
use std::{io, path::Path};

/// What is left of root's powers: to pass over the permissions of files. Landlock says which files there are; every
/// other power (kernel modules, raw disks, handles of files, other people's processes) is a way around it.
const CAPABILITIES_KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE;

/// Walls that stand ready.
#[derive(Debug)]
pub struct Walls {
    ruleset: Option<Ruleset>,
    internet: bool,
    abi: Option<u32>,
}

impl Walls {
    /// Builds what `rules` say, as far as this kernel can.
    ///
    /// # Errors
    /// A folder can not be looked at; the kernel refused a rule.
    pub fn build(rules: &Rules) -> io::Result<Self> {
        let hidden = Hidden::of(rules.hide.iter().cloned())?;
        let internet = rules.connect != Ports::None || rules.listen != Ports::None;
        let abi = landlock::abi();
        let Some(known) = abi else { return Ok(Self { ruleset: None, internet, abi }) };
        let uses = [(&rules.connect, Tcp::Connect), (&rules.listen, Tcp::Bind)];
        let handled: Vec<Tcp> = uses.iter().filter(|(ports, _)| **ports != Ports::Any).map(|(_, tcp)| *tcp).collect();
        let ruleset = Ruleset::new(known, &handled)?;
        for (ports, tcp) in uses {
            ports.named().iter().try_for_each(|port| ruleset.allow_port(*port, tcp))?;
        }
        let walls = Self { ruleset: Some(ruleset), internet, abi };
        for path in needs::PROGRAMS.iter().chain(needs::FILES) {
            walls.open_for(Path::new(path), Right::Read, &hidden)?;
        }
        for path in needs::DEVICES {
            walls.open_for(Path::new(path), Right::Use, &hidden)?;
        }
        for (paths, right) in [(&rules.read, Right::Read), (&rules.write, Right::Write)] {
            paths.iter().try_for_each(|path| walls.open_for(path, right, &hidden))?;
        }
        Ok(walls)
    }

    fn open_for(&self, path: &Path, right: Right, hidden: &Hidden) -> io::Result<()> {
        let Some(ruleset) = &self.ruleset else { return Ok(()) };
        hidden::grantable(path, hidden)?
            .iter()
            .try_for_each(|found| ruleset.allow(rustix::fd::AsFd::as_fd(found), right))
    }

    /// Opens a door for a program that was chosen: its file may be read and run, wherever it lies.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn open_for_program(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.ruleset.as_ref().map_or(Ok(()), |ruleset| ruleset.allow(file, Right::Read))
    }

    /// The same by its path.
    ///
    /// # Errors
    /// It can not be opened; the kernel refused.
    pub fn open_for_program_at(&self, path: &Path) -> io::Result<()> {
        let file = openat(CWD, path, hidden::LOOK, Mode::empty())?;
        self.open_for_program(rustix::fd::AsFd::as_fd(&file))
    }

    /// Opens a door for the terminal that the program runs in.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn open_for_terminal(&self, terminal: BorrowedFd<'_>) -> io::Result<()> {
        self.ruleset.as_ref().map_or(Ok(()), |ruleset| ruleset.allow(terminal, Right::Use))
    }

    /// The ABI that holds the files; nothing where this kernel has no Landlock.
    pub fn abi(&self) -> Option<u32> {
        self.abi
    }

    /// Puts this thread, and whatever it starts, inside. There is no way back.
    ///
    /// # Errors
    /// The kernel refused; the thread is neither outside nor inside then, and must end.
    pub fn enter(&self) -> io::Result<()> {
        let had = capabilities(None)?;
        let kept = had.permitted & CAPABILITIES_KEPT;
        set_capabilities(
            None,
            CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
        )?;
        set_no_new_privs(true)?;
        if let Some(ruleset) = &self.ruleset {
            ruleset.enter()?;
        }
        seccomp::enter(self.internet)
    }
}

/// Keeps every descriptor from `first` on from whatever this process becomes.
///
/// # Errors
/// The kernel refused.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: only sets a flag on descriptors; none is closed or read.
    let done = unsafe { libc::close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
