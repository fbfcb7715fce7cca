//! What every program needs to run at all, whatever its policy says. Nothing of it belongs to a person or to the fleet.

/// Read and run: programs, their libraries, and what comes with them. `/opt` and `/home` are a policy's to grant.
pub(super) const PROGRAMS: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"];

/// Read. Of `/etc` by name, because it holds keys and passwords too; files that are replaced by a package manager while
/// a program runs are the old ones for it.
pub(super) const FILES: &[&str] = &[
    // The loader and the C library: where libraries are, who users are, what names mean, what time it is.
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/os-release",
    // Whom TLS trusts; not `/etc/ssl/private`.
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    // Shells and what they start.
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/inputrc",
    "/etc/terminfo",
    "/etc/alternatives",
    "/etc/mime.types",
    "/etc/gitconfig",
    // How many processors and how much memory there is: runtimes size their pools by it. Of processes nothing.
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/stat",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
];

/// Read, write, control. `/dev/tty` is the program's own terminal; of `/dev/pts` it has that one alone, so that it can
/// neither read nor write what others see.
pub(super) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
