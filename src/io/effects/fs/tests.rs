//! Paths of every nasty kind against the promise that nothing outside of a granted root is read, changed or told of.

use super::{
    read::TEXT_BYTES_MAX,
    roots::{Place, Root},
};
use crate::io::sandbox::hidden::Hidden;
use coalmine_actors::effects::error::EffectError;
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::Instant;

/// A granted folder beside one that is not: `in/` and `out/`.
struct Yard {
    _dir: TempDir,
    base: PathBuf,
    root: Root,
}

const SECRET: &str = "a secret";

impl Yard {
    fn new() -> Self {
        Self::hiding(&[])
    }

    /// With folders of the granted one that are the fleet's own.
    fn hiding(hidden: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for folder in ["in/a/b", "out/sub"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        fs::write(base.join("in/a/f"), "text").unwrap();
        fs::write(base.join("out/f"), SECRET).unwrap();
        for folder in hidden {
            fs::create_dir_all(base.join("in").join(folder)).unwrap();
            fs::write(base.join("in").join(folder).join("f"), SECRET).unwrap();
        }
        let hidden = Hidden::of(hidden.iter().map(|folder| base.join("in").join(folder))).unwrap();
        let root = Root::open(&base.join("in"), Arc::new(hidden)).unwrap();
        Self { _dir: dir, base, root }
    }

    fn at(&self, path: &str) -> Place<'_> {
        self.root.place(Path::new(path)).unwrap()
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.base.join("in").join(path)
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.inside(name)).unwrap();
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, EffectError>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn what_leads_out_is_denied_and_what_stays_inside_is_read() {
    let yard = Yard::new();
    yard.link("a/f", "in-link");
    yard.link(yard.inside("a/f"), "in-link-by-its-whole-path");
    yard.link("a", "in-folder");
    yard.link("../out/f", "out-link");
    yard.link(yard.base.join("out/f"), "out-link-by-its-whole-path");
    yard.link("../out", "out-folder");
    yard.link("../out/nothing", "out-to-nothing");
    yard.link("/does/not/exist", "far-to-nothing");
    yard.link("nothing", "in-to-nothing");
    yard.link("round", "round");
    for (path, expected) in [
        ("a/f", Ok("text")),
        ("a/b/../f", Ok("text")),
        ("./a/./f", Ok("text")),
        ("in-link", Ok("text")),
        ("in-link-by-its-whole-path", Ok("text")),
        ("in-folder/f", Ok("text")),
        ("in-folder/b/../f", Ok("text")),
        ("a/../../in/a/f", Err("denied")),
        ("../out/f", Err("denied")),
        ("a/b/../../../out/f", Err("denied")),
        ("out-link", Err("denied")),
        ("out-link-by-its-whole-path", Err("denied")),
        ("out-folder/f", Err("denied")),
        // Whether something is there is not told: the same word for both.
        ("out-folder/nothing", Err("denied")),
        ("../out/nothing", Err("denied")),
        ("out-to-nothing", Err("denied")),
        ("far-to-nothing", Err("denied")),
        ("round", Err("denied")),
        ("in-to-nothing", Err("not-found")),
        ("nothing", Err("not-found")),
        ("a/f/g", Err("effect-io")),
        ("a", Err("effect-io")),
        ("", Err("effect-io")),
    ] {
        let read = yard.at(path).read();
        assert_eq!(read.as_deref().map_err(EffectError::code), expected, "{path}");
        if expected == Err("denied") {
            assert_eq!(code(yard.at(path).look()), "denied", "{path}: whether it is there");
            assert_eq!(code(yard.at(path).list_dir(None, 10)), "denied", "{path}: what is in it");
        }
    }
}

#[test]
fn what_can_not_be_a_path_is_told_apart() {
    let yard = Yard::new();
    for (path, expected) in [
        (OsStr::from_bytes(b"a\0b"), "bad-args"),
        (OsStr::new("/etc/passwd"), "bad-args"),
        (OsStr::from_bytes(&b"x/".repeat(2_500)), "limit"),
    ] {
        assert_eq!(yard.root.place(Path::new(path)).unwrap_err().code(), expected, "{path:?}");
    }
    let long_name = "n".repeat(300);
    assert_eq!(code(yard.at(&long_name).read()), "bad-args");
    let odd = OsStr::from_bytes(b"\xFF\xFE");
    fs::write(yard.inside("a").join(odd), "odd").unwrap();
    let place = yard.root.place(&Path::new("a").join(odd)).unwrap();
    assert_eq!(place.read().unwrap(), "odd");
    assert_eq!(yard.at("a").list_dir(None, 10).unwrap().paths, ["b".as_ref(), "f".as_ref(), Path::new(odd)]);
}

#[test]
fn what_is_no_text_file_is_refused_at_once() {
    let yard = Yard::new();
    mknodat(CWD, yard.inside("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(yard.inside("s")).unwrap();
    fs::File::create(yard.inside("sparse")).unwrap().set_len(10 << 30).unwrap();
    fs::File::create(yard.inside("full")).unwrap().set_len(TEXT_BYTES_MAX).unwrap();
    fs::File::create(yard.inside("over")).unwrap().set_len(TEXT_BYTES_MAX + 1).unwrap();
    fs::write(yard.inside("binary"), b"\xFF\x00").unwrap();
    for (path, expected) in
        [("fifo", "bad-args"), ("s", "effect-io"), ("sparse", "limit"), ("over", "limit"), ("binary", "bad-args")]
    {
        assert_eq!(code(yard.at(path).read()), expected, "{path}");
    }
    assert_eq!(yard.at("full").read().unwrap().len() as u64, TEXT_BYTES_MAX);
    assert_eq!(code(yard.at("copy").copy_from(&yard.at("sparse"))), "limit");
    assert_eq!(code(yard.at("copy").copy_from(&yard.at("fifo"))), "bad-args");
    assert!(!yard.inside("copy").exists());
}

#[test]
fn no_link_of_proc_leads_out() {
    let proc = Root::open(Path::new("/proc"), Arc::default()).unwrap();
    for path in ["self/root/etc/passwd", "self/cwd/Cargo.toml", "self/root", "self/fd/0", "self/exe"] {
        let read = proc.place(Path::new(path)).unwrap().read();
        assert_eq!(code(read), "denied", "{path}");
    }
    assert!(proc.place(Path::new("self/stat")).unwrap().read().unwrap().contains(' '));
}

#[test]
fn everything_is_everything_but_the_fleets_own() {
    let yard = Yard::new();
    let hidden = Hidden::of([yard.base.join("out")]).unwrap();
    let all = Root::open(Path::new("/"), Arc::new(hidden)).unwrap();
    let rest = |path: PathBuf| path.strip_prefix("/").unwrap().to_owned();
    let read = |path: PathBuf| all.place(&rest(path)).unwrap().read();
    symlink(yard.inside("a"), yard.base.join("way")).unwrap();
    symlink(yard.base.join("out"), yard.base.join("wrong-way")).unwrap();
    assert_eq!(read(yard.base.join("way/f")).unwrap(), "text");
    for path in ["out/f", "wrong-way/f", "out/sub/../f", "in/../out/f"] {
        assert_eq!(code(read(yard.base.join(path))), "denied", "{path}");
    }
    assert_eq!(code(all.place(&rest(yard.base.clone())).unwrap().remove()), "denied");
    assert!(yard.base.join("out/f").exists());
}

#[test]
fn the_fleets_own_is_known_by_what_it_is_and_not_by_its_name() {
    let yard = Yard::hiding(&["state/fleet"]);
    yard.link("state/fleet", "way-in");
    for path in ["state/fleet/f", "way-in/f", "state/../state/fleet/f"] {
        assert_eq!(code(yard.at(path).read()), "denied", "{path}");
        assert_eq!(code(yard.at(path).write(b"x")), "denied", "{path}");
    }
    // It is called something else now.
    fs::rename(yard.inside("state/fleet"), yard.inside("innocent")).unwrap();
    assert_eq!(code(yard.at("innocent/f").read()), "denied");
    assert_eq!(code(yard.at("innocent").list_dir(None, 10)), "denied");
    assert_eq!(code(yard.at("innocent/new").mkdir_p()), "denied");
    assert_eq!(code(yard.at("innocent").remove()), "denied");
    fs::rename(yard.inside("innocent"), yard.inside("state/fleet")).unwrap();
    // With what holds it, it would go too; nothing of that is begun.
    fs::write(yard.inside("state/other"), "").unwrap();
    assert_eq!(code(yard.at("state").remove()), "denied");
    assert!(yard.inside("state/other").exists());
    let walked = yard.at("").walk(None, 100).unwrap().paths;
    assert!(!walked.iter().any(|path| path.starts_with("state/fleet")), "{walked:?}");
    let whole = Root::open(&yard.inside("state/fleet"), Arc::new(Hidden::of([yard.inside("state")]).unwrap()));
    assert_eq!(code(whole), "denied");
}

/// Longest time until both states of an exchange are met, which a busy machine changes seldom.
const BOTH_MET_MAX: Duration = Duration::from_secs(60);

/// Somebody exchanges a folder for a link to the outside, back and forth, while it is read and written beneath.
fn exchanged(times: u32) {
    let yard = Yard::new();
    yard.link("../out", "l");
    let [folder, link] = ["a", "l"].map(|name| yard.inside(name));
    let (exchanges, done) = (AtomicU32::new(0), AtomicBool::new(false));
    let (mut inside, mut refused) = (0_u32, 0_u32);
    let deadline = Instant::now() + BOTH_MET_MAX;
    std::thread::scope(|scope| {
        let exchanging = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                exchanges.fetch_add(1, Ordering::Relaxed);
            }
        });
        while exchanges.load(Ordering::Relaxed) < times || inside == 0 || refused == 0 {
            match yard.at("a/f").read() {
                Ok(text) if text == "text" => inside += 1,
                Err(EffectError::Denied { .. }) => refused += 1,
                odd => {
                    done.store(true, Ordering::Release);
                    panic!("an escape: {odd:?}");
                }
            }
            let _either = yard.at("a/new").write(b"new");
            if exchanging.is_finished() || Instant::now() > deadline {
                break;
            }
        }
        done.store(true, Ordering::Release);
    });
    assert!(!yard.base.join("out/new").exists(), "written outside");
    assert!(inside > 0 && refused > 0, "both are met: {inside} inside, {refused} refused");
    assert!(exchanges.into_inner() >= times);
}

