//! Work that a quiet fleet does all the same: context switches of all its processes, and the daemon's system calls.

use super::{Daemon, Pause};
use crate::support::{Outcome, Reach, Row, switches};
use coalmine::{actors::view::PeerView, io::find};
use std::process::{Command, Stdio};

/// Counts for one pause without, and where strace can be had for another one with, system calls.
pub async fn table(daemon: &Daemon, views: &[PeerView], pause: Pause) -> Outcome<(Vec<Row>, Option<String>)> {
    let canaries: Vec<u32> = views.iter().filter_map(|view| view.canary_pid).map(i32::cast_unsigned).collect();
    let count = || -> Outcome<(u64, u64)> {
        let of_canaries = canaries.iter().map(|pid| switches(*pid)).sum::<Outcome<u64>>()?;
        Ok((switches(daemon.pid())?, of_canaries))
    };
    let before = count()?;
    pause.wait().await;
    let after = count()?;
    let rows = vec![
        switched("context switches of the daemon", after.0.saturating_sub(before.0)),
        switched("context switches of all canaries", after.1.saturating_sub(before.1)),
    ];
    Ok((rows, trace(daemon.pid(), pause).await?))
}

fn switched(what: &str, count: u64) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = count as f64;
    Row::one(what, "in all", count).reach(Reach { goal: "none".into(), reached: count == 0.0 })
}

/// strace's own table.
async fn trace(pid: u32, pause: Pause) -> Outcome<Option<String>> {
    let Some(strace) = find::in_path("strace") else { return Ok(None) };
    let mut strace = Command::new("/usr/bin/timeout")
        .args(["--signal=INT", &pause.seconds().to_string()])
        .arg(strace)
        .args(["-f", "-c", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        let stderr = strace.stderr.take().ok_or("no stderr")?;
        std::io::Read::read_to_string(&mut std::io::BufReader::new(stderr), &mut text)?;
        strace.wait()?;
        Outcome::Ok(text)
    });
    let text = output.await??;
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("strace: Process")).collect();
    Ok(Some(if lines.is_empty() { "none at all".into() } else { lines.join("\n") }))
}
