//! The name that somebody may have meant, as a half sentence. Pure.

use crate::registry::nearest::nearest;

/// `; did you mean "fs.read"?`, or nothing where no name is near.
pub(super) fn did_you_mean<'a>(asked: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(asked, names).first() {
        Some(name) => format!("; did you mean {name:?}?"),
        None => String::new(),
    }
}
