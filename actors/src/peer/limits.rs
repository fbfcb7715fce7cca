//! What one peer may use of the host: everything that runs in its server together. Pure.

use parse_size::Config;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// Least memory that a server, our own tools and a small program need, bytes.
const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// Most memory that can be asked for, bytes; what the host has is checked where the host is known.
const MEMORY_BYTES_MAX: u64 = 1 << 50;
/// Fewest tasks: the server, the pane log, the program and a hook, with a thread to spare each.
const TASKS_MIN: u32 = 8;
/// Most tasks: the kernel's own limit of pids on 64 bits.
const TASKS_MAX: u32 = 4_194_304;
/// The units in which sizes are written, largest first.
const UNITS: [(u64, char); 4] = [(1 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];

/// Limits of one peer; what is left out is as the layer below has it, and at last without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most memory of all its processes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<MemorySize>,
    /// Most processes and threads of it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_max: Option<u32>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// These, with what they leave out taken from the layer below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self { memory_max: self.memory_max.or(below.memory_max), tasks_max: self.tasks_max.or(below.tasks_max) }
    }

    /// Whether a peer could live under them.
    ///
    /// # Errors
    /// The first that is out of range, with what it may be.
    pub fn check(&self) -> Result<(), String> {
        let range = |bytes: u64| (MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX).contains(&bytes);
        if let Some(memory) = self.memory_max.filter(|memory| !range(memory.bytes())) {
            let (least, most) = (MemorySize::from(MEMORY_BYTES_MIN), MemorySize::from(MEMORY_BYTES_MAX));
            return Err(format!("memory_max is {memory}; it must be {least} to {most}"));
        }
        if let Some(tasks) = self.tasks_max.filter(|tasks| !(TASKS_MIN..=TASKS_MAX).contains(tasks)) {
            return Err(format!("tasks_max is {tasks}; it must be {TASKS_MIN} to {TASKS_MAX}"));
        }
        Ok(())
    }
}

impl fmt::Display for Limits {
    /// `memory 2G, tasks 100`; nothing where nothing is limited.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory_max.map(|memory| format!("memory {memory}"));
        let tasks = self.tasks_max.map(|tasks| format!("tasks {tasks}"));
        f.write_str(&memory.into_iter().chain(tasks).collect::<Vec<_>>().join(", "))
    }
}

/// An amount of memory, as people write it: `512M`, `2G`, or bytes. Units count in 1024, as systemd's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemorySize(u64);

impl MemorySize {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl From<u64> for MemorySize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

/// A text that is no amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount of memory is a number with K, M, G or T, as in 512M")]
pub struct NotAMemorySize;

impl FromStr for MemorySize {
    type Err = NotAMemorySize;
    fn from_str(text: &str) -> Result<Self, NotAMemorySize> {
        Config::new().with_binary().parse_size(text).map(Self).map_err(|_no_size| NotAMemorySize)
    }
}

impl fmt::Display for MemorySize {
    /// In the largest unit that says it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit)) {
            Some((unit, letter)) => write!(f, "{}{letter}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for MemorySize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemorySize {
    /// A text, or a number of bytes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = MemorySize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of memory, as in \"512M\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<MemorySize, E> {
                text.parse().map_err(|why| E::custom(format!("{text:?}: {why}")))
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<MemorySize, E> {
                Ok(MemorySize(bytes))
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<MemorySize, E> {
                u64::try_from(bytes).map(MemorySize).map_err(|_negative| E::custom(NotAMemorySize))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_is_read_as_people_write_it() {
        for (text, bytes) in [
            ("2G", Some(2 << 30)),
            ("512M", Some(512 << 20)),
            ("512MiB", Some(512 << 20)),
            ("1.5G", Some(1536 << 20)),
            ("65536", Some(65_536)),
            ("abc", None),
            ("", None),
            ("-1", None),
            ("2X", None),
            ("99999999999T", None),
        ] {
            assert_eq!(text.parse::<MemorySize>().ok().map(MemorySize::bytes), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_no_peer_could_live_under_is_named() {
        let memory = |text: &str| Limits { memory_max: Some(text.parse().unwrap()), tasks_max: None };
        let tasks = |tasks| Limits { memory_max: None, tasks_max: Some(tasks) };
        for (limits, says) in [
            (memory("0"), "memory_max is 0; it must be 16M to 1024T"),
            (memory("15M"), "memory_max is 15M;"),
            (memory("1025T"), "memory_max is 1025T;"),
            (tasks(0), "tasks_max is 0; it must be 8 to 4194304"),
            (tasks(5_000_000), "tasks_max is 5000000;"),
        ] {
            assert!(limits.check().unwrap_err().starts_with(says), "{:?}", limits.check());
        }
        assert_eq!(memory("16M").check().and(tasks(8).check()).and(Limits::default().check()), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(bytes: u64) {
            prop_assert_eq!(MemorySize(bytes).to_string().parse(), Ok(MemorySize(bytes)));
            let limits = Limits { memory_max: Some(MemorySize(bytes)), tasks_max: Some(9) };
            let text = serde_json::to_string(&limits).unwrap();
            prop_assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _any = text.parse::<MemorySize>();
        }
    }
}
