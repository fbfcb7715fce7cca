//! Where the program's notes go. Nothing here can fail in a way that its caller would feel.

use crate::io::{log_file::LogFile, stderr::Stderr};
use std::sync::Arc;
use tracing::Level;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Sends what the program notes to stderr: `COALMINE_LOG` says what, else `level`, more with each `-v`.
pub(crate) fn to_stderr(level: Level, verbose: u8) {
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    to(|| Stderr, ansi, level, verbose);
}

/// The same to a log.
pub(crate) fn to_log(log: LogFile, level: Level, verbose: u8) {
    to(Arc::new(log), false, level, verbose);
}

fn to<W>(writer: W, ansi: bool, level: Level, verbose: u8)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = match (level, verbose) {
        (level, 0) => level,
        (Level::WARN, 1) => Level::INFO,
        (_, 1) => Level::DEBUG,
        _ => Level::TRACE,
    };
    let asked = std::env::var("COALMINE_LOG").unwrap_or_default();
    let mut filter = EnvFilter::builder().with_default_directive(level.into()).parse_lossy(&asked);
    if asked.is_empty() && verbose == 0 {
        // What a library says of each connection is for those who ask for more.
        filter = filter.add_directive("rmcp=warn".parse().expect("a directive"));
    }
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi);
    // What the subscriber says of a note that it can not write, it says with a macro that panics where stderr can
    // not be written either: on a full disk that took the actor that had the note to make.
    let subscriber = subscriber.log_internal_errors(false);
    // Fails only where a program that embeds this has its own.
    let _theirs = subscriber.try_init();
}
