//! `coalmine init`: makes a peer of a folder, named after it.

mod folder_name;

use super::{
    context::Context,
    create,
    failure::{Failure, Outcome},
};
use crate::text::one_line;
use std::path::{Path, PathBuf};

/// Longest folder name that a refusal repeats, characters.
const FOLDER_CHARS_MAX: usize = 80;

/// Make a peer of a folder, named after it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The name is the folder's, in a-z, 0-9 and dashes: `Web Shop` becomes web-shop, `Köln` becomes koln. A name that \
another folder's peer has is refused; `coalmine create NAME --cwd DIR` takes one of your choice.")]
pub(super) struct Args {
    /// The folder [default: this one]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    wish: create::Wish,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let given = args.folder.unwrap_or_else(|| ".".into());
    let folder = std::path::absolute(&given).map_err(|error| {
        Failure::usage(format!("the folder can not be resolved: {error}"), "name one: `coalmine init DIR`")
    })?;
    let name = name_of(&folder)?;
    args.wish.fulfil(context, name, folder).await
}

/// The peer's name; the folder itself, the fleet judges.
fn name_of(folder: &Path) -> Outcome<String> {
    // `..` and the like have a name only once they are resolved; where they can not be, the fleet says why.
    let resolved = folder.file_name().map_or_else(|| folder.canonicalize().ok(), |_| Some(folder.to_owned()));
    let last = resolved.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    folder_name::personality(&last).map_err(|why| {
        let hint = format!("choose a name: `coalmine create NAME --cwd {}`", folder.display());
        Failure::usage(format!("the folder's name {:?} {why}", one_line(&last, FOLDER_CHARS_MAX)), hint)
    })
}
