//! What lies in the folders: listed by id, and what does not belong there.

use super::{
    Inner,
    active::begun_ms,
    folders::{is_no_file, shard_name, shard_of},
};
use coalmine_actors::{
    attachments::{
        AttachmentId, MediaType, Meta,
        meta::CreateMeta,
        store::{PAGE_MAX, Page, Tidied},
    },
    error::FleetError,
};
use rustix::{
    fd::AsFd,
    fs::{AtFlags, Dir, FileType, statat},
};
use std::io;

/// What may lie beside the blobs in the store's own folder.
const OURS: [&str; 6] =
    ["blobs", "staging", "quarantine", "manifest.sqlite", "manifest.sqlite-wal", "manifest.sqlite-shm"];

/// A page of records.
pub(super) fn list(inner: &Inner, after: Option<AttachmentId>, limit: usize) -> Result<Page, FleetError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let io = |error| FleetError::io("list", inner.folders.root(), error);
    let mut items = Vec::new();
    for shard in after.map_or(0, shard_of)..=u8::MAX {
        let names = names(inner.folders.shard(shard).map_err(io)?).map_err(io)?;
        let mut ids: Vec<AttachmentId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        ids.retain(|id| shard_of(*id) == shard && after.is_none_or(|after| *id > after));
        ids.sort_unstable();
        for id in ids {
            if items.len() == limit {
                return Ok(Page { next: items.last().map(|meta: &Meta| meta.id), items });
            }
            items.extend(look(inner, id).map_err(io)?);
        }
    }
    Ok(Page { items, next: None })
}

/// The record of a blob that is there; a plain one where it is lost, so that nothing is hidden.
fn look(inner: &Inner, id: AttachmentId) -> io::Result<Option<Meta>> {
    let file = match inner.folders.blob(id) {
        Ok(file) => file,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(strange) if is_no_file(&strange) => return Ok(None),
        Err(error) => return Err(error),
    };
    let plain = CreateMeta::default().into_meta(id, file.metadata()?.len(), MediaType::Bytes, 0);
    Ok(Some(inner.folders.record(id)?.unwrap_or(plain)))
}

/// Removes staged files of dead processes that are old enough, and names what is not ours.
pub(super) fn tidy(inner: &Inner, before_ms: i64, remove: bool) -> Result<Tidied, FleetError> {
    let io = |error: io::Error| FleetError::io("tidy", inner.folders.root(), error);
    let mut tidied = Tidied::default();
    for name in names(&inner.folders.staging).map_err(io)? {
        match begun_ms(&name) {
            None => tidied.strange.push(format!("staging/{name}")),
            Some(begun) if begun < before_ms && !inner.active.contains(&name) => {
                let stat = statat(&inner.folders.staging, &name, AtFlags::SYMLINK_NOFOLLOW);
                tidied.staging_bytes += stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
                tidied.staging_removed += 1;
                if remove {
                    inner.folders.unstage(&name).map_err(io)?;
                }
            }
            Some(_in_work_or_young) => {}
        }
    }
    for shard in 0..=u8::MAX {
        strange_in_shard(inner, shard, &mut tidied.strange).map_err(io)?;
    }
    let root = rustix::fs::open(inner.folders.root(), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    let beside = names(root.map_err(|error| io(error.into()))?).map_err(io)?;
    tidied.strange.extend(beside.into_iter().filter(|name| !OURS.contains(&name.as_str())));
    Ok(tidied)
}

fn strange_in_shard(inner: &Inner, shard: u8, strange: &mut Vec<String>) -> io::Result<()> {
    let folder = inner.folders.shard(shard)?;
    for name in names(&folder)? {
        let id = name.strip_suffix(".json").unwrap_or(&name).parse::<AttachmentId>();
        let ours = id.is_ok_and(|id| shard_of(id) == shard);
        let is_file = || {
            let stat = statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW);
            // One that went meanwhile is not strange.
            stat.map_or(true, |stat| FileType::from_raw_mode(stat.st_mode).is_file())
        };
        if !ours || !is_file() {
            strange.push(format!("blobs/{}/{name}", shard_name(shard)));
        }
    }
    Ok(())
}

/// The names in a folder; what is not UTF-8 is shown as far as it can be.
fn names(folder: impl AsFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}
