//! The kernel: its floor, and what each later step adds.

use crate::cli::findings::Finding;

/// The oldest kernel that serves.
const FLOOR: (u32, u32) = (5, 10);

/// Kernel, and what a fleet gains there.
const STEPS: [((u32, u32), &str); 3] = [
    ((6, 5), "SO_PEERPIDFD: a server behind a socket is named without a race"),
    ((6, 9), "pidfd inodes: a process is known for certain, even when its pid comes again"),
    ((6, 15), "exit status of processes that are not our children: a canary's record is exact"),
];

pub(super) fn check() -> Vec<Finding> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    judge(&release)
}

fn judge(release: &str) -> Vec<Finding> {
    let Some(version) = parse(release) else {
        return vec![Finding::warn("kernel", format!("its release {release:?} is not known"), "uname -r")];
    };
    if version < FLOOR {
        let says = format!("{release} is too old: {}.{} is the floor", FLOOR.0, FLOOR.1);
        return vec![Finding::bad("kernel", says, "install a newer kernel")];
    }
    let mut found = vec![Finding::ok("kernel", release)];
    found.extend(STEPS.iter().map(|((major, minor), adds)| {
        if version >= (*major, *minor) {
            Finding::ok("kernel", format!("{major}.{minor} adds {adds}"))
        } else {
            Finding::warn("kernel", format!("{major}.{minor} would add {adds}"), "install a newer kernel, if you can")
        }
    }));
    found
}

fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_whatever_follows_its_numbers() {
        for (release, version) in [
            ("6.18.44-fc-v657", Some((6, 18))),
            ("5.10.0-28-amd64", Some((5, 10))),
            ("6.9-rc1", Some((6, 9))),
            ("unknown", None),
        ] {
            assert_eq!(parse(release), version, "{release}");
        }
    }

    #[test]
    fn each_step_is_said_to_be_there_or_missing() {
        assert_eq!(judge("5.4.0").len(), 1);
        let steps =
            |release| judge(release).iter().filter(|finding| **finding == Finding::ok("kernel", release)).count();
        assert_eq!(steps("5.10.0"), 1);
        let [_, peerpidfd, inode, status] = &judge("6.9.0")[..] else { panic!("a line for each step") };
        assert_eq!(*peerpidfd, Finding::ok("kernel", format!("6.5 adds {}", STEPS[0].1)));
        assert_eq!(*inode, Finding::ok("kernel", format!("6.9 adds {}", STEPS[1].1)));
        assert_ne!(*status, Finding::ok("kernel", format!("6.15 adds {}", STEPS[2].1)));
    }
}
