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
    fd::{AsFd, BorrowedFd, OwnedFd},
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
        for path in needs::PROGRAMS.lines().chain(needs::FILES.lines()) {
            allow(&ruleset, Right::Read, &hidden::needed(Path::new(path), &hidden)?)?;
        }
        for path in needs::DEVICES.lines() {
            allow(&ruleset, Right::Use, &hidden::needed(Path::new(path), &hidden)?)?;
        }
        for (paths, right) in [(&rules.read, Right::Read), (&rules.write, Right::Write)] {
            for path in paths {
                allow(&ruleset, right, &hidden::grantable(path, &hidden)?)?;
            }
        }
        Ok(Self { ruleset: Some(ruleset), internet, abi })
    }

    /// Opens a door for a program that was chosen: its file may be read and run, wherever it lies.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn open_for_program(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        match self.ruleset.as_ref().map_or(Ok(()), |ruleset| ruleset.allow(file, Right::Read)) {
            // In memory it lies in no folder, and Landlock denies nothing of it.
            Err(nowhere) if nowhere.raw_os_error() == Some(libc::EBADFD) => Ok(()),
            allowed => allowed,
        }
    }

    /// The same by its path.
    ///
    /// # Errors
    /// It can not be opened; the kernel refused.
    pub fn open_for_program_at(&self, path: &Path) -> io::Result<()> {
        let file = openat(CWD, path, hidden::LOOK, Mode::empty())?;
        self.open_for_program(file.as_fd())
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

fn allow(ruleset: &Ruleset, right: Right, found: &[OwnedFd]) -> io::Result<()> {
    found.iter().try_for_each(|found| ruleset.allow(found.as_fd(), right))
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

#[cfg(test)]
mod tests {
    use super::{super::can_test, *};
    use std::{
        fs,
        net::{TcpListener, TcpStream},
        os::unix::net::UnixStream,
        path::PathBuf,
    };

    /// What `look` finds on a thread behind the walls of `rules`.
    fn inside<T: Send>(rules: &Rules, look: impl FnOnce() -> T + Send) -> T {
        let walls = Walls::build(rules).unwrap();
        std::thread::scope(|scope| {
            let behind = scope.spawn(|| {
                walls.enter().unwrap();
                look()
            });
            behind.join().unwrap()
        })
    }

    fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
        result.err().map(|error| error.kind())
    }

    const DENIED: Option<io::ErrorKind> = Some(io::ErrorKind::PermissionDenied);

    /// A folder with `in/f`, `out/f` and `in/state/f`.
    fn yard() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for folder in ["in/state", "out"] {
            fs::create_dir_all(base.join(folder)).unwrap();
            fs::write(base.join(folder).join("f"), "text").unwrap();
        }
        fs::write(base.join("in/f"), "text").unwrap();
        (dir, move |path| base.join(path))
    }

    #[test]
    fn behind_the_walls_only_what_is_granted_is_there() {
        if !can_test("behind the walls only what is granted is there", 1) {
            return;
        }
        let (_dir, at) = yard();
        let rules =
            Rules { read: vec![at("in")], write: vec![at("in")], hide: vec![at("in/state")], ..Rules::default() };
        let seen = inside(&rules, || {
            [
                kind(fs::read(at("in/f"))),
                kind(fs::write(at("in/f"), "new")),
                kind(fs::read("/etc/passwd")),
                kind(fs::write("/dev/null", "x")),
                kind(fs::read(at("out/f"))),
                kind(fs::write(at("out/f"), "x")),
                kind(fs::remove_file(at("out/f"))),
                // Hidden, although it lies in what is granted.
                kind(fs::read(at("in/state/f"))),
                kind(fs::read("/etc/shadow")),
                kind(fs::read_dir("/dev/pts")),
                kind(fs::read("/proc/1/environ")),
            ]
        });
        assert_eq!(seen[..4], [None; 4]);
        assert_eq!(seen[4..], [DENIED; 7]);
        assert_eq!(kind(fs::read(at("out/f"))), None, "outside everything is as it was");
    }

    #[test]
    fn reading_is_no_leave_to_write_nor_the_other_way_round() {
        if !can_test("reading is no leave to write", 1) {
            return;
        }
        let (_dir, at) = yard();
        let rules = Rules { read: vec![at("in")], write: vec![at("out")], ..Rules::default() };
        let seen = inside(&rules, || [kind(fs::write(at("in/f"), "x")), kind(fs::read(at("out/f")))]);
        assert_eq!(seen, [DENIED; 2]);
    }

    #[test]
    fn a_port_is_reached_where_it_is_granted_and_no_service_of_this_user_at_all() {
        let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [granted, other] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let (_dir, at) = yard();
        let socket = at("in/s");
        let _service = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let some = Rules { read: vec![at("in")], connect: Ports::Only(vec![granted.port()]), ..Rules::default() };
        let look = || {
            [
                kind(TcpStream::connect(granted)),
                kind(TcpStream::connect(other)),
                kind(TcpListener::bind("127.0.0.1:0")),
                kind(UnixStream::connect(&socket)),
            ]
        };
        if can_test("a port is reached where it is granted", 4) {
            assert_eq!(inside(&some, look), [None, DENIED, DENIED, DENIED]);
        }
        assert_eq!(inside(&Rules::default(), look), [DENIED; 4]);
        let any = Rules { connect: Ports::Any, listen: Ports::Any, ..Rules::default() };
        assert_eq!(inside(&any, look), [None, None, None, DENIED]);
        assert_eq!(look(), [None; 4], "outside nothing is denied");
    }

    #[test]
    fn nothing_is_pushed_into_a_terminal_and_no_power_is_left() {
        let push = || {
            let byte = b'x';
            // SAFETY: the byte lives through the call.
            unsafe { libc::ioctl(0, libc::TIOCSTI, &raw const byte) };
            io::Error::last_os_error().raw_os_error()
        };
        // SAFETY: asks for nothing: no entries, no parameters.
        let ring = || match unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, std::ptr::null::<u8>()) } {
            -1 => io::Error::last_os_error().raw_os_error(),
            _ => None,
        };
        let (pushed, ring, left) = inside(&Rules::default(), || (push(), ring(), capabilities(None).unwrap()));
        assert_eq!((pushed, ring), (Some(libc::EPERM), Some(libc::EPERM)));
        assert!(CAPABILITIES_KEPT.contains(left.permitted | left.effective | left.inheritable), "{left:?}");
    }
}
