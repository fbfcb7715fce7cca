//! Where a long answer goes on: after this path.

use coalmine_actors::effects::error::EffectError;
use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// A path as a text that says it exactly: what is no text, and `%`, is written as `%FF`.
pub(super) fn write(path: &Path) -> String {
    let mut cursor = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        cursor.push_str(&chunk.valid().replace('%', "%25"));
        chunk.invalid().iter().for_each(|byte| cursor.push_str(&format!("%{byte:02X}")));
    }
    cursor
}

pub(super) fn read(cursor: &str) -> Result<PathBuf, EffectError> {
    let bad = || EffectError::bad("cursor", "it is none that was given");
    let mut parts = cursor.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_no_number| bad())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_any_path_exactly() {
        for path in [&b"a/b"[..], b"100%", b"\xFF\xFE/%41", "ä/ö".as_bytes(), b""] {
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            assert_eq!(read(&write(&path)).unwrap(), path);
        }
        for bad in ["%", "%4", "%zz", "a%ä"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
