//! What somebody should know of a policy that can be read: what is wide open, and what can not have been meant. Pure.

use super::{
    kind::Kind,
    origin::Origin,
    policy::{Access, McpGrant, McpServer, Policy},
    program::ProgramGrant,
    rule::ScopeKey,
    scope::Scope,
};
use std::path::Path;
use url::Host;

/// What is noteworthy, one sentence each: where, what, and what to do.
pub fn review(policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    wide_scopes(policy, &mut notes);
    names_of_this_house(policy, &mut notes);
    for (name, program) in &policy.programs {
        programs(policy, name, program, &mut notes);
    }
    for (name, server) in &policy.mcp {
        tool_server(policy, name, server, &mut notes);
    }
    without_effect(policy, &mut notes);
    notes
}

fn wide_scopes(policy: &Policy, notes: &mut Vec<String>) {
    let any = [
        (ScopeKey::FsRead, policy.fs_read.is_any(), "every file of this user can be read"),
        (ScopeKey::FsWrite, policy.fs_write.is_any(), "every file of this user can be changed"),
        (ScopeKey::Net, policy.net.is_any(), "every public host can be reached"),
        (ScopeKey::Env, policy.env.is_any(), "every variable that is no secret by its name can be seen"),
    ];
    for (key, _, what) in any.into_iter().filter(|(_, is_any, _)| *is_any) {
        notes.push(format!("{} is \"any\": {what}; list what is needed", key.name()));
    }
    for (key, scope) in [(ScopeKey::FsRead, &policy.fs_read), (ScopeKey::FsWrite, &policy.fs_write)] {
        for (index, folder) in scope.listed().iter().enumerate() {
            let wide = ["/", "/etc", "/home", "/root", "/usr", "/var", "/proc", "/sys", "/dev", "/run", "/tmp"];
            if let Some(path) = wide.into_iter().find(|wide| folder.path() == Path::new(wide)) {
                notes.push(format!(
                    "{}[{index}] is {path}, which is wide open; name the folder that is needed",
                    key.name()
                ));
            }
        }
    }
    let is_everywhere = |origin: &Origin| origin.address().is_some_and(|address| address.is_unspecified());
    for (index, origin) in policy.net.listed().iter().enumerate().filter(|(_, origin)| is_everywhere(origin)) {
        notes.push(format!(
            "scope.net[{index}] is {origin}: a server there is open to every host that reaches this one; name 127.0.0.1 if \
             it is for this one alone"
        ));
    }
}

/// A name is followed to public addresses alone, and these never have one. A server may listen at `localhost` all the same.
fn names_of_this_house(policy: &Policy, notes: &mut Vec<String>) {
    if !policy.allow.iter().any(|grant| grant.kind() == Kind::NetConnect) {
        return;
    }
    for (index, origin) in policy.net.listed().iter().enumerate() {
        let Host::Domain(name) = origin.host() else { continue };
        let (whose, instead) = match () {
            () if leads_here(name) => ("this host's own", "127.0.0.1"),
            () if leads_to_the_house(name) => ("of a private network", "its address"),
            () => continue,
        };
        notes.push(format!(
            "scope.net[{index}] is {origin}: the name is {whose}, and no name is connected to there; name {instead} in its place"
        ));
    }
}

/// Names of loopback: the reserved one (RFC 6761), and those that systems give it in their files.
fn leads_here(name: &str) -> bool {
    is_beneath(name, "localhost")
        || ["localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"].contains(&name)
}

/// Domains that the internet's own names never use: RFC 6762, RFC 8375, and ICANN's reservation of `internal`.
fn leads_to_the_house(name: &str) -> bool {
    ["local", "home.arpa", "internal"].iter().any(|domain| is_beneath(name, domain))
}

