//! Verbs for scripts and for people who ask why: real daemon, real command line.
mod wait;

/// Whether at least `count` clients are connected to this daemon besides its listening socket.
fn connected(daemon: i32, count: usize) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{daemon}/fd")) else { return false };
    let sockets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let listening = 1;
    sockets.filter(|link| link.to_string_lossy().starts_with("socket:")).count() >= listening + count
}
