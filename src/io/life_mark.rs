//! The mark that every process of a life bears in its environment: `COALMINE_LIFE=<root hash>-<identity>-g<n>`.

use coalmine_actors::names::Generation;
use rustix::fs::{Mode, OFlags};
use std::{fs::File, io::Read};

/// The variable that holds it.
pub(super) const VARIABLE: &str = "COALMINE_LIFE";
/// Most of an environment that is read, bytes; the kernel allows an argument area of this size by default.
const ENVIRON_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Whether a process bears this mark; `buffer` is for whoever asks many.
pub(super) fn bears(pid: i32, mark: &str, buffer: &mut Vec<u8>) -> bool {
    marks(pid, buffer).any(|it| it == mark.as_bytes())
}

/// Whether a process bears a mark that begins like this.
pub(super) fn begins(pid: i32, prefix: &str, buffer: &mut Vec<u8>) -> bool {
    marks(pid, buffer).any(|it| it.starts_with(prefix.as_bytes()))
}

/// Which life of the identity whose marks begin with `prefix` (`<root hash>-<identity>-g`) a process belongs to.
pub(super) fn generation(pid: i32, prefix: &str) -> Option<Generation> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    let number = |mark: &[u8]| std::str::from_utf8(mark.strip_prefix(prefix.as_bytes())?).ok()?.parse().ok();
    marks(pid, &mut buffer).find_map(number).map(Generation)
}

/// None where the process can not be asked.
fn marks(pid: i32, buffer: &mut Vec<u8>) -> impl Iterator<Item = &[u8]> {
    buffer.clear();
    let fd = rustix::fs::open(format!("/proc/{pid}/environ"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    if fd.map_err(Into::into).and_then(|fd| File::from(fd).take(ENVIRON_BYTES_MAX).read_to_end(buffer)).is_err() {
        buffer.clear(); // it has ended meanwhile
    }
    let of_life = |entry: &'_ [u8]| entry.starts_with(VARIABLE.as_bytes()) && entry.get(VARIABLE.len()) == Some(&b'=');
    buffer.split(|byte| *byte == 0).filter(move |entry| of_life(entry)).map(|entry| &entry[VARIABLE.len() + 1..])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{process::Command, time::Duration};
    use tokio::time::Instant;

    /// Whoever spawns is let go before the kernel has laid the new program's environment out.
    pub(in crate::io) fn until_it_bears(pid: i32, mark: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !bears(pid, mark, &mut Vec::new()) {
            assert!(Instant::now() < deadline, "{pid} never bore {mark}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_mark_is_read_whole() {
        let mut bearer = Command::new("/bin/sleep").arg("60").env(VARIABLE, "0f-shell-a-g12").spawn().unwrap();
        let pid = i32::try_from(bearer.id()).unwrap();
        let mut buffer = Vec::new();
        until_it_bears(pid, "0f-shell-a-g12");
        assert!(!bears(pid, "0f-shell-a-g1", &mut buffer));
        assert_eq!(generation(pid, "0f-shell-a-g"), Some(Generation(12)));
        assert_eq!(generation(pid, "0f-shell-b-g"), None);
        bearer.kill().unwrap();
        bearer.wait().unwrap();
        assert_eq!(generation(pid, "0f-shell-a-g"), None);
    }
}
