//! What Landlock does not see: sockets of other kinds, and input that is pushed into a terminal.
//!
//! A filter of some twenty instructions over a system call's number and arguments. What it denies fails with `EPERM`;
//! nothing is killed by it. The kernel sees only registers here, no memory: it can tell a Unix socket from a TCP socket,
//! but not to where it connects. A Unix socket is the way to every service of this user (the fleet's own socket, tmux,
//! which runs any command outside, Docker, an agent that holds keys), so none can be made.

use std::io;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
#[cfg(target_arch = "x86_64")]
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;

/// Where in `struct seccomp_data` things lie, bytes. Of arguments the lower half, as the kernel itself reads these.
const AT_NUMBER: u32 = 0;
const AT_MACHINE: u32 = 4;
const AT_ARGUMENTS: u32 = 16;

/// `AUDIT_ARCH_*` of `linux/audit.h`: machine, 64 bits, little endian.
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xC000_00B7;
#[cfg(target_arch = "riscv64")]
const MACHINE: u32 = 0xC000_00F3;
/// Calls from here on are those of the x32 interface, under other numbers.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const DENY: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// Families of sockets where TCP is allowed at all. Netlink is how programs learn of the host's addresses.
const INTERNET: &[libc::c_int] = &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Puts this thread, and whatever it starts, under the filter. It must have given up new privileges.
pub(super) fn enter(internet: bool) -> io::Result<()> {
    let mut filter = filter(if internet { INTERNET } else { &[] });
    let program = libc::sock_fprog {
        len: filter.len().try_into().expect("some twenty instructions"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program and its instructions live through the call; the kernel copies them.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The instructions; only sockets of `families` can be made.
fn filter(families: &[libc::c_int]) -> Vec<libc::sock_filter> {
    let mut filter = vec![
        load(AT_MACHINE),
        // Numbers mean other calls on another machine, so its calls are denied as a whole.
        skip_if(IF_EQUAL, MACHINE, 1, 0),
        answer(DENY),
        load(AT_NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    filter.extend([skip_if(IF_AT_LEAST, X32, 0, 1), answer(DENY)]);
    // Its rings open sockets without the call that is looked at here.
    filter.extend([skip_if(IF_EQUAL, number(libc::SYS_io_uring_setup), 0, 1), answer(DENY)]);
    filter.extend(on(number(libc::SYS_ioctl), &ioctl()));
    filter.extend(on(number(libc::SYS_socket), &socket(families)));
    filter.push(answer(ALLOW));
    filter
}

/// `body` for this call alone; it answers.
fn on(number: u32, body: &[libc::sock_filter]) -> Vec<libc::sock_filter> {
    let length = u8::try_from(body.len()).expect("a few instructions");
    [skip_if(IF_EQUAL, number, 0, length)].iter().chain(body).copied().collect()
}

/// Nothing is pushed into a terminal as if it had been typed there, by bytes or by a selection of a console.
fn ioctl() -> [libc::sock_filter; 5] {
    let (push, console) = (libc::TIOCSTI as u32, libc::TIOCLINUX as u32);
    [load(argument(1)), skip_if(IF_EQUAL, push, 1, 0), skip_if(IF_EQUAL, console, 0, 1), answer(DENY), answer(ALLOW)]
}

fn socket(families: &[libc::c_int]) -> Vec<libc::sock_filter> {
    let mut body = vec![load(argument(0))];
    for (left, family) in (1..=families.len()).rev().zip(families) {
        // Over the other families and the denial behind them.
        let over = u8::try_from(left).expect("a handful of families");
        body.push(skip_if(IF_EQUAL, u32::try_from(*family).expect("families are small"), over, 0));
    }
    body.extend([answer(DENY), answer(ALLOW)]);
    body
}

fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).expect("a system call's number")
}

fn argument(index: u32) -> u32 {
    AT_ARGUMENTS + 8 * index
}

fn load(at: u32) -> libc::sock_filter {
    libc::sock_filter { code: LOAD, jt: 0, jf: 0, k: at }
}

fn skip_if(code: u16, value: u32, if_so: u8, else_: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: if_so, jf: else_, k: value }
}

fn answer(what: u32) -> libc::sock_filter {
    libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with a call, by the same instructions.
    fn run(filter: &[libc::sock_filter], machine: u32, number: u32, arguments: [u64; 2]) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = filter[at];
            at += 1;
            match step.code {
                LOAD => {
                    loaded = match step.k {
                        AT_MACHINE => machine,
                        AT_NUMBER => number,
                        at => arguments[((at - AT_ARGUMENTS) / 8) as usize] as u32,
                    }
                }
                RETURN => return step.k,
                code => {
                    let so = if code == IF_EQUAL { loaded == step.k } else { loaded >= step.k };
                    at += usize::from(if so { step.jt } else { step.jf });
                }
            }
        }
    }

    #[test]
    #[allow(clippy::unnecessary_cast, reason = "musl has these numbers in another type")]
    fn only_what_is_named_is_denied() {
        let (none, internet) = (filter(&[]), filter(INTERNET));
        let socket = number(libc::SYS_socket);
        let ioctl = number(libc::SYS_ioctl);
        for (call, arguments, without, with) in [
            (number(libc::SYS_read), [0, 0], ALLOW, ALLOW),
            (number(libc::SYS_socketpair), [libc::AF_UNIX as u64, 0], ALLOW, ALLOW),
            (number(libc::SYS_io_uring_setup), [0, 0], DENY, DENY),
            (ioctl, [0, libc::TIOCSTI as u64], DENY, DENY),
            // The kernel reads 32 bits of it; so is it judged.
            (ioctl, [0, libc::TIOCSTI as u64 | 1 << 40], DENY, DENY),
            (ioctl, [0, libc::TIOCLINUX as u64], DENY, DENY),
            (ioctl, [0, libc::TIOCGWINSZ as u64], ALLOW, ALLOW),
            (ioctl, [libc::TIOCSTI as u64, 0], ALLOW, ALLOW),
            (socket, [libc::AF_UNIX as u64, 0], DENY, DENY),
            (socket, [libc::AF_UNIX as u64 | 1 << 40, 0], DENY, DENY),
            (socket, [libc::AF_INET as u64, 0], DENY, ALLOW),
            (socket, [libc::AF_INET6 as u64, 0], DENY, ALLOW),
            (socket, [libc::AF_NETLINK as u64, 0], DENY, ALLOW),
            (socket, [libc::AF_VSOCK as u64, 0], DENY, DENY),
            (socket, [libc::AF_PACKET as u64, 0], DENY, DENY),
        ] {
            assert_eq!(run(&none, MACHINE, call, arguments), without, "{call} {arguments:?}");
            assert_eq!(run(&internet, MACHINE, call, arguments), with, "{call} {arguments:?} with TCP");
            assert_eq!(run(&internet, 0x4000_0003, call, arguments), DENY, "{call} as i386 calls it");
        }
        #[cfg(target_arch = "x86_64")]
        assert_eq!(run(&internet, MACHINE, X32 | socket, [libc::AF_UNIX as u64, 0]), DENY);
    }
}
