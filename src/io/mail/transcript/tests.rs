//! Folders as programs leave them, and as somebody hostile would.

use super::*;
use coalmine_actors::mail::MessageId;
use rustix::fs::{FileType, mkfifoat, mknodat};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

struct Home {
    folder: TempDir,
    transcripts: Transcripts,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let transcript = Transcript {
            folders: vec!["/".into()],
            files: "log-*.jsonl".into(),
            entry: vec!["\"role\":\"user\"".into()],
        };
        let transcripts = Transcripts::new(folder.path().join("sessions"), transcript).unwrap();
        fs::create_dir(folder.path().join("sessions")).unwrap();
        Self { folder, transcripts }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("sessions").join(name)
    }

    fn append(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn look(&self) -> Vec<MessageId> {
        self.try_look().unwrap()
    }

    fn try_look(&self) -> Result<Vec<MessageId>, FleetError> {
        let found = self.transcripts.0.look(Timestamp::now() - jiff::SignedDuration::from_secs(60))?;
        Ok(found.into_iter().map(|opening| opening.id).collect())
    }
}

fn id(n: i64) -> MessageId {
    MessageId::at(n, 0)
}

fn line(role: &str, n: i64) -> String {
    let text = format!("<coalmine-message id=\"{}\" from=\"ann\" kind=\"absent\">\nx\n</coalmine-message>", id(n));
    format!("{}\n", serde_json::json!({ "role": role, "text": text }))
}

#[test]
fn what_is_entered_is_found_once_however_the_file_grows() {
    let home = Home::new();
    home.append("2026/11/21/log-1.jsonl", &line("user", 1));
    assert_eq!(home.look(), [id(1)]);
    let second = line("user", 2);
    let (half, rest) = second.split_at(40);
    home.append("2026/11/21/log-1.jsonl", &format!("{}{half}", line("assistant", 3)));
    assert_eq!(home.look(), [], "what the agent says is no entry, and half a line is none yet");
    home.append("2026/11/21/log-1.jsonl", rest);
    home.append("log-2.jsonl", &line("user", 4));
    home.append("other.jsonl", &line("user", 5));
    let mut found = home.look();
    found.sort_unstable();
    assert_eq!(found, [id(2), id(4)]);
    assert_eq!(home.look(), []);
}

#[test]
fn only_files_are_opened_and_none_outside_the_folder() {
    let home = Home::new();
    fs::write(home.folder.path().join("log-outside.jsonl"), line("user", 1)).unwrap();
    fs::create_dir(home.folder.path().join("elsewhere")).unwrap();
    fs::write(home.folder.path().join("elsewhere/log-1.jsonl"), line("user", 2)).unwrap();
    symlink("../log-outside.jsonl", home.path("log-link.jsonl")).unwrap();
    symlink("../elsewhere", home.path("linked")).unwrap();
    let sessions = File::open(home.path("")).unwrap();
    // Nobody writes to it: who waited for somebody would wait for ever.
    mkfifoat(&sessions, "log-fifo.jsonl", Mode::RUSR | Mode::WUSR).unwrap();
    fs::create_dir(home.path("log-folder.jsonl")).unwrap();
    let _only_as_root = mknodat(&sessions, "log-zero.jsonl", FileType::CharacterDevice, Mode::RUSR, 0x105);
    assert_eq!(home.look(), []);
    // Also where it takes a file's place between the look and the opening.
    home.append("log-real.jsonl", &line("user", 3));
    let root: OwnedFd = File::open(home.path("")).unwrap().into();
    let found = walk::newest(&root, &home.transcripts.0.files, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(walk::open(&root, &found[0]).unwrap().is_some());
    for other in ["log-fifo.jsonl", "log-link.jsonl", "linked/log-1.jsonl", "gone"] {
        let swapped = Found { path: other.into(), ..found[0].clone() };
        assert!(walk::open(&root, &swapped).unwrap().is_none(), "{other}");
    }
    let out = Found { path: "../log-outside.jsonl".into(), ..found[0].clone() };
    assert_eq!(walk::open(&root, &out).unwrap_err(), Errno::XDEV);
}

#[test]
fn of_a_file_that_is_large_only_its_end_is_read() {
    let home = Home::new();
    home.append("log-1.jsonl", &line("user", 9));
    File::options().write(true).open(home.path("log-1.jsonl")).unwrap().set_len(1 << 30).unwrap();
    assert_eq!(home.look(), []);
    // A line without an end: what follows it counts again.
    home.append("log-1.jsonl", &format!("\n{}", line("user", 1)));
    assert_eq!(home.look(), [id(1)]);
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_not() {
    let home = Home::new();
    let long = line("user", 1).replace("\\nx\\n", &"x".repeat(LINE_BYTES_MAX));
    home.append("log-1.jsonl", &format!("{long}{}", line("user", 2)));
    assert_eq!(home.look(), [id(2)]);
}

#[test]
fn a_file_that_was_not_written_to_is_left_alone_and_one_that_shrank_is_read_anew() {
    let home = Home::new();
    home.append("log-old.jsonl", &line("user", 1));
    let old = SystemTime::now() - Duration::from_secs(600);
    File::options().write(true).open(home.path("log-old.jsonl")).unwrap().set_modified(old).unwrap();
    assert_eq!(home.look(), []);
    home.append("log-1.jsonl", &format!("{}{}", line("user", 2), line("user", 3)));
    assert_eq!(home.look(), [id(2), id(3)]);
    fs::write(home.path("log-1.jsonl"), line("user", 4)).unwrap();
    assert_eq!(home.look(), [id(4)]);
}

#[test]
fn a_folder_that_is_missing_is_an_error_with_its_name_until_it_is_there() {
    let home = Home::new();
    fs::remove_dir(home.path("")).unwrap();
    let error = home.try_look().unwrap_err().to_string();
    assert!(error.contains("sessions"), "{error}");
    fs::write(home.folder.path().join("sessions"), "no folder").unwrap();
    assert!(home.try_look().is_err());
    fs::remove_file(home.folder.path().join("sessions")).unwrap();
    home.append("log-1.jsonl", &line("user", 1));
    assert_eq!(home.look(), [id(1)]);
}

#[test]
fn a_folder_of_many_files_is_gone_through_from_its_last_name_and_bounded() {
    let home = Home::new();
    for day in 0..20 {
        fs::create_dir(home.path(&format!("{day:02}"))).unwrap();
    }
    for file in 0..300 {
        home.append(&format!("{:02}/log-{file}.jsonl", file % 20), "x\n");
    }
    home.append("19/log-new.jsonl", &line("user", 1));
    let deep = "d/".repeat(walk::DEPTH_MAX + 1);
    home.append(&format!("{deep}log-deep.jsonl"), &line("user", 2));
    let root: OwnedFd = File::open(home.path("")).unwrap().into();
    let found = walk::newest(&root, &home.transcripts.0.files, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(found.len(), 16);
    assert!(!found.iter().any(|file| file.path == Path::new(&format!("{deep}log-deep.jsonl"))));
    assert_eq!(home.look(), [id(1)]);
}
