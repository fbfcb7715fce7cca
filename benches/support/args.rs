//! The arguments that all benches take.

use clap::Parser;

/// `cargo bench --bench NAME -- [--peers N] [--rounds N] [--json] [--quick]`
#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Peers in the fleet [default: 100, with --quick 8]
    #[arg(long)]
    peers: Option<usize>,
    /// How often everything is repeated [default: as the bench needs, with --quick 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// One JSON document on stdout in place of tables
    #[arg(long)]
    pub json: bool,
    /// Small and fast: whether it works, not how fast it is
    #[arg(long)]
    pub quick: bool,
    /// What `cargo bench` passes to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    /// Peers in the fleet.
    pub fn peers(&self) -> usize {
        self.peers.unwrap_or(if self.quick { 8 } else { 100 }).max(1)
    }

    /// Repetitions, `usual` unless something else was asked for.
    pub fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { usual }).max(1)
    }
}
