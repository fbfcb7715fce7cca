//! The family of files: a request and its plan become what is done beneath a root, and its result what is answered.
//!
//! ```text
//! roots.rs   the one way in: openat2 from a root's handle
//! read.rs list.rs write.rs append.rs remove.rs     what is done there
//! database.rs     the file that a store is kept in
//! ```

mod append;
mod cursor;
pub(super) mod database;
pub mod list;
mod read;
mod remove;
pub mod roots;
#[cfg(test)]
mod tests;
mod write;

use super::grants::Grants;
use coalmine_actors::effects::{
    argument::{Short, Upto},
    error::EffectError,
    op::Request,
    output::{Done, Output},
    plan::{Beneath, Plan},
    port::{Call, Opened, Outcome},
};
use list::{Facts, PAGE_PATHS, Page};
use serde_json::{Value, json};
use std::{
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// What a policy grants, as this host opened it.
pub(super) fn grants(opened: &Opened) -> Result<&Grants, EffectError> {
    opened.downcast_ref().ok_or_else(|| EffectError::Internal("roots that another host opened".into()))
}

/// Carries one operation out. Blocks as long as the file system does.
pub(super) fn perform(call: Call) -> Outcome {
    let grants = grants(&call.opened)?;
    match (&call.request, &call.plan) {
        (Request::FsCopy { .. }, Plan::Copy { from, to }) => {
            let copied = grants.place(to)?.copy_from(&grants.place(from)?)?;
            Ok(Done { bytes_in: copied, bytes_out: Some(copied), ..Output::Null.into() })
        }
        (Request::FsGlob { cursor, limit, .. }, Plan::Glob { within, pattern }) => {
            let wish = Wish::of(cursor.as_ref(), *limit)?;
            let place = grants.place(within)?;
            if pattern.as_os_str().is_empty() {
                // A plain name: it fits itself, where it is there.
                let paths = place.look()?.map(|_| PathBuf::new()).into_iter().collect();
                return answer(&call, within, Page { paths, more: false });
            }
            answer(&call, within, place.glob(&list::pattern(pattern)?, wish.after.as_deref(), wish.count)?)
        }
        (request, Plan::File(at)) => on_one(&call, request, at, grants),
        (request, _) => Err(EffectError::Internal(format!("{} with a plan of something else", request.op()))),
    }
}

/// Opens the file that a session's log goes to from now on.
pub(super) fn log_file(call: &Call) -> Result<append::LogFile, EffectError> {
    match &call.plan {
        Plan::File(at) => grants(&call.opened)?.place(at)?.append(),
        _ => Err(EffectError::Internal("a log without a file".into())),
    }
}

fn on_one(call: &Call, request: &Request, at: &Beneath, grants: &Grants) -> Outcome {
    let place = grants.place(at)?;
    let output = match request {
        Request::IoRead { .. } => Output::Text(place.read()?),
        Request::IoWrite { contents, .. } => {
            place.write(&contents.0)?;
            Output::Null
        }
        Request::FsExists { .. } => Output::Bool(place.look()?.is_some()),
        Request::FsIsFile { .. } => Output::Bool(place.look()?.is_some_and(|facts| facts.is_file)),
        Request::FsIsDir { .. } => Output::Bool(place.look()?.is_some_and(|facts| facts.is_dir)),
        Request::FsStat { .. } => told(place.stat()?),
        Request::FsListDir { cursor, limit, .. } => {
            let wish = Wish::of(cursor.as_ref(), *limit)?;
            return answer(call, at, place.list_dir(wish.after.as_deref(), wish.count)?);
        }
        Request::FsWalk { cursor, limit, .. } => {
            let wish = Wish::of(cursor.as_ref(), *limit)?;
            return answer(call, at, place.walk(wish.after.as_deref(), wish.count)?);
        }
        Request::FsMkdirP { .. } => {
            place.mkdir_p()?;
            Output::Null
        }
        Request::FsRemove { .. } => {
            place.remove()?;
            Output::Null
        }
        other => return Err(EffectError::Internal(format!("{} is nothing that is done to one file", other.op()))),
    };
    Ok(output.into())
}

/// Which part of a long answer is wanted.
struct Wish {
    after: Option<PathBuf>,
    count: usize,
}

impl Wish {
    fn of<const MAX: u64>(cursor: Option<&Short>, limit: Option<Upto<MAX>>) -> Result<Self, EffectError> {
        let after = cursor.map(|cursor| cursor::read(cursor)).transpose()?;
        let count = limit.map_or(PAGE_PATHS, |limit| usize::try_from(limit.0).unwrap_or(PAGE_PATHS));
        Ok(Self { after, count })
    }
}

fn told(facts: Facts) -> Output {
    #[allow(clippy::cast_precision_loss, reason = "a double holds microseconds of our time, as JSON's numbers do")]
    let mtime = facts.mtime_ns as f64 / 1e9;
    Output::Json(json!({ "size": facts.size, "mtime": mtime, "is_dir": facts.is_dir, "is_file": facts.is_file }))
}

/// Paths as callers name them: beneath the folder of the policy, absolute.
fn answer(call: &Call, at: &Beneath, page: Page) -> Outcome {
    let root = call.policy.roots(at.access).get(at.root).map_or(Path::new("/"), |folder| folder.path());
    let base = if at.path.as_os_str().is_empty() { root.to_owned() } else { root.join(&at.path) };
    let cursor = page.paths.last().filter(|_| page.more).map(|last| cursor::write(last));
    let full = |path: PathBuf| if path.as_os_str().is_empty() { base.clone() } else { base.join(path) };
    let paths: Vec<Value> = page.paths.into_iter().map(|path| text(full(path))).collect();
    Ok(Output::Json(json!({ "paths": paths, "cursor": cursor })).into())
}

/// A name of a file need not be text: then it is bytes.
fn text(path: PathBuf) -> Value {
    match path.into_os_string().into_string() {
        Ok(text) => text.into(),
        Err(bytes) => Output::Bytes(bytes.into_vec().into()).into_json(),
    }
}
