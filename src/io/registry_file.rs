//! `fleet.json` on disk, with the last good one beside it as `fleet.json.bak`.
//!
//! A file that can not be read is never written over unless its backup could be: then the fleet goes on with the
//! backup, says so, and keeps the damaged file as `fleet.json.damaged`.

use super::{
    atomic, blocking,
    fault::{self, FaultPoint},
};
use coalmine_actors::{
    error::FleetError,
    ports::{Answer, RegistryFile},
    registry::{
        document::Document,
        parse::{self, BadDocument},
        render,
    },
};
use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The adapter of the port [`RegistryFile`] for one path.
#[derive(Debug)]
pub struct JsonRegistry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// What was read or written last and is good: the next backup. Held while the files are read or written, so
    /// that a save that a dead actor left behind ends before the next actor reads.
    last_good: Mutex<Option<Vec<u8>>>,
}

impl JsonRegistry {
    /// The registry at `path`, which need not exist yet; its folder must.
    pub fn new(path: PathBuf) -> Self {
        Self { shared: Arc::new(Shared { path, last_good: Mutex::default() }) }
    }
}

impl RegistryFile for JsonRegistry {
    fn load(&self) -> Answer<Document> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let mut last_good = shared.last_good.lock().unwrap_or_else(PoisonError::into_inner);
            let (document, bytes) = load(&shared.path)?;
            *last_good = bytes;
            Ok(document)
        })
    }

    fn save(&self, document: Document) -> Answer<()> {
        let shared = Arc::clone(&self.shared);
        blocking::answer(move || {
            let mut last_good = shared.last_good.lock().unwrap_or_else(PoisonError::into_inner);
            let text = render::render(&document)
                .map_err(|error| FleetError::Internal(format!("the registry is no JSON: {error}")))?;
            if let Some(good) = last_good.as_deref() {
                write(&beside(&shared.path, "bak"), good)?;
            }
            write(&shared.path, text.as_bytes())?;
            fault::reached(FaultPoint::RegistrySaved);
            *last_good = Some(text.into_bytes());
            Ok(())
        })
    }
}

/// What one of the two files turned out to be.
enum Found {
    Missing,
    Good(Box<Document>, Vec<u8>),
    Damaged(Vec<u8>, String),
}

/// Reads the file, else its backup, with the bytes that were good.
fn load(path: &Path) -> Result<(Document, Option<Vec<u8>>), FleetError> {
    let backup = beside(path, "bak");
    let trouble = match read(path)? {
        Found::Good(document, bytes) => return Ok((*document, Some(bytes))),
        Found::Damaged(bytes, why) => {
            // A copy for whoever wants to mend it: the next change writes over the file itself.
            write(&beside(path, "damaged"), &bytes)?;
            Some(why)
        }
        Found::Missing => None,
    };
    let what = trouble.as_deref().unwrap_or("it is gone");
    match (read(&backup)?, &trouble) {
        (Found::Good(document, bytes), _) => {
            let recovered = format!("{}: {what}; {} stands in for it", path.display(), backup.display());
            Ok((Document { recovered: Some(recovered), ..*document }, Some(bytes)))
        }
        (Found::Missing, None) => Ok((Document::default(), None)),
        (Found::Missing, Some(why)) => Err(damaged(path, format!("{why}, and there is no backup"))),
        (Found::Damaged(_, worse), _) => Err(damaged(path, format!("{what}, and of its backup: {worse}"))),
    }
}