#[test]
fn a_folder_that_is_exchanged_for_a_link_never_leads_out() {
    exchanged(5_000);
}

#[test]
#[ignore = "the same at length"]
fn a_folder_that_is_exchanged_for_a_link_a_hundred_thousand_times_never_leads_out() {
    exchanged(100_000);
}

#[test]
fn a_write_replaces_a_file_whole_and_goes_through_no_link() {
    let yard = Yard::new();
    yard.link("../out/f", "out-link");
    yard.link("../out/new", "out-to-nothing");
    yard.link("a/f", "in-link");
    fs::hard_link(yard.base.join("out/f"), yard.inside("second-name")).unwrap();
    for (path, expected) in [
        ("out-link", "bad-args"),
        ("out-to-nothing", "bad-args"),
        ("in-link", "bad-args"),
        ("second-name", "denied"),
        ("a", "effect-io"),
        ("", "effect-io"),
        ("a/..", "effect-io"),
        ("nothing/f", "not-found"),
        ("../out/f", "denied"),
    ] {
        assert_eq!(code(yard.at(path).write(b"new")), expected, "{path}");
    }
    assert_eq!(fs::read_to_string(yard.base.join("out/f")).unwrap(), SECRET);
    assert!(!yard.base.join("out/new").exists());
    fs::set_permissions(yard.inside("a/f"), fs::Permissions::from_mode(0o4750)).unwrap();
    let before = fs::metadata(yard.inside("a/f")).unwrap().ino();
    yard.at("a/f").write(b"new").unwrap();
    let after = fs::metadata(yard.inside("a/f")).unwrap();
    assert_eq!(yard.at("a/f").read().unwrap(), "new");
    assert_eq!((after.ino() != before, after.mode() & 0o7777), (true, 0o750), "its mode is kept, but no set-user-id");
    let too_long = vec![b'x'; usize::try_from(TEXT_BYTES_MAX).unwrap() + 1];
    assert_eq!(code(yard.at("a/f").write(&too_long)), "limit");
    let left = yard.at("").walk(None, 100).unwrap().paths;
    assert!(!left.iter().any(|path| path.to_string_lossy().contains(".tmp")), "{left:?}");
}

