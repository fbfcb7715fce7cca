//! Chance that nobody can guess: the kernel's.

use coalmine_actors::effects::{EffectError, port::Chance};
use rustix::rand::{GetRandomFlags, getrandom};

/// The kernel's source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsChance;

impl Chance for OsChance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EffectError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
                Ok(some) => filled += some,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(std::io::Error::from(error).into()),
            }
        }
        Ok(())
    }
}
