//! What a policy leaves to a program: folders and ports, also as the entries of a pane file.

use std::{ffi::OsString, io, os::unix::ffi::OsStringExt, path::PathBuf};

/// What a program may reach besides what every program needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Files and folders that it may read and run.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may change. Not to read them: a policy says so itself.
    pub write: Vec<PathBuf>,
    /// Folders that it gets nothing of, wherever the others lie.
    pub hide: Vec<PathBuf>,
    /// TCP ports that it may connect to.
    pub connect: Ports,
    /// TCP ports that it may listen on.
    pub listen: Ports,
}

/// TCP ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ports {
    /// None.
    #[default]
    None,
    /// These.
    Only(Vec<u16>),
    /// All.
    Any,
}

/// What is to be done where the kernel has no Landlock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Without {
    /// The program does not start.
    #[default]
    Refuse,
    /// It starts all the same, and that is said.
    GoOn,
}

impl Rules {
    /// As entries of a pane file: `sandbox=`, then what there is of it, each a key and a value.
    pub fn entries(&self, without: Without) -> Vec<(&'static str, OsString)> {
        let without = match without {
            Without::Refuse => "required",
            Without::GoOn => "best-effort",
        };
        let mut entries = vec![("sandbox", without.into())];
        for (key, paths) in [("read", &self.read), ("write", &self.write), ("hide", &self.hide)] {
            entries.extend(paths.iter().map(|path| (key, path.clone().into_os_string())));
        }
        for (key, ports) in [("connect", &self.connect), ("listen", &self.listen)] {
            match ports {
                Ports::None => {}
                Ports::Only(ports) => entries.extend(ports.iter().map(|port| (key, port.to_string().into()))),
                Ports::Any => entries.push((key, "any".into())),
            }
        }
        entries
    }
}

/// Rules that are being read from a pane file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading(Option<(Rules, Without)>);

impl Reading {
    /// Takes an entry; `false` where it is none of these.
    ///
    /// # Errors
    /// A value that none of us wrote: what it was meant to allow or to deny can not be known.
    pub fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a sandbox that can not be understood");
        if key == b"sandbox" {
            let without = match value {
                b"required" => Without::Refuse,
                b"best-effort" => Without::GoOn,
                _ => return Err(damaged()),
            };
            self.0 = Some((Rules::default(), without));
            return Ok(true);
        }
        if !matches!(key, b"read" | b"write" | b"hide" | b"connect" | b"listen") {
            return Ok(false);
        }
        let (rules, _) = self.0.as_mut().ok_or_else(damaged)?;
        let path = || PathBuf::from(OsString::from_vec(value.to_vec()));
        match key {
            b"read" => rules.read.push(path()),
            b"write" => rules.write.push(path()),
            b"hide" => rules.hide.push(path()),
            b"connect" => rules.connect.take(value).ok_or_else(damaged)?,
            _ => rules.listen.take(value).ok_or_else(damaged)?,
        }
        Ok(true)
    }

    /// What was read; nothing where there is no sandbox.
    pub fn done(self) -> Option<(Rules, Without)> {
        self.0
    }
}

impl Ports {
    fn take(&mut self, value: &[u8]) -> Option<()> {
        if value == b"any" {
            *self = Self::Any;
            return Some(());
        }
        let port = std::str::from_utf8(value).ok()?.parse().ok()?;
        match self {
            Self::None => *self = Self::Only(vec![port]),
            Self::Only(ports) => ports.push(port),
            Self::Any => {}
        }
        Some(())
    }

    /// Those that are named.
    pub(super) fn named(&self) -> &[u16] {
        match self {
            Self::Only(ports) => ports,
            Self::None | Self::Any => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn read(entries: &[(&'static str, OsString)]) -> io::Result<Option<(Rules, Without)>> {
        let mut reading = Reading::default();
        for (key, value) in entries {
            assert!(reading.take(key.as_bytes(), value.as_bytes())?, "{key}");
        }
        Ok(reading.done())
    }

    #[test]
    fn rules_are_read_as_they_were_written() {
        let full = Rules {
            read: vec!["/a b\n".into(), "/c=d".into()],
            write: vec![OsString::from_vec(b"/\xFF".to_vec()).into()],
            hide: vec!["/state".into()],
            connect: Ports::Only(vec![80, 443]),
            listen: Ports::Any,
        };
        for (rules, without) in [(full, Without::Refuse), (Rules::default(), Without::GoOn)] {
            assert_eq!(read(&rules.entries(without)).unwrap(), Some((rules, without)));
        }
        assert_eq!(read(&[]).unwrap(), None);
        assert!(!Reading::default().take(b"arg", b"x").unwrap());
    }

    #[test]
    fn what_could_mean_less_than_was_meant_is_refused() {
        let entry = |key, value: &str| (key, OsString::from(value));
        for bad in [
            vec![entry("sandbox", "maybe")],
            vec![entry("read", "/a")],
            vec![entry("sandbox", "required"), entry("connect", "")],
            vec![entry("sandbox", "required"), entry("connect", "65536")],
            vec![entry("sandbox", "required"), entry("listen", "all")],
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }
}