#[test]
fn a_copy_is_the_same_and_a_folder_is_made_once() {
    let yard = Yard::new();
    assert_eq!(yard.at("a/b/copy").copy_from(&yard.at("a/f")).unwrap(), 4);
    assert_eq!(yard.at("a/b/copy").read().unwrap(), "text");
    yard.link("../out", "o");
    yard.at("x/y/z").mkdir_p().unwrap();
    yard.at("x/y/z").mkdir_p().unwrap();
    yard.at("x/y/../w").mkdir_p().unwrap();
    assert!(yard.inside("x/w").is_dir());
    for (path, expected) in [("o/new", "denied"), ("../new", "denied"), ("a/f", "effect-io"), ("a/f/g", "effect-io")] {
        assert_eq!(code(yard.at(path).mkdir_p()), expected, "{path}");
    }
    let deep = "d/".repeat(129);
    assert_eq!(code(yard.at(&deep).mkdir_p()), "limit");
    assert!(!yard.base.join("out/new").exists() && !yard.inside("d").exists());
}

#[test]
fn a_folder_is_removed_with_its_links_and_without_what_they_lead_to() {
    let yard = Yard::new();
    yard.link("../../out", "a/out-folder");
    yard.link("../../out/f", "a/b/out-link");
    yard.link("a", "in-folder");
    for (path, expected) in
        [("", "denied"), ("a/..", "denied"), ("a/b/..", "bad-args"), ("..", "denied"), ("nothing", "not-found")]
    {
        assert_eq!(code(yard.at(path).remove()), expected, "{path:?}");
    }
    yard.at("in-folder").remove().unwrap();
    assert!(yard.inside("a/f").exists(), "of a link the link goes");
    yard.at("a").remove().unwrap();
    assert!(!yard.inside("a").exists());
    assert_eq!(fs::read_to_string(yard.base.join("out/f")).unwrap(), SECRET);
    assert!(yard.base.join("out/sub").is_dir());
}

