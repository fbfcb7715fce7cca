//! Power cuts: an ext4 of its own, shut down without a flush while records are being acknowledged.
//!
//! Only what was acknowledged before the cut began counts: a sync that races with it says nothing. The same without
//! syncs must lose records, or the cut proves nothing.

use crate::support::is_root;
use coalmine::io::{
    clock::HostClock,
    memory::{MemoryJsonl, OpenOptions, read_unlocked},
};
use coalmine_actors::memory::{Durability, Memory, MemoryParts, index::Standing, item::NewItem};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

const CUTS: u64 = 20;
const CALLERS: usize = 8;
/// `ioctl(EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH)`.
const CUT: &str = "open F, '<', $ARGV[0] or die; my $how = pack('L', 2); ioctl(F, 0x8004587D, $how) or die";

/// A disk of its own; unmounted at the end.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(64 * 1024 * 1024).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let disk = Self { folder };
        std::fs::create_dir(disk.place()).unwrap();
        disk.mount();
        disk
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.folder.path().join("image")).arg(self.place()));
    }

    fn cut(&self) {
        run(Command::new("perl").args(["-e", CUT]).arg(self.place()));
    }

    /// Off and on again: what the journal of the file system has is played back.
    async fn restart(&self) {
        let off = || async { Command::new("umount").arg(self.place()).status().unwrap().success().then_some(()) };
        crate::support::eventually("the cut disk is let go", off).await;
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.place()).stderr(std::process::Stdio::null()).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

async fn memory(path: &Path, durability: Durability) -> Memory {
    let parts = MemoryParts {
        file: Arc::new(MemoryJsonl::new(path.into(), path.with_extension("sqlite"), OpenOptions::default())),
        search: None,
        clock: Arc::new(HostClock),
        journal: None,
        durability,
        index_eagerly: false,
    };
    let memory = Memory::start(parts, None).await.unwrap();
    memory.stats().await.unwrap();
    memory
}

/// One cut; how many records were acknowledged before it, and how many of these are gone.
async fn cut_once(durability: Durability, after: Duration) -> (usize, usize) {
    let disk = Disk::new();
    let path = disk.place().join("memory.jsonl");
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let memory = memory(&path, durability).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (memory, acknowledged) = (memory.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                while let Ok(added) = memory.add(NewItem::new("fact", "x".repeat(200))).await {
                    acknowledged.lock().unwrap().push(added.id);
                }
            })
        })
        .collect();
    tokio::time::sleep(after).await; // a cut comes when it comes
    let before: Vec<u64> = acknowledged.lock().unwrap().clone();
    disk.cut();
    for caller in callers {
        caller.await.unwrap();
    }
    let _the_disk_is_gone = memory.close(Duration::from_secs(5)).await;
    drop(memory);
    disk.restart().await;
    let index = read_unlocked(&path).unwrap();
    let lost = before.iter().filter(|id| index.standing(**id) != Standing::Active).count();
    assert_eq!(index.bad_count(), 0);
    (before.len(), lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "cuts the power of a file system of its own: needs root, ext4 and loop devices"]
async fn a_power_cut_takes_nothing_that_was_acknowledged_and_without_syncs_it_does() {
    assert!(is_root(), "mounting needs root");
    let (mut acknowledged, mut lost, mut controls_that_lost) = (0, 0, 0);
    for cut in 0..CUTS {
        let after = Duration::from_millis(20 + cut * 7);
        let (before, gone) = cut_once(Durability::Commit, after).await;
        (acknowledged, lost) = (acknowledged + before, lost + gone);
        controls_that_lost += usize::from(cut_once(Durability::Os, after).await.1 > 0);
    }
    println!(
        "{CUTS} cuts: {acknowledged} acknowledged, {lost} lost; without syncs {controls_that_lost} of {CUTS} lost some"
    );
    assert_eq!(lost, 0);
    assert!(acknowledged > 0 && controls_that_lost >= 19, "{controls_that_lost} of {CUTS} controls lost records");
}
