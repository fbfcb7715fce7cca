//! What every program needs to run at all, whatever its policy says. Nothing of it belongs to a person or to the fleet.
//!
//! A line a path, in one text: a list of references would be written over by the loader in every process of the helper,
//! and cost each canary a page of its own.

/// Read and run: programs, their libraries, and what comes with them. `/opt` and `/home` are a policy's to grant.
pub(super) const PROGRAMS: &str = "/usr\n/bin\n/sbin\n/lib\n/lib32\n/lib64\n/libx32\n/nix/store\n/gnu/store";

/// Read. Of `/etc` by name, because it holds keys and passwords too; files that are replaced by a package manager while
/// a program runs are the old ones for it.
pub(super) const FILES: &str = concat!(
    // The loader and the C library: where libraries are, who users are, what names mean, what time it is.
    "/etc/ld.so.cache\n",
    "/etc/ld.so.conf\n",
    "/etc/ld.so.conf.d\n",
    "/etc/passwd\n",
    "/etc/group\n",
    "/etc/nsswitch.conf\n",
    "/etc/host.conf\n",
    "/etc/hosts\n",
    "/etc/resolv.conf\n",
    "/etc/gai.conf\n",
    "/etc/services\n",
    "/etc/protocols\n",
    "/etc/localtime\n",
    "/etc/timezone\n",
    "/etc/locale.alias\n",
    "/etc/os-release\n",
    // Whom TLS trusts; not `/etc/ssl/private`.
    "/etc/ssl/certs\n",
    "/etc/ssl/openssl.cnf\n",
    "/etc/ca-certificates\n",
    "/etc/pki/tls/certs\n",
    "/etc/pki/ca-trust/extracted\n",
    // Shells and what they start.
    "/etc/profile\n",
    "/etc/profile.d\n",
    "/etc/bash.bashrc\n",
    "/etc/bashrc\n",
    "/etc/inputrc\n",
    "/etc/terminfo\n",
    "/etc/alternatives\n",
    "/etc/mime.types\n",
    "/etc/gitconfig\n",
    // How many processors and how much memory there is: runtimes size their pools by it. Of processes nothing.
    "/proc/cpuinfo\n",
    "/proc/meminfo\n",
    "/proc/loadavg\n",
    "/proc/stat\n",
    "/proc/uptime\n",
    "/proc/version\n",
    "/proc/filesystems\n",
    "/proc/sys/vm/overcommit_memory\n",
    "/sys/devices/system/cpu\n",
);

/// Read, write, control. `/dev/tty` is the program's own terminal; of `/dev/pts` it has that one alone, so that it can
/// neither read nor write what others see.
pub(super) const DEVICES: &str = "/dev/null\n/dev/zero\n/dev/full\n/dev/random\n/dev/urandom\n/dev/tty";
