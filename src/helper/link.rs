//! The build script: the helper is linked to be loaded at a fixed place, so that no canary needs memory of its own for
//! addresses that the loader would write into it (docs/decisions/0051).

#[expect(clippy::print_stdout, reason = "a build script speaks to Cargo by its stdout")]
fn main() {
    println!("cargo:rerun-if-changed=src/helper/link.rs");
    println!("cargo:rustc-link-arg-bin=coalmine-helper=-no-pie");
}
