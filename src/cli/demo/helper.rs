//! Builds the helper for whoever has just typed `cargo run`, which builds one program and not the two that are one
//! installation.

use crate::{cli::failure::Outcome, io::find};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// Finds the helper, or has it built beside this program when cargo runs it.
pub(super) async fn ensure(say: impl Fn(&str)) -> Outcome {
    let missing = match find::helper(None) {
        Ok(_) => return Ok(()),
        Err(missing) => missing,
    };
    let Some((cargo, package)) = cargo_that_runs_us() else { return Err(missing.into()) };
    let Some(args) = find::beside_us().as_deref().and_then(|folder| build_args(folder, &package)) else {
        return Err(missing.into());
    };
    say("coalmine-helper of this version is not built yet: cargo builds it now");
    // Its words go to stderr, where they do not mix with an answer; where it fails they are the reason.
    let built = Command::new(cargo).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    if !built.is_ok_and(|status| status.success()) {
        return Err(missing.into());
    }
    find::helper(None)?;
    Ok(())
}

/// `cargo run` names itself and the package's folder in the environment of what it runs.
fn cargo_that_runs_us() -> Option<(OsString, PathBuf)> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    Some((std::env::var_os("CARGO")?, package))
}

/// What builds the helper into `folder`, which is `<target>/<profile>`.
fn build_args(folder: &Path, package: &Path) -> Option<Vec<OsString>> {
    let profile = match folder.file_name()?.to_str()? {
        "debug" => "dev", // the only profile whose folder has another name
        profile => profile,
    };
    let mut args: Vec<OsString> = ["build", "--bin", "coalmine-helper", "--profile", profile].map(Into::into).into();
    args.extend(["--manifest-path".into(), package.join("Cargo.toml").into()]);
    args.extend(["--target-dir".into(), folder.parent()?.into()]);
    Some(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(folder: &str) -> String {
        let args = build_args(Path::new(folder), Path::new("/src/coalmine")).unwrap();
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_helper_is_built_where_the_program_lies_and_as_it_was() {
        let release = said("/t/release");
        assert!(release.contains("--profile release") && release.ends_with("--target-dir /t"), "{release}");
        assert!(said("/t/debug").contains("--profile dev"));
    }
}