#[test]
fn a_tree_that_is_too_deep_is_a_limit_and_no_crash() {
    let yard = Yard::new();
    let mut folder = yard.inside("deep");
    for _ in 0..300 {
        folder.push("d");
    }
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(code(yard.at("deep").remove()), "limit");
    assert_eq!(code(yard.at("deep").walk(None, 10_000)), "limit");
}

#[test]
fn pages_hold_every_entry_once_whatever_their_size() {
    let yard = Yard::new();
    yard.link("../out", "a/out-folder");
    for name in ["a-b", "a.c", "a/b/deep", "z"] {
        fs::write(yard.inside(name), "").unwrap();
    }
    let whole = yard.at("").walk(None, 100).unwrap().paths;
    let expected = ["a", "a/b", "a/b/deep", "a/f", "a/out-folder", "a-b", "a.c", "z"].map(PathBuf::from);
    assert_eq!(whole, expected);
    let matched = super::list::pattern(Path::new("**/*f*")).unwrap();
    assert_eq!(yard.at("").glob(&matched, None, 100).unwrap().paths, ["a/f", "a/out-folder"].map(PathBuf::from));
    for count in 1..=9 {
        let (mut paths, mut after) = (Vec::new(), None::<PathBuf>);
        loop {
            let page = yard.at("").walk(after.as_deref(), count).unwrap();
            assert!(page.paths.len() <= count);
            paths.extend(page.paths);
            if !page.more {
                break;
            }
            after = paths.last().cloned();
        }
        assert_eq!(paths, expected, "{count} at a time");
    }
    let names = |after: Option<&str>, count| yard.at("").list_dir(after.map(Path::new), count).unwrap();
    assert_eq!(names(None, 2).paths, ["a", "a-b"].map(PathBuf::from));
    assert_eq!(
        (names(Some("a-b"), 2).paths, names(Some("a-b"), 2).more),
        (["a.c", "z"].map(PathBuf::from).into(), false)
    );
}

