//! Where units go, and what starts them: for one user, or for the host.

use super::super::failure::{Failure, Outcome};
use std::{ffi::OsString, path::PathBuf};

/// Whose units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    User,
    System,
}

impl Scope {
    pub(super) fn folder(self, env: &dyn Fn(&str) -> Option<OsString>) -> Outcome<PathBuf> {
        let set = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match self {
            Self::System => Ok("/etc/systemd/system".into()),
            Self::User => {
                let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
                config.map(|config| config.join("systemd/user")).ok_or_else(|| {
                    Failure::usage("no place for a user unit: HOME is not set", "set HOME to your home folder")
                })
            }
        }
    }

    pub(super) fn target(self) -> &'static str {
        match self {
            Self::User => "default.target",
            Self::System => "multi-user.target",
        }
    }

    /// What loads, enables and starts it, and lets it outlive a logout.
    pub(super) fn commands(self, name: &str, activate: bool) -> Vec<String> {
        let systemctl = match self {
            Self::User => "systemctl --user",
            Self::System => "systemctl",
        };
        let unit = if activate { format!("{name}.socket") } else { format!("{name}.service") };
        let mut commands = vec![format!("{systemctl} daemon-reload"), format!("{systemctl} enable --now {unit}")];
        if self == Self::User {
            commands.push("loginctl enable-linger    # else the last logout ends daemon and peers".into());
        }
        commands
    }
}
