//! What a session holds open: typed, unguessable, bounded, and closed with the session.

use super::error::EffectError;
use serde::{Serialize, Serializer};
use std::{any::Any, collections::HashMap, fmt, str::FromStr, sync::Arc};

/// Most handles of one kind in a session. One more is refused; nothing is closed behind its owner's back.
pub const HANDLES_MAX: usize = 256;

/// 128 bits that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandleId([u8; 16]);

impl HandleId {
    /// Of bytes that come from the system's source of chance.
    pub fn of(chance: [u8; 16]) -> Self {
        Self(chance)
    }

    /// Its beginning, for records: enough to tell handles apart, and too little to use one.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for HandleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HandleId {
    /// Its beginning alone: what is debugged is logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandleId({}…)", self.short())
    }
}

impl Serialize for HandleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for HandleId {
    type Err = EffectError;

    fn from_str(text: &str) -> Result<Self, EffectError> {
        let digits = text.as_bytes();
        let mut id = [0; 16];
        if digits.len() != 32 {
            return Err(EffectError::UnknownHandle);
        }
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(id))
    }
}

fn digit(byte: u8) -> Result<u8, EffectError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(EffectError::UnknownHandle),
    }
}

/// What a handle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandleKind {
    /// A program that was started.
    Process,
    /// A server.
    Server,
    /// A store of keys and values.
    Kv,
    /// A database.
    Sql,
    /// A tool server.
    Mcp,
}

impl HandleKind {
    /// Most of them in a session.
    pub fn max(self) -> usize {
        match self {
            Self::Mcp => 16,
            // Each of them has connections, and each connection a descriptor.
            Self::Server => 16,
            _ => HANDLES_MAX,
        }
    }
}

/// What a handle holds: a task, a connection. Dropped when it is closed.
pub type Held = Arc<dyn Any + Send + Sync>;

/// The handles of one session. Once it is shut it takes nothing in.
#[derive(Default)]
pub struct Handles {
    open: HashMap<HandleId, (HandleKind, Held)>,
    shut: bool,
}

impl Handles {
    /// Keeps `held` under `id`.
    ///
    /// # Errors
    /// [`EffectError::TooManyHandles`]; [`EffectError::Cancelled`] once the session has ended. `held` is dropped.
    pub fn open(&mut self, id: HandleId, kind: HandleKind, held: Held) -> Result<HandleId, EffectError> {
        if self.shut {
            return Err(EffectError::Cancelled);
        }
        self.room(kind)?;
        self.open.insert(id, (kind, held));
        Ok(id)
    }

    /// Whether there is room for one more: to be asked before something is made that would have to be undone.
    ///
    /// # Errors
    /// [`EffectError::TooManyHandles`].
    pub fn room(&self, kind: HandleKind) -> Result<(), EffectError> {
        let max = kind.max();
        if self.count(kind) < max { Ok(()) } else { Err(EffectError::TooManyHandles { max }) }
    }

    /// What `id` stands for, if it is of this kind.
    ///
    /// # Errors
    /// [`EffectError::UnknownHandle`]: never opened here, closed, or of another kind.
    pub fn get<T: Any + Send + Sync>(&self, id: HandleId, kind: HandleKind) -> Result<Arc<T>, EffectError> {
        match self.open.get(&id) {
            Some((found, held)) if *found == kind => {
                Arc::clone(held).downcast().map_err(|_other| EffectError::UnknownHandle)
            }
            _ => Err(EffectError::UnknownHandle),
        }
    }

    /// All of a kind.
    pub fn all<T: Any + Send + Sync>(&self, kind: HandleKind) -> Vec<Arc<T>> {
        let held = self.open.values().filter(|(found, _)| *found == kind);
        held.filter_map(|(_, held)| Arc::clone(held).downcast().ok()).collect()
    }

    /// Closes one; what it held goes with the last who uses it.
    ///
    /// # Errors
    /// As [`Handles::get`].
    pub fn close(&mut self, id: HandleId, kind: HandleKind) -> Result<Held, EffectError> {
        match self.open.get(&id) {
            Some((found, _)) if *found == kind => {
                self.open.remove(&id).map(|(_, held)| held).ok_or(EffectError::UnknownHandle)
            }
            _ => Err(EffectError::UnknownHandle),
        }
    }

    /// How many of a kind are open.
    pub fn count(&self, kind: HandleKind) -> usize {
        self.open.values().filter(|(found, _)| *found == kind).count()
    }

    /// Closes all, for good.
    pub fn shut(&mut self) -> Vec<Held> {
        self.shut = true;
        self.open.drain().map(|(_, (_, held))| held).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u16) -> HandleId {
        let mut chance = [7; 16];
        chance[..2].copy_from_slice(&n.to_be_bytes());
        HandleId::of(chance)
    }

    #[test]
    fn foreign_closed_and_mistyped_handles_look_the_same() {
        let mut handles = Handles::default();
        let kv = handles.open(id(1), HandleKind::Kv, Arc::new(7_u8)).unwrap();
        assert_eq!(*handles.get::<u8>(kv, HandleKind::Kv).unwrap(), 7);
        assert_eq!(handles.get::<u8>(kv, HandleKind::Sql), Err(EffectError::UnknownHandle));
        assert_eq!(handles.get::<u16>(kv, HandleKind::Kv), Err(EffectError::UnknownHandle));
        assert_eq!(handles.get::<u8>(id(2), HandleKind::Kv), Err(EffectError::UnknownHandle));
        assert_eq!(Handles::default().get::<u8>(kv, HandleKind::Kv), Err(EffectError::UnknownHandle));
        drop(handles.close(kv, HandleKind::Kv).unwrap());
        assert_eq!(handles.get::<u8>(kv, HandleKind::Kv), Err(EffectError::UnknownHandle));
        assert!(handles.close(kv, HandleKind::Kv).is_err());
    }

    #[test]
    fn one_more_than_the_limit_is_refused_and_nothing_is_evicted() {
        let mut handles = Handles::default();
        let max = u16::try_from(HANDLES_MAX).unwrap();
        for n in 0..max {
            handles.open(id(n), HandleKind::Process, Arc::new(n)).unwrap();
        }
        let full = Err(EffectError::TooManyHandles { max: HANDLES_MAX });
        assert_eq!(handles.open(id(max), HandleKind::Process, Arc::new(max)), full);
        assert_eq!(*handles.get::<u16>(id(0), HandleKind::Process).unwrap(), 0);
        handles.open(id(max), HandleKind::Kv, Arc::new(())).unwrap();
    }

    #[test]
    fn a_session_that_ended_closes_all_and_takes_nothing_in() {
        let mut handles = Handles::default();
        let held: Held = Arc::new(());
        handles.open(id(1), HandleKind::Kv, Arc::clone(&held)).unwrap();
        drop(handles.shut());
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(handles.open(id(2), HandleKind::Kv, held), Err(EffectError::Cancelled));
    }

    #[test]
    fn an_id_is_read_as_it_is_written_and_debugged_in_part() {
        let id = id(300);
        assert_eq!(id.to_string().parse::<HandleId>(), Ok(id));
        assert_eq!(format!("{id:?}"), "HandleId(012c0707…)");
        for bad in ["", "zz", &"A".repeat(32), &"g".repeat(32), &"é".repeat(16), &"0".repeat(33)] {
            assert_eq!(bad.parse::<HandleId>(), Err(EffectError::UnknownHandle), "{bad}");
        }
    }
}
