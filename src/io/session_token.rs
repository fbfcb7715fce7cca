//! What proves that a request comes from a peer's own session: a secret of its present life, which its program finds in
//! its environment and the daemon in the peer's folder. Whoever may read that folder may speak for the peer.
//!
//! `COALMINE_TOKEN` is `<identity>.<generation>.<64 hex digits>`; the file `token-g<generation>` holds the digits. It goes
//! with the other files of its life.

use super::private_file;
use crate::paths::Paths;
use coalmine_actors::{names::Generation, ports::LifeKey};
use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

/// The variable in which a peer's program finds it.
pub const VARIABLE: &str = "COALMINE_TOKEN";
/// How much of it is secret, bytes.
const SECRET_BYTES: usize = 32;
/// Longest token that is looked at, bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// The token of the session in which this process runs, where it runs in one.
pub(crate) fn own() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Makes the token of a life that begins.
///
/// # Errors
/// Its file can not be written, or the kernel gives no random bytes.
pub(super) fn issue(paths: &Paths, life: &LifeKey) -> io::Result<String> {
    let mut secret = [0; SECRET_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut secret)?;
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    private_file::write(&file(paths, life), secret.as_bytes())?;
    Ok(format!("{}.{}.{secret}", life.identity, life.generation))
}

/// The life whose token this is; nothing where it is none, or of a life whose files are gone.
pub(crate) fn life_of(paths: &Paths, token: &str) -> Option<LifeKey> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let mut parts = token.split('.');
    let (identity, generation, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let life = LifeKey { identity: identity.parse().ok()?, generation: Generation(generation.parse().ok()?) };
    let known = std::fs::read(file(paths, &life)).ok()?;
    (parts.next().is_none() && known.len() == 2 * SECRET_BYTES && same(&known, secret.as_bytes())).then_some(life)
}

fn file(paths: &Paths, life: &LifeKey) -> PathBuf {
    paths.peer(&life.identity).join(format!("token-g{}", life.generation))
}

/// Compares all of it, wherever the first difference is: how long it takes tells nobody how much was right.
fn same(known: &[u8], given: &[u8]) -> bool {
    known.len() == given.len() && known.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_of_this_life_is_one() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path()).unwrap();
        let life = |generation| LifeKey { identity: "claude-bob".parse().unwrap(), generation: Generation(generation) };
        std::fs::create_dir_all(paths.peer(&life(1).identity)).unwrap();
        let (token, later) = (issue(&paths, &life(1)).unwrap(), issue(&paths, &life(2)).unwrap());
        assert_eq!(life_of(&paths, &token), Some(life(1)));
        assert_eq!(life_of(&paths, &later), Some(life(2)));
        let secret = token.rsplit('.').next().unwrap();
        for wrong in [
            "",
            "claude-bob.1.",
            &token[..token.len() - 1],
            &format!("{token}0"),
            &format!("{token}."),
            &format!("claude-bob.2.{secret}"),
            &format!("claude-ann.1.{secret}"),
            &format!("../claude-bob.1.{secret}"),
            &format!("claude-bob.1.{}", "0".repeat(64)),
            &"x".repeat(10_000),
        ] {
            assert_eq!(life_of(&paths, wrong), None, "{wrong}");
        }
    }
}
