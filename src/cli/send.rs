//! `coalmine send`: brings a message to a peer.

use super::{
    attachment::{Server, upload},
    context::Context,
    create,
    failure::{Failure, Outcome},
    mail::told,
};
use crate::{
    api::{
        WAIT_TIME_MAX,
        client::{Client, Follow, PutAs},
        wire::Releasing,
    },
    io::session_token,
};
use clap::ValueEnum;
use coalmine_actors::{
    attachments::{AttachmentId, CreateMeta, Owner, Session},
    mail::{MailView, NewMessage},
};
use jiff::Timestamp;
use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// Largest file that is looked at as a message, bytes; the limit of characters is far below.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Send a message to a peer; it is on disk when this returns
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A peer that sleeps is woken. The message is typed into its composer as soon as nothing is in the way: never while it \
works, and never beside a person who types. Exit codes: 4 where it was refused, 5 where it still waits.")]
pub(super) struct Args {
    /// The peer, by name (its default runtime) or by identity
    #[arg(value_name = "PEER")]
    to: String,
    #[command(flatten)]
    body: BodyArgs,
    /// Who you say you are; refused where nothing proves it [default: who you are proved to be]
    #[arg(long, value_name = "PEER")]
    from: Option<String>,
    /// As which of its runtimes [default: its first]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<String>,
    /// What it is about, one line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    topic: Option<String>,
    /// A file that goes with it; may be given again
    #[arg(long = "attachment", value_name = "FILE")]
    attachments: Vec<PathBuf>,
    /// Not worth delivering after so long, as in 10m
    #[arg(long, value_name = "TIME", value_parser = create::wait)]
    expires: Option<Duration>,
    /// Sending again with the same key sends nothing, and tells what became of the first
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Return when its program took it (submitted), or when the peer said so (seen)
    #[arg(long, value_name = "STATE", value_enum)]
    wait: Option<Until>,
    /// Longest wait, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = create::wait, requires = "wait")]
    timeout: Duration,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct BodyArgs {
    /// What to say
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<String>,
    /// The file that says it; - reads stdin
    #[arg(long, value_name = "FILE|-")]
    message_file: Option<PathBuf>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    Submitted,
    Seen,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let body = match (args.body.message, args.body.message_file) {
        (Some(message), _) => message,
        (None, file) => read(file.as_deref().unwrap_or(Path::new("-")))?,
    };
    let token = session_token::own();
    let session = token.as_deref().and_then(|token| token.split('.').next()?.parse::<Session>().ok());
    let client = context.client()?.with_token(token);
    let expires_at = args.expires.and_then(|after| Timestamp::now().checked_add(after).ok());
    let mut new = NewMessage {
        to: args.to,
        runtime: args.runtime,
        from: args.from,
        body,
        topic: args.topic,
        attachments: Vec::new(),
        idempotency_key: args.key,
        expires_at,
    };
    // Before anything is uploaded for it.
    new.check(Timestamp::now()).map_err(coalmine_actors::error::FleetError::from)?;
    let lent = Lent { session, owner: owner() };
    new.attachments = lent.upload(context, &client, &args.attachments).await?;
    let sent = send(&client, &new, args.wait, args.timeout).await;
    if !new.attachments.is_empty() {
        lent.give_back(&client).await;
    }
    let sent = sent?;
    context.answer(&sent, told::sentence)?;
    told::verdict(&sent, args.wait.is_some())
}

/// A request may wait only so long, so a longer wait is several.
async fn send(client: &Client, new: &NewMessage, until: Option<Until>, timeout: Duration) -> Outcome<MailView> {
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    let follow =
        |wait: Duration| until.map(|until| Follow { seen: until == Until::Seen, wait: wait.min(WAIT_TIME_MAX) });
    let mut sent = client.send_mail(new, follow(timeout)).await?;
    while until.is_some() && told::waits(&sent, until == Some(Until::Seen)) && !left().is_zero() {
        sent = client.mail(sent.message.id, follow(left())).await?;
    }
    Ok(sent)
}

/// The sender's own references to what it sends, which end when the message has its own.
struct Lent {
    session: Option<Session>,
    owner: Owner,
}

impl Lent {
    async fn upload(&self, context: &Context, client: &Client, files: &[PathBuf]) -> Outcome<Vec<AttachmentId>> {
        let put_as = PutAs { session: self.session.as_ref(), owner: Some(&self.owner), provisional: true };
        let mut ids = Vec::with_capacity(files.len());
        for file in files {
            let daemon = async { Ok(Server::Daemon(client.clone())) };
            ids.push(upload(context, daemon, file, CreateMeta::default(), put_as).await?.id);
        }
        Ok(ids)
    }

    /// What is not given back goes by itself: it was never committed.
    async fn give_back(self, client: &Client) {
        let session = self.session.unwrap_or_else(Session::operator);
        let _later = client.attachment_release(&Releasing { session, owner: Some(self.owner) }).await;
    }
}

/// An owner that nobody else has.
fn owner() -> Owner {
    let name = format!("send-{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
    name.parse().expect("letters, digits and dashes")
}

/// All of a file or of stdin, without the last line's end.
fn read(file: &Path) -> Outcome<String> {
    let stdin = file.as_os_str() == "-";
    let mut text = Vec::new();
    let read = if stdin {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
    };
    let name = if stdin { "stdin".into() } else { file.display().to_string() };
    read.map_err(|error| Failure::failed(&format!("can not read {name}"), error))?;
    let as_file = "send it as a file, with --attachment FILE";
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::usage(format!("{name} has more than {FILE_BYTES_MAX} bytes"), as_file));
    }
    let text = String::from_utf8(text).map_err(|_| Failure::usage(format!("{name} is not UTF-8 text"), as_file))?;
    Ok(text.strip_suffix('\n').map(ToOwned::to_owned).unwrap_or(text))
}
