//! What a peer may do, as checked values: what is not in here is denied.

use super::{
    budget::Budget,
    folder::Folder,
    kind::{Grant, Kind},
    origin::Origin,
    program::ProgramGrant,
    scope::Scope,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

/// The policy of a peer that names none.
pub const NONE: &str = "none";

/// What a peer may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Kinds that are granted.
    pub allow: BTreeSet<Grant>,
    /// Folders that may be read and listed.
    pub fs_read: Scope<Folder>,
    /// Folders in which files may be made, changed and removed.
    pub fs_write: Scope<Folder>,
    /// Where connections may go, and addresses that may be listened at.
    pub net: Scope<Origin>,
    /// Variables of the daemon that may be seen, and variables that callers may give to programs.
    pub env: Scope<String>,
    /// Programs, by the names that callers use.
    pub programs: BTreeMap<String, ProgramGrant>,
    /// Tool servers, by the names that callers use.
    pub mcp: BTreeMap<String, McpGrant>,
    /// How much of it all.
    pub budget: Budget,
    /// Makes `rand.int_in` give the same numbers in every session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_seed: Option<u64>,
    /// The fleet's own folders, which no scope opens; set where the policy is loaded.
    #[serde(skip)]
    pub never: Vec<PathBuf>,
}

/// `[mcp.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct McpGrant {
    /// How it is reached.
    pub at: McpServer,
    /// Its tools that may be called.
    pub tools: Scope<String>,
    /// How long a call may take, the server's start included.
    pub timeout: Duration,
}

/// How a tool server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum McpServer {
    /// A program that speaks on its stdin and stdout.
    Command {
        /// The file; absolute.
        path: PathBuf,
        /// Its arguments.
        args: Vec<String>,
        /// All of its environment.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// An address. That it stands in the policy is what grants its origin.
    Url(String),
}

impl McpGrant {
    /// What two grants of one name have in common; nothing where they mean different servers.
    #[must_use]
    fn meet(&self, other: &Self) -> Option<Self> {
        let same = |mine: &String, theirs: &String| (mine == theirs).then(|| mine.clone());
        let tools = self.tools.meet(&other.tools, same);
        (self.at == other.at).then(|| Self { at: self.at.clone(), tools, timeout: self.timeout.min(other.timeout) })
    }
}

/// One of the two lists of folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// `fs_read`
    Read,
    /// `fs_write`
    Write,
}

/// What an open scope of folders reaches to.
static EVERYTHING: LazyLock<[Folder; 1]> = LazyLock::new(|| [Folder::new("/").expect("`/` is a plain absolute path")]);

impl Policy {
    /// The policy of a peer that names none: it allows nothing but what is pure.
    pub fn none() -> Arc<Self> {
        Arc::new(Self { name: NONE.into(), ..Self::default() })
    }

    /// Whether this kind is granted, for `of` where its grants name something.
    pub fn grants(&self, kind: Kind, of: Option<&str>) -> bool {
        self.allow.iter().any(|grant| grant.covers(kind, of))
    }

    /// A list of folders.
    pub fn folders(&self, access: Access) -> &Scope<Folder> {
        match access {
            Access::Read => &self.fs_read,
            Access::Write => &self.fs_write,
        }
    }

    /// The folders that are granted as roots, in the policy's order: a plan names one by its place here. An open scope
    /// is the one root `/`.
    pub fn roots(&self, access: Access) -> &[Folder] {
        match self.folders(access) {
            Scope::Any => EVERYTHING.as_slice(),
            scope => scope.listed(),
        }
    }

    /// What two policies both allow: nested use can only shrink.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let same = |mine: &String, theirs: &String| (mine == theirs).then(|| mine.clone());
        let mut never = self.never.clone();
        never.extend(other.never.iter().filter(|path| !self.never.contains(path)).cloned());
        Self {
            name: format!("{}&{}", self.name, other.name),
            allow: meet_grants(&self.allow, &other.allow),
            fs_read: self.fs_read.meet(&other.fs_read, Folder::meet),
            fs_write: self.fs_write.meet(&other.fs_write, Folder::meet),
            net: self.net.meet(&other.net, |mine, theirs| (mine == theirs).then(|| mine.clone())),
            env: self.env.meet(&other.env, same),
            programs: both(&self.programs, &other.programs, ProgramGrant::meet),
            mcp: both(&self.mcp, &other.mcp, McpGrant::meet),
            budget: self.budget.meet(&other.budget),
            random_seed: self.random_seed.or(other.random_seed),
            never,
        }
    }

    /// 64 hex digits that change with anything that the policy says.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("a policy has text keys only");
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `file` lies in a folder that the policy lets be changed, or read.
    pub fn reaches(&self, file: &Path) -> Option<Access> {
        let in_some = |access| self.roots(access).iter().any(|folder| file.starts_with(folder.real()));
        [Access::Write, Access::Read].into_iter().find(|access| in_some(*access))
    }
}

/// Of two grants the narrower one, where one covers the other.
fn meet_grants(mine: &BTreeSet<Grant>, theirs: &BTreeSet<Grant>) -> BTreeSet<Grant> {
    let covered = |grant: &Grant, by: &BTreeSet<Grant>| by.iter().any(|other| other.covers(grant.kind(), grant.of()));
    let mine_too = mine.iter().filter(|grant| covered(grant, theirs));
    mine_too.chain(theirs.iter().filter(|grant| covered(grant, mine))).cloned().collect()
}

fn both<T>(
    mine: &BTreeMap<String, T>,
    theirs: &BTreeMap<String, T>,
    meet: impl Fn(&T, &T) -> Option<T>,
) -> BTreeMap<String, T> {
    mine.iter().filter_map(|(name, one)| Some((name.clone(), meet(one, theirs.get(name)?)?))).collect()
}
