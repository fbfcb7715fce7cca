//! The text of the units. Pure.
//!
//! `KillMode=process` and `OOMPolicy=continue`: the peers live in the unit's control group and outlive the daemon, and
//! one that runs out of memory does not take the others along.

use super::super::failure::{Failure, Outcome};
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// The first line of every unit of ours.
pub(super) const HEADER: &str = "# Written by `coalmine install`, which replaces it when it runs again.\n";

/// How the daemon is to be run.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) program: PathBuf,
    pub(super) root: PathBuf,
    pub(super) config: PathBuf,
    pub(super) socket: PathBuf,
    /// Where the daemon, and with it the peers, find their programs.
    pub(super) path: OsString,
    pub(super) wanted_by: &'static str,
}

impl Service {
    /// The service unit.
    pub(super) fn unit(&self) -> Outcome<String> {
        let program = word(self.program.as_os_str(), true)?;
        let root = word(self.root.as_os_str(), true)?;
        let variable = |name: &str, value: &OsStr| {
            let mut both = OsString::from(format!("{name}="));
            both.push(value);
            word(&both, false)
        };
        let config = variable("COALMINE_CONFIG", self.config.as_os_str())?;
        let path = variable("PATH", &self.path)?;
        let wanted_by = self.wanted_by;
        Ok(format!(
            "{HEADER}\
             [Unit]\n\
             Description=Coalmine, a fleet of AI agents\n\
             StartLimitIntervalSec=60\n\
             StartLimitBurst=5\n\
             \n\
             [Service]\n\
             Type=notify\n\
             ExecStart={program} --root {root} daemon\n\
             ExecReload=/bin/kill -HUP $MAINPID\n\
             Environment={path}\n\
             Environment={config}\n\
             Restart=on-failure\n\
             RestartSec=1\n\
             # Another daemon holds the fleet, or the config is bad: trying again does not help.\n\
             RestartPreventExitStatus=75 78\n\
             TimeoutStartSec=90\n\
             TimeoutStopSec=30\n\
             WatchdogSec=60\n\
             # The peers outlive the daemon, and one that runs out of memory does not take the others along.\n\
             KillMode=process\n\
             OOMPolicy=continue\n\
             TasksMax=infinity\n\
             LimitNOFILE=65536\n\
             UMask=0077\n\
             \n\
             [Install]\n\
             WantedBy={wanted_by}\n"
        ))
    }

    /// The socket unit: systemd listens where clients look.
    pub(super) fn socket_unit(&self) -> Outcome<String> {
        let socket = specifiers(text(self.socket.as_os_str())?);
        Ok(format!(
            "{HEADER}\
             [Unit]\n\
             Description=The socket of Coalmine\n\
             \n\
             [Socket]\n\
             ListenStream={socket}\n\
             SocketMode=0600\n\
             DirectoryMode=0700\n\
             RemoveOnStop=yes\n\
             \n\
             [Install]\n\
             WantedBy=sockets.target\n"
        ))
    }
}

fn text(value: &OsStr) -> Outcome<&str> {
    let refuse = |why: &str| {
        let shown = value.to_string_lossy().escape_debug().to_string();
        Failure::usage(
            format!("{shown:?} can not stand in a unit: {why}"),
            "choose a path of plain text, with --root DIR",
        )
    };
    let text = value.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
    if text.chars().any(char::is_control) { Err(refuse("it holds a control character")) } else { Ok(text) }
}

/// One word in quotes, as systemd reads it; in a command `$` would begin a variable.
fn word(value: &OsStr, in_command: bool) -> Outcome<String> {
    let quoted = specifiers(text(value)?).replace('\\', "\\\\").replace('"', "\\\"");
    let quoted = if in_command { quoted.replace('$', "$$") } else { quoted };
    Ok(format!("\"{quoted}\""))
}

/// `%` begins a specifier everywhere.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(root: &str) -> Service {
        Service {
            program: "/usr/bin/coalmine".into(),
            root: root.into(),
            config: "/c/config.toml".into(),
            socket: format!("{root}/run/daemon.sock").into(),
            path: "/usr/bin:/bin".into(),
            wanted_by: "default.target",
        }
    }

    #[test]
    fn whatever_a_path_holds_stays_one_word() {
        for (root, line) in [
            ("/r", r#"ExecStart="/usr/bin/coalmine" --root "/r" daemon"#),
            ("/a b", r#"--root "/a b" daemon"#),
            ("/100%", r#"--root "/100%%" daemon"#),
            ("/$HOME", r#"--root "/$$HOME" daemon"#),
            ("/q\"\\", r#"--root "/q\"\\" daemon"#),
        ] {
            let unit = service(root).unit().unwrap();
            assert!(unit.contains(line), "{line} is not in {unit}");
        }
        assert!(service("/100%").socket_unit().unwrap().contains("ListenStream=/100%%/run/daemon.sock\n"));
        for bad in ["/a\nExecStartPre=/bin/evil", "/a\u{7f}"] {
            assert!(service(bad).unit().is_err() && service(bad).socket_unit().is_err(), "{bad:?}");
        }
    }
}
