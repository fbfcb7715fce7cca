//! Every operation there is, in one table: its name, what must be granted for it, what it takes, what it gives.
//!
//! The table makes [`Op`], [`Request`] (an operation with its arguments, read and within their limits), the JSON schema
//! of the arguments, and the table of `docs/POLICY.md`: an operation that is missing somewhere does not compile.

use super::{
    argument::{
        Argument, Argv, Contents, Handler, Headers, Json, Level, LogFormat, Long, Message, Messages, Method, Name,
        Object, Parameters, PathArg, Pattern, Peer, Place, Port, Short, Signal, Upto, UrlArg, Variable, Variables,
        take,
    },
    error::EffectError,
    handles::HandleId,
    kind::Kind,
    suggest::did_you_mean,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{fmt, str::FromStr};

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// `fs.stat`
    pub name: &'static str,
    /// What must be granted, all of it; nothing where the operation is pure.
    pub needs: &'static [Kind],
    /// What a call takes of the budget's `calls`.
    pub cost: u64,
    /// What it takes, in the order in which it is told.
    pub args: &'static [ArgRow],
    /// What it gives.
    pub gives: &'static str,
}

/// One argument of an operation.
#[derive(Debug)]
pub struct ArgRow {
    /// Its name.
    pub name: &'static str,
    /// What it is called: `path`, `text`.
    pub shape: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// Its JSON schema.
    pub schema: fn() -> Value,
}

/// What is pure costs nothing; everything else one call, where a policy does not say more.
const fn cost_of(needs: &[Kind]) -> u64 {
    if needs.is_empty() { 0 } else { 1 }
}

macro_rules! operations {
    ($($op:ident $name:literal [$($need:ident),*] ($($arg:ident: $shape:ty),*) -> $gives:literal;)*) => {
        /// An operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Op {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $op,)*
        }

        impl Op {
            /// Every operation, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$op),*];

            /// Its row.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Self::$op => {
                        static ROW: Row = Row {
                            name: $name,
                            needs: &[$(Kind::$need),*],
                            cost: cost_of(&[$(Kind::$need),*]),
                            args: &[$(ArgRow {
                                name: stringify!($arg),
                                shape: <$shape as Argument>::SHAPE,
                                optional: <$shape as Argument>::OPTIONAL,
                                schema: <$shape as Argument>::schema,
                            }),*],
                            gives: $gives,
                        };
                        &ROW
                    })*
                }
            }
        }

        /// An operation with its arguments.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Request {
            $(
                #[doc = concat!("`", $name, "`")]
                $op {
                    $(#[doc = concat!("The argument `", stringify!($arg), "`.")] $arg: $shape,)*
                },
            )*
        }

        impl Request {
            /// Which operation.
            pub fn op(&self) -> Op {
                match self {
                    $(Self::$op { .. } => Op::$op,)*
                }
            }

            fn take(op: Op, given: &mut Map<String, Value>) -> Result<Self, EffectError> {
                match op {
                    $(Op::$op => Ok(Self::$op { $($arg: take(given, stringify!($arg))?),* }),)*
                }
            }
        }
    };
}

/// Most bytes of `crypto.random`.
const RANDOM_BYTES_MAX: u64 = 1024 * 1024;
/// Longest that a caller may let an exchange take, milliseconds.
const EXCHANGE_MS_MAX: u64 = 600_000;
/// Most redirects that a caller may have followed.
pub const REDIRECTS_MAX: u64 = 10;
/// Longest answer of a model that a caller may ask for, tokens.
const ANSWER_TOKENS_MAX: u64 = 1_000_000;
/// Most entries of a page.
const PAGE_MAX: u64 = 10_000;

type Log = Place<'-'>;
type Database = Place<':'>;

