//! `list` at the socket, and as a whole command.

use super::{Daemon, coalmine};
use crate::support::{Outcome, Reach, Row, Samples, ms};
use axum::body::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{
    path::Path,
    process::{Command, Stdio},
};
use tokio::{net::UnixStream, time::Instant};

/// A whole command takes longer than a request: fewer of them.
const REQUESTS_A_COMMAND: usize = 10;

/// `rounds` requests on one connection, as many with a connection each, and a tenth as many commands.
pub async fn table(daemon: &Daemon, root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let (kept, bytes) = on_one_connection(daemon, rounds).await?;
    let mut single = Samples::default();
    for _ in 0..rounds {
        let before = Instant::now();
        daemon.client().list().await?;
        single.push(ms(before.elapsed()));
    }
    let (mut commands, mut nothing) = (Samples::default(), Samples::default());
    for _ in 0..rounds.div_ceil(REQUESTS_A_COMMAND) {
        let mut list = coalmine(root);
        list.args(["list", "--json"]);
        commands.push(run(list).await?);
        nothing.push(run(Command::new("/bin/true")).await?);
    }
    Ok(vec![
        Row::new("GET /v1/peers at the socket, bytes in hand", "ms", &kept)
            .reach(Reach::below("p99", kept.p99(), 2.0, "ms"))
            .note(format!("{bytes} bytes")),
        Row::new("the same with a connection each, parsed", "ms", &single),
        Row::new("coalmine list --json, whole command", "ms", &commands).reach(Reach::below(
            "p50",
            commands.p50(),
            4.0,
            "ms",
        )),
        Row::new("baseline: /bin/true, whole command", "ms", &nothing),
    ])
}

async fn on_one_connection(daemon: &Daemon, rounds: usize) -> Outcome<(Samples, usize)> {
    let stream = UnixStream::connect(daemon.client().socket()).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut samples, mut bytes) = (Samples::default(), 0);
    for _ in 0..rounds {
        let request = Request::get("/v1/peers").header("host", "coalmine").body(Empty::<Bytes>::new())?;
        let before = Instant::now();
        sender.ready().await?;
        let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        samples.push(ms(before.elapsed()));
        bytes = body.len();
    }
    Ok((samples, bytes))
}

/// From spawn to its status, its output read by nobody.
async fn run(mut command: Command) -> Outcome<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let took = tokio::task::spawn_blocking(move || {
        let before = Instant::now();
        let status = command.status()?;
        let took = ms(before.elapsed());
        if status.success() { Ok(took) } else { Outcome::Err(format!("{command:?} failed").into()) }
    });
    took.await?
}
