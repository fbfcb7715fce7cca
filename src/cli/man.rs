//! `coalmine man`: the manual, one page on stdout or one page a verb in a folder.

use super::{
    context::Context,
    failure::{Failure, Outcome},
    output,
};
use crate::count::counted;
use clap::CommandFactory;
use clap_mangen::Man;
use coalmine_actors::error::FleetError;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Print the manual page, or write one page a verb into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coalmine man | man -l -
  coalmine man ~/.local/share/man/man1; man coalmine-create")]
pub(super) struct Args {
    /// An existing folder; without one the main page goes to stdout
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Serialize)]
struct Pages {
    /// Absent where the page went to stdout.
    folder: Option<PathBuf>,
    files: Vec<String>,
    /// The main page, where no folder was named.
    page: Option<String>,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let Some(folder) = args.folder else {
        let page = page(&Man::new(command()));
        let pages = Pages { folder: None, files: vec![], page: Some(String::from_utf8_lossy(&page).into_owned()) };
        return if context.json { output::document(&pages, None) } else { output::raw(&page) };
    };
    if !folder.is_dir() {
        let hint = format!("make it with `mkdir -p {}`, or name another one", folder.display());
        return Err(Failure::usage(format!("{} is not a folder", folder.display()), hint));
    }
    let pages = Pages { files: write_all(&folder)?, folder: Some(folder), page: None };
    context.answer(&pages, |pages| {
        let folder = pages.folder.as_deref().unwrap_or(Path::new(""));
        format!("wrote {} to {}", counted(pages.files.len(), "page", "pages"), folder.display())
    })
}

fn command() -> clap::Command {
    let mut command = super::Cli::command();
    command.build();
    command
}

fn page(man: &Man) -> Vec<u8> {
    let mut page = Vec::new();
    man.render(&mut page).expect("memory can be written");
    page
}

/// `coalmine.1`, and `coalmine-<verb>.1` for each verb.
fn write_all(folder: &Path) -> Outcome<Vec<String>> {
    let command = command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let pages = std::iter::once(&command).chain(verbs).map(|command| {
        let man = Man::new(command.clone());
        let path = folder.join(man.get_filename());
        std::fs::write(&path, page(&man)).map_err(|source| FleetError::io("write", path, source))?;
        Ok(man.get_filename())
    });
    pages.collect()
}
