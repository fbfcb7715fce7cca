//! Walls around programs: by what this kernel would hold them.

use crate::{cli::findings::Finding, io::sandbox};

/// Since when TCP ports are held, and since when signals.
const PORTS: u32 = 4;
const SIGNALS: u32 = 6;

pub(super) fn check() -> Finding {
    judge(sandbox::abi())
}

fn judge(abi: Option<u32>) -> Finding {
    let says = sandbox::name_of(abi);
    match abi {
        Some(SIGNALS..) => Finding::ok("sandbox", says),
        Some(PORTS..) => Finding::warn("sandbox", format!("{says} does not hold signals"), "install Linux 6.12"),
        Some(_) => Finding::warn("sandbox", format!("{says} holds files alone"), "install Linux 6.12"),
        None => Finding::warn(
            "sandbox",
            "this kernel has no Landlock: `create --sandbox` is refused",
            "install Linux 6.12, or boot with landlock in `lsm=`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_kernel_leaves_open_is_said() {
        assert_eq!(judge(Some(7)), Finding::ok("sandbox", "landlock-abi7"));
        for (abi, says) in [(Some(5), "signals"), (Some(3), "files alone"), (None, "no Landlock")] {
            let found = judge(abi);
            assert!(format!("{found:?}").contains(says), "{found:?}");
        }
    }
}
