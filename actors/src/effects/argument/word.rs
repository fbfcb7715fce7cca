//! One of a few words: levels, formats, signals.

use super::{Argument, Unfit};
use serde_json::{Value, json};

/// One of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),*
        }

        impl $name {
            /// The word for it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl Argument for $name {
            const SHAPE: &'static str = concat!($("`", $word, "` "),*);

            fn read(given: Value) -> Result<Self, Unfit> {
                match given.as_str() {
                    $(Some($word) => Ok(Self::$variant),)*
                    _ => Err(Unfit::is_not(concat!("is none of", $(" ", $word),*))),
                }
            }

            fn schema() -> Value {
                json!({ "enum": [$($word),*] })
            }
        }
    };
}

words! {
    /// How much a line of a log matters.
    Level {
        /// For whoever looks for a fault.
        Debug = "debug",
        /// What goes on.
        Info = "info",
        /// What may want a look.
        Warn = "warn",
        /// What went wrong.
        Error = "error",
    }
}

words! {
    /// How the session's log is written.
    LogFormat {
        /// A line of text.
        Text = "text",
        /// An object a line.
        Json = "json",
    }
}

words! {
    /// Who says something to a model.
    Role {
        /// Whoever sets it up.
        System = "system",
        /// Whoever asks.
        User = "user",
        /// The model itself, before.
        Assistant = "assistant",
    }
}

words! {
    /// What a program is sent.
    Signal {
        /// SIGHUP
        Hup = "HUP",
        /// SIGINT
        Int = "INT",
        /// SIGQUIT
        Quit = "QUIT",
        /// SIGKILL
        Kill = "KILL",
        /// SIGUSR1
        Usr1 = "USR1",
        /// SIGUSR2
        Usr2 = "USR2",
        /// SIGTERM
        Term = "TERM",
        /// SIGCONT
        Cont = "CONT",
        /// SIGSTOP
        Stop = "STOP",
    }
}
