//! Fault points: named steps at which a test has this very process killed, as if somebody had chosen that moment.
//!
//! `COALMINE_FAULT=claim-written:2` kills the process with SIGKILL when it reaches that step for the second time.
//! All of it exists only with the feature `fault-points`, which the tests of this package turn on for themselves:
//! in every other build [`reached`] is empty, and the variable means nothing (docs/decisions/0015).

/// Declares the steps once: their type, their names, and the list that the campaign draws from.
macro_rules! fault_points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)+) => {
        /// A step at which a process can be told to die.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultPoint { $($(#[$doc])* $point,)+ }

        impl FaultPoint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// What `COALMINE_FAULT` calls it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }
        }
    };
}

fault_points! {
    /// A registry's new text is in place: newborn, announced, leaving, retired, forgotten, by their count.
    RegistrySaved = "registry-saved",
    /// Some peer's new state is in place.
    StateSaved = "state-saved",
    /// The life that is to be started is on disk.
    LifeSaved = "life-saved",
    /// The lock is ours, and no server has it yet.
    ServerDue = "server-due",
    /// The server runs, without its limits.
    ServerBorn = "server-born",
    /// The server runs, and nobody has written down which process it is.
    ServerSpawned = "server-spawned",
    /// The server is known, and has no canary.
    CanaryDue = "canary-due",
    /// The canary runs, and nobody has written down which process it is.
    CanarySpawned = "canary-spawned",
    /// The canary watches, and no session was asked for.
    SessionDue = "session-due",
    /// The session is open, and nobody knows.
    SessionOpened = "session-opened",
    /// The claim is on disk, and nothing was signalled.
    ClaimWritten = "claim-written",
    /// The canary of a claimed life is gone.
    CanaryDismissed = "canary-dismissed",
    /// The server of a claimed life is gone.
    ServerEnded = "server-ended",
    /// What the life left behind is gone.
    Swept = "swept",
    /// The daemon's record has its temporary name.
    RecordWritten = "record-written",
    /// The daemon's record has its name.
    RecordLinked = "record-linked",
    /// The line of the daemon's record is in exits.log.
    RecordTold = "record-told",
    /// The daemon's record is marked as told.
    RecordMarked = "record-marked",
    /// A canary's record has its temporary name.
    CanaryWritten = "canary-written",
    /// A canary's record has its name.
    CanaryLinked = "canary-linked",
    /// The line of a canary's record is in exits.log.
    CanaryTold = "canary-told",
    /// A canary's record is marked as told.
    CanaryMarked = "canary-marked",
    /// A hook of tmux runs, and has written nothing.
    HookDue = "hook-due",
    /// A hook's line is in exits.log.
    HookTold = "hook-told",
    /// A removed identity's folder is gone.
    Purged = "purged",
    /// Lines of exits.log are in the journal.
    Imported = "imported",
    /// An attachment's bytes are on disk, and have no name.
    AttachmentStaged = "attachment-staged",
    /// Some intent is in the manifest.
    AttachmentIntended = "attachment-intended",
    /// An attachment's record has its name, and its bytes have none.
    AttachmentDescribed = "attachment-described",
    /// The bytes have their name, and the folder was not synced.
    AttachmentLinked = "attachment-linked",
    /// The bytes are there to stay, and nobody knows.
    AttachmentPublished = "attachment-published",
    /// Some reference is committed, and nobody was told.
    AttachmentCommitted = "attachment-committed",
    /// Some reference has ended.
    AttachmentReleased = "attachment-released",
    /// Some attachment is condemned.
    AttachmentCondemned = "attachment-condemned",
    /// A condemned attachment's bytes are gone, and its record is there.
    AttachmentUnlinked = "attachment-unlinked",
    /// A condemned attachment is gone from the disk.
    AttachmentRemoved = "attachment-removed",
    /// Some attachment is gone from the manifest.
    AttachmentForgotten = "attachment-forgotten",
    /// Some message is kept, and nobody was told.
    MailKept = "mail-kept",
    /// Some message's attachments are its recipient's, and it was not accepted.
    MailLent = "mail-lent",
    /// Some message is about to be typed.
    MailTyped = "mail-typed",
    /// Some message was pasted.
    MailPasted = "mail-pasted",
    /// The keys that submit some message were pressed.
    MailPressed = "mail-pressed",
    /// It is written down what became of some message.
    MailOver = "mail-over",
}

/// The variable that arms one step of this process.
pub const VARIABLE: &str = "COALMINE_FAULT";

/// Ends this process if it was told to die here.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn reached(_point: FaultPoint) {}

/// Ends this process if it was told to die here.
#[cfg(feature = "fault-points")]
pub fn reached(point: FaultPoint) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static ARMED: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), AtomicU32::new(times.parse().unwrap_or(1))))
    });
    if let Some((name, left)) = armed
        && name == point.name()
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        use rustix::process::{PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
        let struck = pidfd_open(getpid(), PidfdFlags::empty()).and_then(|own| pidfd_send_signal(own, Signal::KILL));
        debug_assert!(struck.is_ok(), "a process may end itself");
        // It is on its way: nothing may happen after this step.
        loop {
            std::thread::park();
        }
    }
}

/// What a child of this process, which gets no environment, needs in order to be told too.
pub fn passed_on() -> Option<(&'static str, String)> {
    if cfg!(feature = "fault-points") { std::env::var(VARIABLE).ok().map(|text| (VARIABLE, text)) } else { None }
}