operations! {
    IoPrint "io.print" [Io] (line: Message) -> "null; goes to the session's sink";
    IoRead "io.read" [FsRead] (path: PathArg) -> "text, at most 16 MiB, of a regular file in UTF-8";
    IoWrite "io.write" [FsWrite] (path: PathArg, contents: Contents) -> "null; the file is replaced as a whole";
    FsExists "fs.exists" [FsList] (path: PathArg) -> "bool";
    FsIsFile "fs.is_file" [FsList] (path: PathArg) -> "bool";
    FsIsDir "fs.is_dir" [FsList] (path: PathArg) -> "bool";
    FsStat "fs.stat" [FsList] (path: PathArg) -> "`{size, mtime, is_dir, is_file}`";
    FsListDir "fs.list_dir" [FsList] (path: PathArg, cursor: Option<Short>, limit: Option<Upto<PAGE_MAX>>) -> "`{paths, cursor}`";
    FsWalk "fs.walk" [FsList] (path: PathArg, cursor: Option<Short>, limit: Option<Upto<PAGE_MAX>>) -> "`{paths, cursor}`";
    FsGlob "fs.glob" [FsList] (pattern: Pattern, cursor: Option<Short>, limit: Option<Upto<PAGE_MAX>>) -> "`{paths, cursor}`";
    FsMkdirP "fs.mkdir_p" [FsWrite] (path: PathArg) -> "null";
    FsRemove "fs.remove" [FsWrite] (path: PathArg) -> "null; with all that is in it, never through a link, never a root";
    FsCopy "fs.copy" [FsRead, FsWrite] (src: PathArg, dst: PathArg) -> "null";
    LogDebug "log.debug" [Log] (message: Message) -> "null";
    LogInfo "log.info" [Log] (message: Message) -> "null";
    LogWarn "log.warn" [Log] (message: Message) -> "null";
    LogError "log.error" [Log] (message: Message) -> "null";
    LogSetLevel "log.set_level" [LogAdmin] (level: Level) -> "null; of the session's own log";
    LogSetFormat "log.set_format" [LogAdmin] (format: LogFormat) -> "null";
    LogSetSink "log.set_sink" [LogAdmin] (path: Log) -> "null; a path also needs `fs.write`";
    TimeNow "time.now" [Clock] () -> "seconds since the epoch, with a fraction";
    DatetimeNow "datetime.now" [Clock] () -> "nanoseconds since the epoch";
    TimeSleepMs "time.sleep_ms" [Clock] (ms: i64) -> "null; 0 and less at once, above 60,000 is 60,000";
    RandIntIn "rand.int_in" [Random] (lo: i64, hi: i64) -> "int, from `lo` to `hi`, both included";
    CryptoRandom "crypto.random" [Random] (n: Upto<RANDOM_BYTES_MAX>) -> "bytes";
    EnvGet "env.get" [Env] (name: Variable) -> "text or null";
    BudgetRemaining "budget.remaining" [] () -> "`{calls, wall_ms, bytes_out, llm_tokens}`, each null without a ceiling";
    ProcSpawn "proc.spawn" [Proc] (program: Name, args: Argv) -> "`{stdout, stderr, exit_code, signal, truncated}`";
    ProcessRun "process.run" [Proc] (program: Name, args: Argv) -> "`{stdout, stderr, exit_code, signal, truncated}`";
    ProcessSpawn "process.spawn" [Proc] (program: Name, args: Argv, cwd: Option<PathArg>, env: Variables, stdin: Option<Contents>) -> "handle";
    ProcessReadStdoutLine "process.read_stdout_line" [Proc] (handle: HandleId) -> "text, or null at the end";
    ProcessReadStderrLine "process.read_stderr_line" [Proc] (handle: HandleId) -> "text, or null at the end";
    ProcessWait "process.wait" [Proc] (handle: HandleId) -> "`{code, signaled, signal}`";
    ProcessKill "process.kill" [Proc] (handle: HandleId, signal: Option<Signal>) -> "null; TERM where no signal is named";
    NetGet "net.get" [NetConnect] (url: UrlArg) -> "text; another status than 2xx is an error";
    NetPost "net.post" [NetConnect] (url: UrlArg, body: Contents) -> "text; another status than 2xx is an error";
    HttpGet "http.get" [NetConnect] (url: UrlArg) -> "`{status, headers, body}`";
    HttpPost "http.post" [NetConnect] (url: UrlArg, body: Contents, content_type: Option<Short>) -> "`{status, headers, body}`";
    HttpSend "http.send" [NetConnect] (method: Method, url: UrlArg, headers: Option<Headers>, body: Option<Contents>, timeout_ms: Option<Upto<EXCHANGE_MS_MAX>>, redirects: Option<Upto<REDIRECTS_MAX>>) -> "`{status, headers, body}`";
    NetServe "net.serve" [NetListen] (port: Port, handler: Handler) -> "handle";
    NetServeTls "net.serve_tls" [NetListen, FsRead] (port: Port, cert: PathArg, key: PathArg, handler: Handler) -> "handle";
    NetServeWs "net.serve_ws" [NetListen] (port: Port, handler: Handler) -> "handle";
    ChatBroadcast "chat.broadcast" [Chat] (room: Short, body: Message) -> "count";
    ChatSend "chat.send" [Chat] (connection: Short, body: Message) -> "bool";
    KvOpen "kv.open" [Kv] (path: Option<PathArg>) -> "handle; without a path the session's own";
    KvClose "kv.close" [Kv] (handle: HandleId) -> "null";
    KvGet "kv.get" [Kv] (handle: HandleId, key: Short) -> "bytes or null";
    KvPut "kv.put" [Kv] (handle: HandleId, key: Short, value: Contents) -> "null";
    KvDelete "kv.delete" [Kv] (handle: HandleId, key: Short) -> "bool";
    KvContains "kv.contains" [Kv] (handle: HandleId, key: Short) -> "bool";
    KvListPrefix "kv.list_prefix" [Kv] (handle: HandleId, prefix: Short, cursor: Option<Short>, limit: Option<Upto<PAGE_MAX>>) -> "`{keys, cursor}`";
    SqlOpen "sql.open" [Sql] (path: Database) -> "handle";
    SqlClose "sql.close" [Sql] (handle: HandleId) -> "null";
    SqlExec "sql.exec" [Sql] (handle: HandleId, sql: Long, params: Parameters) -> "rows that changed";
    SqlQuery "sql.query" [Sql] (handle: HandleId, sql: Long, params: Parameters, cursor: Option<Short>, limit: Option<Upto<PAGE_MAX>>) -> "`{rows, cursor}`";
    AgentCallMcp "agent.call_mcp" [Mcp] (server: Name, tool: Short, arguments: Object) -> "what the tool gives";
    AgentLocalComplete "agent.local_complete" [Llm] (prompt: Option<Long>, messages: Option<Messages>, provider: Option<Name>, model: Option<Short>, max_tokens: Option<Upto<ANSWER_TOKENS_MAX>>) -> "`{text, usage}`";
    AgentCloudComplete "agent.cloud_complete" [Llm] (prompt: Option<Long>, messages: Option<Messages>, provider: Option<Name>, model: Option<Short>, max_tokens: Option<Upto<ANSWER_TOKENS_MAX>>) -> "`{text, usage}`";
    AgentSendA2a "agent.send_a2a" [A2a] (peer: Peer, payload: Json) -> "the message's id";
}

