//! `coalmine install`: units for systemd, printed and written; what starts them is printed and left to people.

mod place;
mod unit;

use super::{
    context::Context,
    failure::{Failure, Outcome},
};
use crate::{io::atomic, paths::Paths, text::harmless};
use coalmine_actors::error::{FleetError, Kind};
use place::Scope;
use serde::Serialize;
use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use unit::Service;

/// Longest path of a socket, bytes.
const SOCKET_BYTES_MAX: usize = 107;

/// Write the systemd unit that runs this fleet's daemon
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a user who is not root it is a user unit. User units, and the peers below them, end at the last logout unless \
lingering is on: `loginctl enable-linger`. Stopping or restarting the unit leaves the peers running; \
`coalmine down --all` ends them.")]
pub(super) struct Args {
    /// Only print the units
    #[arg(long)]
    dry_run: bool,
    /// A user unit, also for root
    #[arg(long)]
    user: bool,
    /// Also a socket unit: systemd listens, and starts the daemon for the first client
    #[arg(long)]
    activate: bool,
    /// The unit's name, where one host has several fleets
    #[arg(long, value_name = "NAME", default_value = "coalmine", value_parser = unit_name)]
    name: String,
}

/// What becomes of one file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Created,
    Replaced,
    Unchanged,
}

#[derive(Debug, Serialize)]
struct File {
    path: PathBuf,
    text: String,
    change: Change,
}

#[derive(Debug, Serialize)]
struct Installed {
    dry_run: bool,
    files: Vec<File>,
    /// What starts it, to be typed.
    run: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let scope = if args.user || !rustix::process::geteuid().is_root() { Scope::User } else { Scope::System };
    let folder = scope.folder(&|name| std::env::var_os(name))?;
    let service = describe(context, scope)?;
    if args.activate && service.socket.as_os_str().len() > SOCKET_BYTES_MAX {
        return Err(Failure::usage(
            "the socket's path is too long, and where its short one lies is known only once the fleet has run",
            "`coalmine up -d`, then `coalmine down`, then install again",
        ));
    }
    let mut texts = vec![(format!("{}.service", args.name), service.unit()?)];
    if args.activate {
        texts.push((format!("{}.socket", args.name), service.socket_unit()?));
    }
    // All of them are looked at before one is written.
    let files = texts.into_iter().map(|(name, text)| plan(folder.join(name), text)).collect::<Outcome<Vec<_>>>()?;
    if !args.dry_run {
        write(&folder, &files)?;
    }
    let installed = Installed { dry_run: args.dry_run, files, run: scope.commands(&args.name, args.activate) };
    context.answer(&installed, text)
}

/// The daemon as systemd is to run it: this program, this place, this PATH.
fn describe(context: &Context, scope: Scope) -> Outcome<Service> {
    let root = std::path::absolute(&context.place.root)
        .map_err(|error| Failure::failed("can not resolve the state folder", error))?;
    // A root that is not there yet has the socket where it will have it once it is.
    let socket = Paths::new(&root).map_or_else(|_| root.join("run/daemon.sock"), |paths| paths.daemon_socket());
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(Service {
        program: own_file()?,
        root,
        config: context.place.config.clone(),
        socket,
        path,
        wanted_by: scope.target(),
    })
}

/// The file of this program, where the unit will find it.
#[expect(clippy::disallowed_methods, reason = "a verb is run by `coalmine` itself, never by an embedder")]
fn own_file() -> Outcome<PathBuf> {
    let file = std::env::current_exe().map_err(|error| Failure::failed("can not find this program's file", error))?;
    if file.exists() {
        return Ok(file);
    }
    let gone = io::Error::from(io::ErrorKind::NotFound);
    Err(Failure::failed("this program's file was replaced while it ran; run it again", gone))
}

/// What writing would do. A file that somebody else wrote is not ours to replace.
fn plan(path: PathBuf, text: String) -> Outcome<File> {
    let change = match std::fs::read_to_string(&path) {
        Ok(there) if there == text => Change::Unchanged,
        Ok(there) if there.starts_with(unit::HEADER) => Change::Replaced,
        Ok(_) => {
            return Err(Failure::new(
                Kind::Refused,
                "not-ours",
                format!("{} was not written by `coalmine install`", path.display()),
                "look at it, then move it away, or choose another name with --name NAME",
            ));
        }
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Change::Created,
        Err(source) => return Err(FleetError::io("read", path, source).into()),
    };
    Ok(File { path, text, change })
}

fn write(folder: &Path, files: &[File]) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|source| FleetError::io("create", folder, source))?;
    for file in files.iter().filter(|file| !matches!(file.change, Change::Unchanged)) {
        let readable = || std::fs::set_permissions(&file.path, PermissionsExt::from_mode(0o644));
        let written = atomic::replace(&file.path, file.text.as_bytes()).and_then(|()| readable());
        written.map_err(|source| FleetError::io("write", &file.path, source))?;
    }
    Ok(())
}

fn text(installed: &Installed) -> String {
    let mut text = String::new();
    for file in &installed.files {
        let what = match (installed.dry_run, &file.change) {
            (true, Change::Created) => "would be created",
            (true, Change::Replaced) => "would be replaced",
            (false, Change::Created) => "created",
            (false, Change::Replaced) => "replaced",
            (_, Change::Unchanged) => "unchanged",
        };
        text.push_str(&format!("# {} ({what})\n", file.path.display()));
        text.push_str(&file.text);
        text.push('\n');
    }
    text.push_str("next:\n");
    installed.run.iter().for_each(|command| text.push_str(&format!("  {command}\n")));
    harmless(&text)
}

fn unit_name(text: &str) -> Result<String, &'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_good = !text.is_empty() && text.len() <= 64 && text.chars().all(good) && !text.starts_with(['-', '.']);
    if is_good { Ok(text.to_owned()) } else { Err("letters, digits, dashes, dots and underscores; at most 64") }
}
