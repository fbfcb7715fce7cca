//! What a policy grants, opened once: its roots as handles, and what is left to a program by it.

use super::fs::roots::{Place, Root};
use crate::io::sandbox::{
    hidden::Hidden,
    rules::{Ports, Rules},
};
use coalmine_actors::effects::{
    error::EffectError,
    kind::Kind,
    plan::Beneath,
    policy::{Access, Policy},
    scope::Scope,
};
use std::{collections::BTreeSet, sync::Arc};

/// A policy's roots, each of them open or with the reason why it is not.
pub struct Grants {
    read: Vec<Result<Root, EffectError>>,
    write: Vec<Result<Root, EffectError>>,
    /// What is left to programs.
    pub rules: Rules,
}

impl Grants {
    /// Opens what `policy` grants. Blocks.
    pub fn open(policy: &Policy) -> Self {
        let hidden = Hidden::of(policy.never.iter().cloned()).map(Arc::new).map_err(EffectError::from);
        let roots = |access| {
            let folders = policy.roots(access).iter();
            // Where it can not be known what is hidden, nothing is granted.
            folders.map(|folder| hidden.clone().and_then(|hidden| Root::open(folder.path(), hidden))).collect()
        };
        Self { read: roots(Access::Read), write: roots(Access::Write), rules: rules(policy) }
    }

    /// The place that a plan names.
    ///
    /// # Errors
    /// Its root could not be opened.
    pub fn place(&self, at: &Beneath) -> Result<Place<'_>, EffectError> {
        let roots = match at.access {
            Access::Read => &self.read,
            Access::Write => &self.write,
        };
        match roots.get(at.root) {
            Some(Ok(root)) => root.place(&at.path),
            Some(Err(error)) => Err(error.clone()),
            None => Err(EffectError::Internal("a plan of another policy".into())),
        }
    }
}

/// What `policy` leaves to a program: the folders and ports of those kinds that it grants. Hosts are names, which the
/// kernel does not know: of a connection it sees the port alone.
pub fn rules(policy: &Policy) -> Rules {
    let folders = |kind, access| match policy.grants(kind, None) {
        true => policy.roots(access).iter().map(|folder| folder.real().to_owned()).collect(),
        false => Vec::new(),
    };
    let ports = |kind| match &policy.net {
        _ if !policy.grants(kind, None) => Ports::None,
        Scope::Deny => Ports::None,
        Scope::Only(origins) => {
            let ports: BTreeSet<u16> = origins.as_slice().iter().map(|origin| origin.port()).collect();
            Ports::Only(ports.into_iter().collect())
        }
        Scope::Any => Ports::Any,
    };
    Rules {
        read: folders(Kind::FsRead, Access::Read),
        write: folders(Kind::FsWrite, Access::Write),
        hide: policy.never.clone(),
        connect: ports(Kind::NetConnect),
        listen: ports(Kind::NetListen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::effects::folder::Folder;

    fn policy(kinds: &[&str]) -> Policy {
        Policy {
            allow: kinds.iter().map(|kind| kind.parse().unwrap()).collect(),
            fs_read: Scope::only(vec![Folder::new("/data").unwrap()]),
            fs_write: Scope::Any,
            net: Scope::only(vec!["https://a.example".parse().unwrap(), "http://a.example:8080".parse().unwrap()]),
            never: vec!["/state".into()],
            ..Policy::default()
        }
    }

    #[test]
    fn a_scope_without_its_kind_leaves_a_program_nothing() {
        let none = rules(&policy(&["proc"]));
        assert_eq!(none, Rules { hide: vec!["/state".into()], ..Rules::default() });
        let all = rules(&policy(&["fs.read", "fs.write", "net.connect"]));
        assert_eq!((all.read, all.write), (vec!["/data".into()], vec!["/".into()]));
        assert_eq!((all.connect, all.listen), (Ports::Only(vec![443, 8080]), Ports::None));
    }
}