fn read(path: &Path) -> Result<Found, FleetError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(source) => return Err(FleetError::io("read", path, source)),
    };
    match parse::parse(&bytes) {
        Ok(document) => Ok(Found::Good(Box::new(document), bytes)),
        // Not damaged: a backup in our format would only hide what the newer version knows.
        Err(newer @ BadDocument::Newer { .. }) => Err(FleetError::Damaged {
            path: path.to_path_buf(),
            why: newer.to_string(),
            hint: "start the newer coalmine; nothing was written".into(),
        }),
        Err(bad) => Ok(Found::Damaged(bytes, with_cause(&bad))),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FleetError> {
    atomic::replace(path, bytes).map_err(|source| FleetError::io("write", path, source))
}

fn damaged(path: &Path, why: String) -> FleetError {
    let hint = "mend it, or move it away with its .bak to start with an empty fleet; nothing was written".into();
    FleetError::Damaged { path: path.to_path_buf(), why, hint }
}

fn with_cause(error: &BadDocument) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// `fleet.json.bak` for `fleet.json`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::registry::mutation::Mutation;

    const ANNA: &str =
        r#"{"version":1,"peers":[{"personality":"anna","runtimes":["claude"],"default_runtime":"claude","cwd":"/a"}]}"#;

    struct Place {
        _temp: tempfile::TempDir,
        path: PathBuf,
        registry: JsonRegistry,
    }

    /// A folder with these files: main, backup.
    fn place(main: Option<&str>, backup: Option<&str>) -> Place {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("fleet.json");
        for (path, text) in [(path.clone(), main), (beside(&path, "bak"), backup)] {
            if let Some(text) = text {
                fs::write(path, text).unwrap();
            }
        }
        Place { _temp: temp, registry: JsonRegistry::new(path.clone()), path }
    }

    fn with_bob(document: &Document) -> Document {
        let mut bob = parse::parse(ANNA.as_bytes()).unwrap().peers.remove(0);
        bob.personality = "bob".parse().unwrap();
        Mutation::Reserve(Box::new(bob)).apply(document).unwrap()
    }

    #[tokio::test]
    async fn a_missing_file_is_an_empty_fleet() {
        assert_eq!(place(None, None).registry.load().await.unwrap(), Document::default());
    }

    #[tokio::test]
    async fn what_is_saved_is_loaded_and_the_one_before_is_the_backup() {
        let place = place(Some(ANNA), None);
        let before = place.registry.load().await.unwrap();
        let after = with_bob(&before);
        place.registry.save(after.clone()).await.unwrap();
        assert_eq!(fs::read_to_string(beside(&place.path, "bak")).unwrap(), ANNA);
        assert_eq!(JsonRegistry::new(place.path.clone()).load().await.unwrap(), after);
        assert!(fs::read_to_string(&place.path).unwrap().starts_with("{\n  \"version\": 1,\n  \"peers\": [\n"));
    }

    #[tokio::test]
    async fn a_damaged_file_is_replaced_by_its_backup_loudly_and_kept() {
        for (main, why) in
            [(Some("{\"peers\": [tru"), "it is not JSON: "), (Some(""), "it is not JSON"), (None, "it is gone")]
        {
            let place = place(main, Some(ANNA));
            let document = place.registry.load().await.unwrap();
            assert_eq!(document.peers.len(), 1);
            assert!(document.problems()[0].contains(why), "{:?}", document.problems());
            place.registry.save(with_bob(&document)).await.unwrap();
            assert_eq!(fs::read_to_string(beside(&place.path, "damaged")).ok().as_deref(), main);
            assert_eq!(fs::read_to_string(beside(&place.path, "bak")).unwrap(), ANNA, "never the damaged one");
        }
    }

    #[tokio::test]
    async fn where_nothing_can_be_read_nothing_is_written() {
        for (main, backup, why) in [
            (Some("{"), Some("["), "and of its backup: it is not JSON"),
            (Some("{"), None, "and there is no backup"),
            (None, Some("["), "it is gone, and of its backup"),
            (Some(r#"{"version":9,"peers":[]}"#), Some(ANNA), "written by a newer coalmine"),
        ] {
            let place = place(main, backup);
            let error = place.registry.load().await.unwrap_err();
            assert_eq!(error.code(), "damaged");
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(fs::read_to_string(&place.path).ok().as_deref(), main);
            assert_eq!(fs::read_to_string(beside(&place.path, "bak")).ok().as_deref(), backup);
        }
    }

    #[tokio::test]
    async fn a_save_that_fails_leaves_the_file_as_it_was() {
        let place = place(Some(ANNA), None);
        let document = place.registry.load().await.unwrap();
        fs::create_dir(beside(&place.path, "bak")).unwrap(); // in the way of the backup, also for root
        let error = place.registry.save(with_bob(&document)).await.unwrap_err();
        assert_eq!(error.code(), "io");
        assert_eq!(fs::read_to_string(&place.path).unwrap(), ANNA);
    }
}
