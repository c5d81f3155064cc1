//! Commands: what they are ([`spec`], [`table`]) and what they do.

pub mod spec;
pub mod table;

/// What a handler works with.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// Where the reply goes.
    pub reply: &'a mut crate::resp::Reply,
}

/// An error reply.
#[derive(Debug)]
pub struct Failure(pub Vec<u8>);

/// Runs a command.
pub type Handler = fn(&mut Ctx<'_>, &[&[u8]]) -> Result<(), Failure>;
