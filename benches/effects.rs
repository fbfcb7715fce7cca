//! What an effect costs above doing the same by hand: a look at a file, a read, a request, a program behind walls; and what
//! sessions cost one another.
//!
//! `cargo bench --bench effects -- [--rounds 2000] [--json] [--quick]`

#[path = "effects/stores.rs"]
mod stores;
mod support;

use coalmine::{FleetHandle, io::pidfd::dead_within, io::spawn::Spawn};
use coalmine_actors::effects::{EffectSession, Op, Request};
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, fstat, open, openat2},
    process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use support::{Args, Ballast, BenchFleet, Outcome, PATIENCE, Reach, Report, Row, Samples, ms, say, sleeper};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::Instant,
};

/// Resident in the daemon, bytes.
const BALLAST_BYTES: usize = 500_000_000;
const FILE_BYTES: usize = 64 * 1024;
/// One program is started for so many reads: it takes that much longer.
const READS_PER_SPAWN: usize = 10;
/// How long the statement goes on while others read.
const STATEMENT_TIME: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let rounds = args.rounds(2_000);
    let data = root.join("data");
    let state = root.join("state");
    fs::create_dir_all(&data)?;
    fs::write(data.join("file"), "x".repeat(FILE_BYTES))?;
    let fleet = BenchFleet::start(&state).await?;
    let (server, _serving) = serve().await?;
    let session = session(&fleet.handle, &data, &server).await?;
    let mut report = Report::new("effects");
    report.condition(format!("{rounds} rounds; each way of the same work right after the other"));
    say("a look at a file");
    report.table("fs.stat, decided and written down", stats(&session, &data, rounds)?);
    say("a read");
    report.table("io.read of 64 KiB", reads(&session, &data, rounds)?);
    say("a request");
    report
        .table("http.get of 64 KiB from this host, a connection each", requests(&session, &server, rounds / 4).await?);
    let ballast = Ballast::new(if args.quick { 1_000_000 } else { BALLAST_BYTES })?;
    report.condition(format!("programs with {} MB resident in the daemon", ballast.resident_mb));
    say("a program");
    report.table("proc.spawn of /bin/true", spawns(&session, (rounds / READS_PER_SPAWN).max(20)).await?);
    drop(ballast);
    say("stores beside a statement");
    let time = if args.quick { Duration::from_secs(1) } else { STATEMENT_TIME };
    let peer = session.peer().parse()?;
    let rows = stores::beside_a_statement(&fleet.handle, &peer, time).await?;
    report.table("kv.get of seven sessions, while an eighth one is in an SQL statement", rows);
    Ok(report)
}

/// A session of a peer that may read `data`, ask `server` and run /bin/true.
async fn session(fleet: &FleetHandle, data: &Path, server: &str) -> Outcome<EffectSession> {
    let policy = format!(
        "[allow]\neffects = [\"fs.read\", \"fs.list\", \"net.connect\", \"proc\", \"kv\", \"sql\"]\n\
         [scope]\nfs_read = [{data:?}]\nnet = [{server:?}]\n\
         [program.true]\npath = \"/bin/true\"\n"
    );
    let file = fleet.paths().policies().join("bench.toml");
    fs::create_dir_all(fleet.paths().policies())?;
    fs::write(&file, policy)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let request = coalmine::actors::fleet::request::CreatePeer { policy: Some("bench".into()), ..sleeper("p", data) };
    let peer = fleet.create(request).await?.peer;
    Ok(fleet.effects().session(&peer.identity).await?)
}

/// How long `work` takes, microseconds.
fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<f64> {
    let before = Instant::now();
    let done = work()?;
    let took = ms(before.elapsed()) * 1_000.0;
    std::hint::black_box(done);
    Ok(took)
}

fn request(op: Op, args: Value) -> Outcome<Request> {
    Ok(Request::read(op, args)?)
}

fn stats(session: &EffectSession, data: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let folder = open(data, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let path = data.join("file");
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        bare.push(timed(|| {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let file = openat2(&folder, "file", flags, Mode::empty(), ResolveFlags::BENEATH)?;
            Ok(fstat(file)?)
        })?);
        let request = request(Op::FsStat, json!({ "path": path }))?;
        ours.push(timed(|| Ok(session.perform_here(request)?))?);
    }
    let above = ours.p50() - bare.p50();
    Ok(vec![
        Row::new("fs.stat in process", "µs", &ours),
        Row::new("baseline: openat2 + fstat", "µs", &bare),
        Row::one("above it, of the medians", "µs", above).reach(Reach::below("above", above, 15.0, "µs")),
    ])
}

fn reads(session: &EffectSession, data: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let path = data.join("file");
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        bare.push(timed(|| Ok(fs::read(&path)?))?);
        let request = request(Op::IoRead, json!({ "path": path }))?;
        ours.push(timed(|| Ok(session.perform_here(request)?))?);
    }
    let ratio = ours.p50() / bare.p50();
    Ok(vec![
        Row::new("io.read in process", "µs", &ours),
        Row::new("baseline: std::fs::read", "µs", &bare),
        Row::one("ratio of the medians", "×", ratio).reach(Reach::below("ratio", ratio, 1.5, "×")),
    ])
}

/// A server that gives 64 KiB to each connection, and closes it; it ends with what it is given back with.
async fn serve() -> Outcome<(String, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {FILE_BYTES}\r\n\r\n{}", "x".repeat(FILE_BYTES));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4_096]; // a request without a body comes in one piece here
            let _gone = stream.read(&mut asked).await;
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok((origin, serving))
}

async fn requests(session: &EffectSession, server: &str, rounds: usize) -> Outcome<Vec<Row>> {
    let _there_is_one = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        let before = Instant::now();
        let body = client.get(server).send().await?.bytes().await?;
        bare.push(ms(before.elapsed()) * 1_000.0);
        let before = Instant::now();
        let answer = session.call(Op::HttpGet, json!({ "url": server })).await?.into_json();
        ours.push(ms(before.elapsed()) * 1_000.0);
        if answer["body"].as_str().map(str::len) != Some(body.len()) {
            return Err("an answer is not whole".into());
        }
    }
    let ratio = ours.p50() / bare.p50();
    Ok(vec![
        Row::new("http.get, decided and written down", "µs", &ours),
        Row::new("baseline: reqwest", "µs", &bare),
        Row::one("ratio of the medians", "×", ratio),
    ])
}

async fn spawns(session: &EffectSession, rounds: usize) -> Outcome<Vec<Row>> {
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        bare.push(timed(by_hand)?);
        let before = Instant::now();
        let ended = session.call(Op::ProcSpawn, json!({ "program": "true" })).await?.into_json();
        ours.push(ms(before.elapsed()) * 1_000.0);
        if ended["exit_code"] != 0 {
            return Err(format!("{ended}").into());
        }
    }
    let ratio = ours.p50() / bare.p50();
    Ok(vec![
        Row::new("proc.spawn, behind walls, with its outcome", "µs", &ours),
        Row::new("baseline: posix_spawn + waitid", "µs", &bare),
        Row::one("ratio of the medians", "×", ratio).reach(Reach::below("ratio", ratio, 2.0, "×")),
    ])
}

fn by_hand() -> Outcome<()> {
    let pid = Pid::from_raw(Spawn::new(Path::new("/bin/true"))?.start()?).ok_or("no pid")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    if !dead_within(pidfd.as_fd(), PATIENCE) {
        return Err("it did not end".into());
    }
    waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
    Ok(())
}
