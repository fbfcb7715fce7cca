//! The tools, one file a subject.

mod attachments;
pub(super) mod effects;
pub(super) mod graph;
mod mail;
mod memory;
mod peers;

pub(super) use graph::GraphTool;

use super::{answer::Given, arguments::Arguments, tool::Row, toolbox::FleetTools};

/// A tool that every caller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FleetTool {
    SendToPeer,
    Inbox,
    Ack,
    Peers,
    MemoryAdd,
    MemorySearch,
    MemoryList,
    MemoryGet,
    MemoryForget,
    AttachmentPut,
    AttachmentGet,
}

impl FleetTool {
    /// All of them, in the order in which they are listed.
    pub(super) const ALL: &'static [Self] = &[
        Self::SendToPeer,
        Self::Inbox,
        Self::Ack,
        Self::Peers,
        Self::MemoryAdd,
        Self::MemorySearch,
        Self::MemoryList,
        Self::MemoryGet,
        Self::MemoryForget,
        Self::AttachmentPut,
        Self::AttachmentGet,
    ];

    /// What clients are told of it.
    pub(super) fn row(self) -> &'static Row {
        match self {
            Self::SendToPeer => &mail::SEND_TO_PEER,
            Self::Inbox => &mail::INBOX,
            Self::Ack => &mail::ACK,
            Self::Peers => &peers::PEERS,
            Self::MemoryAdd => &memory::ADD,
            Self::MemorySearch => &memory::SEARCH,
            Self::MemoryList => &memory::LIST,
            Self::MemoryGet => &memory::GET,
            Self::MemoryForget => &memory::FORGET,
            Self::AttachmentPut => &attachments::PUT,
            Self::AttachmentGet => &attachments::GET,
        }
    }
}

/// Calls one.
pub(super) async fn call(tools: &FleetTools, tool: FleetTool, args: Arguments) -> Given {
    match tool {
        FleetTool::SendToPeer => mail::send(tools, &args).await,
        FleetTool::Inbox => mail::inbox(tools, &args).await,
        FleetTool::Ack => mail::ack(tools, &args).await,
        FleetTool::Peers => peers::list(tools, &args),
        FleetTool::MemoryAdd => memory::add(tools, &args).await,
        FleetTool::MemorySearch => memory::search(tools, &args).await,
        FleetTool::MemoryList => memory::list(tools, &args).await,
        FleetTool::MemoryGet => memory::get(tools, &args).await,
        FleetTool::MemoryForget => memory::forget(tools, &args).await,
        FleetTool::AttachmentPut => attachments::put(tools, &args).await,
        FleetTool::AttachmentGet => attachments::get(tools, &args).await,
    }
}
