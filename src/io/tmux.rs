//! One call of a tmux client, with a deadline. A server that does not answer is silent, not dead.
//!
//! What tmux does with its arguments (seen in 3.3a): it runs `#(cmd)` in names, titles, formats and start folders,
//! takes a `;` at an argument's end for the end of the command, and matches targets by prefix and glob. So no text
//! of a person ever becomes an argument, targets are ids (`$0`, `%0`), and paths travel in the environment.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, process::Command};

/// Longest a client may take. A silent server costs a caller this much and no more.
pub const CALL_DEADLINE: Duration = Duration::from_secs(2);
/// Most of a client's output that is kept, bytes: a screen of 220×50 is well below.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum TmuxError {
    /// The deadline passed.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The server, or the client, refused.
    #[error("tmux says: {0}")]
    Refused(String),
    /// The client could not be run.
    #[error("the tmux client can not be run")]
    Io(#[source] io::Error),
}

/// The client program, and how it is called.
#[derive(Debug, Clone)]
pub struct Tmux {
    program: PathBuf,
}

impl Tmux {
    /// Uses this tmux.
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs one client against the server at `socket` and gives what it printed. The client never starts a server
    /// of its own (`-N`), reads no configuration, has an empty environment, and is killed at the deadline.
    ///
    /// # Errors
    /// Silent, refused, or not runnable.
    pub async fn call<A: AsRef<OsStr>>(
        &self,
        socket: &Path,
        args: impl IntoIterator<Item = A>,
        deadline: Duration,
    ) -> Result<String, TmuxError> {
        self.call_with(socket, args, Vec::new(), deadline).await
    }

    /// The same, with something for the client to read.
    ///
    /// # Errors
    /// As [`Tmux::call`].
    pub async fn call_with<A: AsRef<OsStr>>(
        &self,
        socket: &Path,
        args: impl IntoIterator<Item = A>,
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<String, TmuxError> {
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut child = Command::new(&self.program)
            .args([OsStr::new("-N"), OsStr::new("-S"), socket.as_os_str()])
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            // Not UTF-8 by default: a screen would lose every other character.
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "screen-256color")
            .current_dir("/")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the daemon's terminal is not meant for the fleet's clients.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(TmuxError::Io)?;
        let feed = child.stdin.take();
        let fed = async {
            if let Some(mut feed) = feed {
                // A client that does not read says why when it ends.
                let _hung_up = feed.write_all(&input).await;
            }
        };
        let ended = async { tokio::join!(child.wait_with_output(), fed).0 };
        let output = tokio::time::timeout(deadline, ended)
            .await
            .map_err(|_elapsed| TmuxError::Silent(deadline))?
            .map_err(TmuxError::Io)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(OUTPUT_BYTES_MAX)]).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            let why = text(&output.stderr);
            Err(TmuxError::Refused(if why.trim().is_empty() { output.status.to_string() } else { why.trim().into() }))
        }
    }
}

/// The configuration of every peer's server. It never changes: what differs from peer to peer is in the
/// environment, so that no path is ever quoted for tmux and for a shell.
///
/// The hooks stand here because a session that dies at birth is not reported by hooks that are set after it.
pub const CONF: &str = r##"# Written by coalmine at every start of its daemon.
set -g exit-empty off
set -g destroy-unattached off
set -g detach-on-destroy on
set -g set-clipboard off
set -gq allow-passthrough off
set -g history-limit 5000
set -g default-terminal "screen-256color"
set -g status-left " #{session_name} "
set -g status-right " leave with Ctrl-b d "
set -g status-right-length 40
set -wg remain-on-exit on
set -wg allow-rename off
set -wg automatic-rename off
set-hook -g pane-died { run-shell -b "exec \"\$COALMINE_HELPER\" hook pane-died '#{hook_pane}' '#{pane_dead_status}' '#{pane_dead_signal}'" }
set-hook -g session-closed { run-shell -b "exec \"\$COALMINE_HELPER\" hook session-closed '#{hook_session}'" }
"##;

/// What is piped a pane's output; run by a shell in the server's environment.
pub const PANE_LOG_COMMAND: &str = r#"exec "$COALMINE_HELPER" panelog"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_without_a_server_is_refused_and_starts_none() {
        let Some(program) = crate::io::find::in_path("tmux") else { return };
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let error = Tmux::new(program).call(&socket, ["list-sessions"], CALL_DEADLINE).await.unwrap_err();
        assert!(matches!(error, TmuxError::Refused(_)), "{error}");
        assert!(!socket.exists());
    }
}