fn is_beneath(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn programs(policy: &Policy, name: &str, program: &ProgramGrant, notes: &mut Vec<String>) {
    if let Some(launcher) = program.launches() {
        notes.push(format!(
            "program.{name}: {launcher} runs what its arguments say, so that it can do anything; hold it with argument \
             patterns in program.{name}.args that do not begin with \"*\""
        ));
    }
    if is_replaceable(policy, &program.path) && program.sha256.is_none() {
        notes.push(format!(
            "program.{name}: its file lies in a folder that callers may write to, who could put another one there; set \
             program.{name}.sha256, or move it"
        ));
    }
}

fn tool_server(policy: &Policy, name: &str, server: &McpGrant, notes: &mut Vec<String>) {
    if server.tools.is_any() {
        notes.push(format!("mcp.{name}.tools is \"any\": also tools that the server adds later; list what is needed"));
    }
    let McpServer::Command { path, args, .. } = &server.at else { return };
    // A server is often a script, which an interpreter is given.
    let files = [path.as_path()].into_iter().chain(args.iter().map(Path::new));
    if let Some(file) = files.filter(|file| file.is_absolute()).find(|file| is_replaceable(policy, file)) {
        notes.push(format!(
            "mcp.{name}.command: {} lies in a folder that callers may write to, who could put another file there; move it",
            file.display()
        ));
    }
}

fn is_replaceable(policy: &Policy, file: &Path) -> bool {
    policy.roots(Access::Write).iter().any(|root| file.starts_with(root.path()))
}

/// What is granted and can never be used, or is there and not granted.
fn without_effect(policy: &Policy, notes: &mut Vec<String>) {
    let granted = |kind| policy.allow.iter().any(|grant| grant.kind() == kind);
    let scopes = [
        (Kind::FsRead, ScopeKey::FsRead, policy.fs_read.is_deny()),
        (Kind::FsList, ScopeKey::FsRead, policy.fs_read.is_deny()),
        (Kind::FsWrite, ScopeKey::FsWrite, policy.fs_write.is_deny()),
        (Kind::NetConnect, ScopeKey::Net, policy.net.is_deny()),
        (Kind::NetListen, ScopeKey::Net, policy.net.is_deny()),
        (Kind::Env, ScopeKey::Env, policy.env.is_deny()),
    ];
    for (kind, key, _) in scopes.into_iter().filter(|(kind, _, denies)| *denies && granted(*kind)) {
        notes.push(format!("{kind} is granted and {} is absent, so that every call is denied; set it", key.name()));
    }
    if granted(Kind::Proc) && policy.programs.is_empty() {
        notes.push("proc is granted and there is no [program.NAME], so that every call is denied; add one".into());
    }
    if !granted(Kind::Proc) && !policy.programs.is_empty() {
        notes.push(
            "there are programs and proc is not granted, so that none can be run; add it to allow.effects".into(),
        );
    }
    for grant in policy.allow.iter().filter(|grant| grant.kind() == Kind::Mcp) {
        match grant.of().and_then(|name| policy.mcp.get(name)) {
            None => notes.push(format!(
                "{grant} is granted and its table is absent; say in [{}] where it is",
                grant.to_string().replace(':', ".")
            )),
            Some(server) if matches!(server.tools, Scope::Deny) => {
                notes.push(format!("{grant} is granted and none of its tools; list them in `tools`"));
            }
            Some(_) => {}
        }
    }
    for name in policy.mcp.keys().filter(|name| !policy.grants(Kind::Mcp, Some(name))) {
        notes.push(format!("[mcp.{name}] is there and mcp:{name} is not granted; add it to allow.effects"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::policy_file::parse;

    #[test]
    fn what_is_wide_open_or_without_effect_is_told() {
        for (text, said) in [
            ("[scope]\nfs_read = \"any\"", "scope.fs_read is \"any\""),
            ("[scope]\nfs_write = [\"/\"]", "wide open"),
            ("[scope]\nnet = \"any\"", "every public host"),
            ("[scope]\nnet = [\"http://0.0.0.0:80\"]", "open to every host"),
            ("[scope]\nnet = [\"https://[::]:443\"]", "open to every host"),
            ("[allow]\neffects = [\"proc\"]\n[program.sh]\npath = \"/bin/sh\"", "sh runs what its arguments say"),
            (
                "[allow]\neffects = [\"proc\"]\n[scope]\nfs_write = [\"/opt\"]\n[program.x]\npath = \"/opt/x\"",
                "could put another one there",
            ),
            ("[allow]\neffects = [\"fs.read\"]", "scope.fs_read is absent"),
            ("[allow]\neffects = [\"proc\"]", "no [program.NAME]"),
            ("[program.wc]\npath = \"/usr/bin/wc\"", "proc is not granted"),
            ("[allow]\neffects = [\"mcp:x\"]", "say in [mcp.x]"),
            ("[allow]\neffects = [\"mcp:x\"]\n[mcp.x]\nurl = \"http://a\"", "none of its tools"),
            ("[mcp.x]\nurl = \"http://a\"\ntools = \"any\"", "tools that the server adds later"),
            ("[mcp.x]\nurl = \"http://a\"", "mcp:x is not granted"),
            (
                "[scope]\nfs_write = [\"/opt\"]\n[mcp.x]\ncommand = [\"/usr/bin/node\", \"/opt/x.js\"]",
                "/opt/x.js lies in",
            ),
        ] {
            let notes = review(&parse("p", text).unwrap());
            assert!(notes.iter().any(|note| note.contains(said)), "{text:?}: {notes:?}");
        }
    }

    #[test]
    fn a_name_that_is_never_connected_to_is_told_where_connections_are_granted() {
        let notes = |kind: &str, origin: &str| {
            let text = format!("[allow]\neffects = [{kind:?}]\n[scope]\nnet = [{origin:?}]");
            review(&parse("p", &text).unwrap())
        };
        for (origin, instead) in [
            ("http://localhost:8080", "name 127.0.0.1"),
            ("http://LOCALHOST.:8080", "name 127.0.0.1"),
            ("https://api.localhost", "name 127.0.0.1"),
            ("http://ip6-localhost:1", "name 127.0.0.1"),
            ("http://printer.local", "name its address"),
            ("http://nas.home.arpa:5000", "name its address"),
            ("http://metadata.google.internal", "name its address"),
        ] {
            let told = notes("net.connect", origin);
            assert!(
                matches!(&told[..], [note] if note.starts_with("scope.net[0] is ") && note.contains(instead)),
                "{told:?}"
            );
            assert_eq!(notes("net.listen", origin), Vec::<String>::new(), "a server may listen there: {origin}");
        }
        for origin in
            ["http://127.0.0.1:8080", "https://localhost.example.com", "https://notlocalhost", "https://a.locals"]
        {
            assert_eq!(notes("net.connect", origin), Vec::<String>::new(), "{origin}");
        }
    }

    #[test]
    fn a_policy_that_is_held_tells_nothing() {
        let text = "[allow]\neffects = [\"fs.read\", \"proc\", \"clock\"]\n[scope]\nfs_read = [\"/home/me/project\"]\n\
                    [program.git]\npath = \"/usr/bin/git\"\nargs = [[\"status\"], [\"log\", \"*\"]]";
        assert_eq!(review(&parse("p", text).unwrap()), Vec::<String>::new());
    }
}
