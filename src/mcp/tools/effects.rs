//! The effects that the caller's policy grants, one tool an operation.

use crate::mcp::{
    answer::{self, Given},
    tool::{Hints, described},
    toolbox::FleetTools,
};
use coalmine_actors::{
    effects::{Op, Policy},
    error::FleetError,
};
use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

/// The tool of an operation: `fs.read` is `fs_read`.
fn tool_name(op: Op) -> String {
    op.name().replace('.', "_")
}

/// The operation of a tool.
pub(in crate::mcp) fn named(tool: &str) -> Option<Op> {
    Op::ALL.iter().copied().find(|op| tool_name(*op) == tool)
}

/// The tools of all operations that are granted to the caller; the operator has none: no policy governs it.
pub(in crate::mcp) async fn granted(tools: &FleetTools) -> Result<Vec<Tool>, FleetError> {
    let Some(peer) = &tools.caller.peer else { return Ok(Vec::new()) };
    let policy = tools.fleet.effect_session(peer).await?.policy();
    Ok(Op::ALL.iter().copied().filter(|op| grants(&policy, *op)).map(tool).collect())
}

/// Whether a policy grants an operation for anything at all; what exactly is decided with each call. What is pure is
/// offered beside something that is granted, and not for itself alone.
fn grants(policy: &Policy, op: Op) -> bool {
    let granted = |kind| policy.allow.iter().any(|grant| grant.kind() == kind);
    !policy.allow.is_empty() && op.row().needs.iter().all(|kind| granted(*kind))
}

fn tool(op: Op) -> Tool {
    let args: Vec<_> = op.row().args.iter().map(|arg| format!("{}: {}", arg.name, arg.shape)).collect();
    let about = format!("{}({}), within your policy. Gives {}.", op.name(), args.join(", "), op.row().gives);
    described(tool_name(op), about, op.schema())
        .with_title(op.name())
        .with_annotations(hints(op).annotations(op.name()))
}

/// What an operation does to the world. What is not known to be harmless is called harmful.
fn hints(op: Op) -> Hints {
    let reaches_out = Hints { reads: false, destroys: true, repeats: false, reaches_out: true };
    match op {
        Op::IoRead
        | Op::FsExists
        | Op::FsIsFile
        | Op::FsIsDir
        | Op::FsStat
        | Op::FsListDir
        | Op::FsWalk
        | Op::FsGlob
        | Op::TimeNow
        | Op::DatetimeNow
        | Op::TimeSleepMs
        | Op::RandIntIn
        | Op::CryptoRandom
        | Op::EnvGet
        | Op::BudgetRemaining
        | Op::NetAddress
        | Op::KvGet
        | Op::KvContains
        | Op::KvListPrefix
        | Op::SqlQuery => Hints::READS,
        Op::NetGet | Op::HttpGet => Hints { reads: true, destroys: false, repeats: true, reaches_out: true },
        Op::IoPrint | Op::LogDebug | Op::LogInfo | Op::LogWarn | Op::LogError | Op::KvOpen | Op::SqlOpen => Hints::ADDS,
        Op::ProcessReadStdoutLine | Op::ProcessReadStderrLine | Op::ProcessWait => Hints::ADDS,
        Op::FsMkdirP | Op::LogSetLevel | Op::LogSetFormat | Op::LogSetSink => Hints::ADDS_ONCE,
        Op::IoWrite | Op::FsRemove | Op::FsCopy | Op::KvPut | Op::KvDelete => Hints::REMOVES,
        Op::SqlExec => Hints { repeats: false, ..Hints::REMOVES },
        Op::KvClose | Op::SqlClose | Op::NetClose | Op::ProcessKill => Hints { repeats: false, ..Hints::REMOVES },
        Op::ChatBroadcast | Op::ChatSend | Op::AgentSendA2a => Hints { reaches_out: true, ..Hints::ADDS },
        Op::NetServe | Op::NetServeTls | Op::NetServeWs => Hints { reaches_out: true, ..Hints::ADDS },
        Op::AgentLocalComplete | Op::AgentCloudComplete => Hints { reaches_out: true, ..Hints::ADDS },
        Op::ProcSpawn
        | Op::ProcessRun
        | Op::ProcessSpawn
        | Op::NetPost
        | Op::HttpPost
        | Op::HttpSend
        | Op::AgentCallMcp => reaches_out,
    }
}

/// Calls one as the caller, in the session that its life has.
pub(in crate::mcp) async fn call(tools: &FleetTools, op: Op, args: JsonObject) -> Given {
    let Some(peer) = &tools.caller.peer else { unreachable!("the operator has no tool for an effect") };
    let session = tools.fleet.effect_session(peer).await?;
    Ok(answer::output(session.call(op, Value::Object(args)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::ToolSet;
    use std::collections::BTreeSet;

    fn granting(allow: &[&str]) -> Policy {
        let allow = allow.iter().map(|grant| grant.parse().unwrap()).collect();
        Policy { allow, ..Policy::default() }
    }

    #[test]
    fn only_what_is_granted_as_a_whole_is_offered() {
        let none = granting(&[]);
        assert!(!Op::ALL.iter().any(|op| grants(&none, *op)));
        let reads = granting(&["fs.read"]);
        assert!(grants(&reads, Op::IoRead) && grants(&reads, Op::BudgetRemaining));
        assert!(!grants(&reads, Op::FsCopy), "a copy also writes");
        assert!(!grants(&reads, Op::FsListDir));
        let one_server = granting(&["mcp:github"]);
        assert!(grants(&one_server, Op::AgentCallMcp) && !grants(&one_server, Op::AgentCloudComplete));
    }

    #[test]
    fn every_operation_has_a_tool_of_its_own_name() {
        let fixed = ToolSet::Fleet.rows().into_iter().map(|row| row.name.to_owned());
        let all: Vec<_> = fixed.chain(Op::ALL.iter().map(|op| tool_name(*op))).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for op in Op::ALL {
            assert_eq!(named(&tool_name(*op)), Some(*op));
            let tool = tool(*op);
            assert!(
                tool.name.len() <= 64 && tool.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{}",
                tool.name
            );
            assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
            let hints = hints(*op);
            assert!(!(hints.reads && hints.destroys), "{}", tool.name);
        }
    }
}
