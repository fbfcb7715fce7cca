//! The daemon's own variables, as `env.get` sees them.

use coalmine_actors::effects::port::Environment;

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostEnvironment;

impl Environment for HostEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
