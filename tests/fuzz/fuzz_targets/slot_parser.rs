//! Any bytes as a provider's declaration: no panic, nothing dropped in silence, and what holds can be run.
#![no_main]

use coalmine_actors::provisioner::slot::{CommandSpec, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let slot = parse(bytes);
    let Some(provider) = slot.provider else {
        assert!(!slot.problems.is_empty(), "an invalid declaration has a reason");
        return;
    };
    #[cfg(feature = "planted")]
    assert!(provider.version != "0.0.0-planted", "the planted bug"); // no seed is near it

    for text in [&provider.name, &provider.package, &provider.version] {
        assert!(!text.is_empty() && text.trim() == text);
    }
    assert!(provider.heartbeat.is_none_or(|path| path.is_absolute()));
    for CommandSpec { command, args } in provider.provision.into_iter().chain(provider.unprovision) {
        assert!(command.starts_with('/') && command.trim() == command);
        assert!(args.iter().chain([&command]).all(|text| !text.contains('\0')));
    }
});
