//! Becoming a program in another folder and under limits, because the daemon itself only ever uses `posix_spawn`.

use super::{
    args::{Usage, text, value_of},
    program::{become_program, change_folder, fail},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{env, ffi::OsString, io, path::PathBuf, process::ExitCode};

/// The limits by their names in `ulimit` and systemd.
const RESOURCES: [(&str, Resource); 9] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("memlock", Resource::Memlock),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("stack", Resource::Stack),
];

/// Becomes the program after `--`.
///
/// # Errors
/// Wrong arguments; nothing was changed then.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode, Usage> {
    let (mut folder, mut limits) = (None, Vec::new());
    loop {
        let Some(name) = args.next() else { return Err(Usage("exec needs -- PROGRAM".into())) };
        match name.to_str() {
            Some("--") => break,
            Some("--chdir") => folder = Some(PathBuf::from(value_of("--chdir", &mut args)?)),
            Some("--rlimit") => limits.push(limit(&text("--rlimit", value_of("--rlimit", &mut args)?)?)?),
            _ => return Err(Usage(format!("exec does not know {name:?}"))),
        }
    }
    let argv: Vec<OsString> = args.collect();
    let Some(program) = argv.first() else { return Err(Usage("exec needs a PROGRAM after --".into())) };
    if let Some(folder) = folder
        && let Err(code) = change_folder(&folder)
    {
        return Ok(code);
    }
    for (resource, limit) in limits {
        if let Err(error) = setrlimit(resource, limit) {
            return Ok(fail(program, &format!("limit {resource:?}: {}", io::Error::from(error)), 126));
        }
    }
    let environment: Vec<_> = env::vars_os().collect();
    Ok(become_program(&argv, &environment))
}

/// `NAME=SOFT[:HARD]`, where the hard limit is the soft one unless given.
fn limit(text: &str) -> Result<(Resource, Rlimit), Usage> {
    let (name, values) = text.split_once('=').ok_or_else(|| Usage(format!("--rlimit {text}: NAME=SOFT[:HARD]")))?;
    let resource = RESOURCES.iter().find(|(known, _)| *known == name).map(|(_, resource)| *resource);
    let resource = resource.ok_or_else(|| Usage(format!("--rlimit: there is no limit {name:?}")))?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok((resource, Rlimit { current: value(soft)?, maximum: value(hard)? }))
}

/// A number, or nothing for `unlimited`.
fn value(text: &str) -> Result<Option<u64>, Usage> {
    if text == "unlimited" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_not_a_number| Usage(format!("--rlimit: {text:?} is neither a number nor unlimited")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_name_and_one_or_two_values() {
        let read = |text| limit(text).map(|(resource, limit)| (resource, limit.current, limit.maximum));
        assert_eq!(read("core=0"), Ok((Resource::Core, Some(0), Some(0))));
        assert_eq!(read("nofile=64:unlimited"), Ok((Resource::Nofile, Some(64), None)));
        for bad in ["core", "cores=1", "core=", "core=1:", "core=-1", "core=1:2:3"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