#[test]
fn facts_are_those_of_the_file_that_a_link_leads_to() {
    let yard = Yard::new();
    yard.link("a/f", "in-link");
    let facts = yard.at("in-link").stat().unwrap();
    let meta = fs::metadata(yard.inside("a/f")).unwrap();
    assert_eq!((facts.size, facts.is_file, facts.is_dir), (4, true, false));
    assert_eq!(facts.mtime_ns, i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()));
    assert!(yard.at("a").stat().unwrap().is_dir);
    assert!(yard.at("").stat().unwrap().is_dir, "the root itself");
    assert_eq!(yard.at("a/f/g").look().unwrap(), None);
    yard.link("a", "in-folder");
    assert_eq!(yard.at("in-folder").list_dir(None, 10).unwrap().paths, ["b", "f"].map(PathBuf::from));
}

/// What a tree holds, links by what they say.
fn census(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(census(&path));
        }
        let text = if kind.is_file() { fs::read_to_string(&path).unwrap() } else { format!("{kind:?}") };
        found.insert(path, text);
    }
    found
}

prop_compose! {
    /// A path over a small alphabet, so that it meets something.
    fn expression()(parts in prop::collection::vec(prop::sample::select(vec![
        "a", "b", "f", "l1", "l2", "l3", "..", ".", "", "out", "in",
    ]), 0..8)) -> String {
        parts.join("/").trim_start_matches('/').to_owned()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_path_expression_reaches_outside(
        links in prop::collection::vec((expression(), any::<bool>(), prop::sample::select(vec!["", "a", "a/b"])), 3),
        tries in prop::collection::vec((expression(), 0_u8..6), 1..12),
    ) {
        let yard = Yard::new();
        for (number, (target, absolute, folder)) in links.iter().enumerate() {
            let target = if *absolute { yard.base.join(target) } else { PathBuf::from(target) };
            if !target.as_os_str().is_empty() {
                symlink(target, yard.inside(folder).join(format!("l{}", number + 1))).unwrap();
            }
        }
        let outside = census(&yard.base.join("out"));
        for (path, what) in tries {
            let place = yard.at(&path);
            match what {
                0 => if let Ok(text) = place.read() {
                    prop_assert_ne!(text, SECRET, "{}", path);
                },
                1 => if let Ok(page) = place.list_dir(None, 100) {
                    prop_assert!(!page.paths.contains(&PathBuf::from("sub")), "{}", path);
                },
                2 => drop(place.write(b"written")),
                3 => drop(place.remove()),
                4 => drop(place.mkdir_p()),
                _ => drop(yard.at("a/copy").copy_from(&place)),
            }
            prop_assert_eq!(&census(&yard.base.join("out")), &outside, "{} {}", what, path);
            prop_assert!(yard.inside("").is_dir());
            if let Ok(text) = yard.at("a/copy").read() {
                prop_assert_ne!(text, SECRET, "{}", path);
            }
        }
    }
}
