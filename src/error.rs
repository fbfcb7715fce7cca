//! What a class of failure becomes at the edge: the command line's exit code (spec 01 §10).

use coalmine_actors::error::Kind;

/// The exit codes, as `--help` lists them.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
   0  done
   1  failed
   2  usage: the request makes no sense
   3  not found
   4  refused by policy
   5  timed out
   6  done, but degraded
  69  the daemon can not be reached
  75  held by another; try again
  78  bad configuration";

/// The exit code of a class of failure.
pub fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::NotFound => 3,
        Kind::Refused => 4,
        Kind::TimedOut => 5,
        Kind::Degraded => 6,
        Kind::Unreachable => 69,
        Kind::Held => 75,
        Kind::Config => 78,
    }
}
