//! A session's own log: how much of it is kept, in which form, and where it goes. The audit log is another one.

use super::{
    argument::{Level, LogFormat},
    error::EffectError,
    port::Sink,
};
use crate::ports::Clock;
use jiff::Timestamp;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module.
pub(super) struct SessionLog {
    /// Where it goes where nobody says otherwise.
    own: Arc<dyn Sink>,
    /// Held for as long as it is read or changed, never while a line is written.
    settings: Mutex<Settings>,
}

#[derive(Clone)]
struct Settings {
    level: Level,
    format: LogFormat,
    sink: Arc<dyn Sink>,
}

impl SessionLog {
    pub(super) fn new(own: Arc<dyn Sink>) -> Self {
        let settings = Settings { level: Level::Info, format: LogFormat::Text, sink: Arc::clone(&own) };
        Self { own, settings: Mutex::new(settings) }
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_level(&self, level: Level) {
        self.settings().level = level;
    }

    pub(super) fn set_format(&self, format: LogFormat) {
        self.settings().format = format;
    }

    /// Goes there from now on; to its own place without one.
    pub(super) fn set_sink(&self, sink: Option<Arc<dyn Sink>>) {
        self.settings().sink = sink.unwrap_or_else(|| Arc::clone(&self.own));
    }

    /// Writes one line, unless it matters less than what is kept.
    pub(super) fn write(&self, at: Timestamp, level: Level, message: &str) -> Result<(), EffectError> {
        let settings = self.settings().clone();
        if level < settings.level {
            return Ok(());
        }
        let line = match settings.format {
            LogFormat::Text => format!("{at} {} {}", level.word(), one_line(message)),
            LogFormat::Json => json!({ "ts": at, "level": level.word(), "message": message }).to_string(),
        };
        settings.sink.line(&line)
    }
}

/// The log for those who work for a session, and have nothing to say of levels.
pub(super) struct Remarks {
    pub(super) log: Arc<SessionLog>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Sink for Remarks {
    fn line(&self, line: &str) -> Result<(), EffectError> {
        self.log.write(self.clock.now().wall, Level::Info, line)
    }
}

/// Without anything that would end the line, or play with whoever looks at it.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Sink for Lines {
        fn line(&self, line: &str) -> Result<(), EffectError> {
            self.0.lock().unwrap().push(line.into());
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_line_in_its_form_and_goes_where_the_log_goes() {
        let (own, other) = (Arc::new(Lines::default()), Arc::new(Lines::default()));
        let log = SessionLog::new(Arc::clone(&own) as Arc<dyn Sink>);
        let at = Timestamp::UNIX_EPOCH;
        log.write(at, Level::Debug, "not kept").unwrap();
        log.write(at, Level::Warn, "two\nlines\u{1b}[31m").unwrap();
        log.set_level(Level::Debug);
        log.set_format(LogFormat::Json);
        log.set_sink(Some(Arc::clone(&other) as Arc<dyn Sink>));
        log.write(at, Level::Debug, "two\nlines").unwrap();
        log.set_sink(None);
        log.write(at, Level::Error, "again").unwrap();
        let own = own.0.lock().unwrap();
        assert_eq!(own[0], "1970-01-01T00:00:00Z warn two\\nlines\\u{1b}[31m");
        assert!(own[1].contains("again") && own.len() == 2);
        let json = r#"{"ts":"1970-01-01T00:00:00Z","level":"debug","message":"two\nlines"}"#;
        assert_eq!(*other.0.lock().unwrap(), [json]);
    }
}
