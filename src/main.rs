//! The `coalmine` program.

fn main() -> std::process::ExitCode {
    coalmine::cli::run()
}