impl Op {
    /// `fs.stat`
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The JSON schema of its arguments.
    pub fn schema(self) -> Value {
        let args = self.row().args;
        let properties: Map<_, _> = args.iter().map(|arg| (arg.name.to_owned(), (arg.schema)())).collect();
        let required: Vec<_> = args.iter().filter(|arg| !arg.optional).map(|arg| arg.name).collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Op {
    type Err = EffectError;

    fn from_str(text: &str) -> Result<Self, EffectError> {
        let found = Self::ALL.iter().copied().find(|op| op.name() == text);
        let near = || did_you_mean(text, Self::ALL.iter().map(|op| op.name()));
        let shown: String = text.chars().take(64).collect();
        found.ok_or_else(|| EffectError::bad("op", format!("{shown:?} is no operation{}", near())))
    }
}

impl Request {
    /// Reads the arguments of `op`: an object with the names of the table, and nothing else in it.
    ///
    /// # Errors
    /// [`EffectError::BadArgs`] and [`EffectError::Limit`], with the name of the argument.
    pub fn read(op: Op, args: Value) -> Result<Self, EffectError> {
        let mut given = match args {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            _ => return Err(EffectError::bad("arguments", "are not an object with the arguments' names")),
        };
        let known = op.row().args.iter().map(|arg| arg.name);
        if let Some(name) = given.keys().find(|name| !known.clone().any(|known| known == *name)) {
            let shown: String = name.chars().take(64).collect();
            let near = did_you_mean(name, known);
            return Err(EffectError::bad(shown, format!("is no argument of {op}{near}")));
        }
        let request = Self::take(op, &mut given)?;
        request.check()?;
        Ok(request)
    }
}
