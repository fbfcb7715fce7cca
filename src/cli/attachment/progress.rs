//! How far a transfer is, on a terminal and for what takes long enough to wonder.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// What is shorter is done before anybody looks, bytes.
const SHOWN_FROM_BYTES: u64 = 8 * 1024 * 1024;

/// A bar on stderr for so many bytes, where somebody sees it; nothing of it is left at the end.
pub(super) fn bar(byte_len: Option<u64>, json: bool) -> ProgressBar {
    let seen = !json && std::io::stderr().is_terminal() && byte_len.is_none_or(|length| length >= SHOWN_FROM_BYTES);
    if !seen {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(byte_len, ProgressDrawTarget::stderr());
    let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_a_plain_one_serves_too) => bar,
    }
}
