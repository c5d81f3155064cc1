//! Work that can be laid aside in the middle: a script that runs for long, while others are told that it does.
//!
//! A script calls commands, and commands are plain functions; so that one can stop anywhere, whatever called whatever, it
//! runs on a stack of its own. The engine and the connection are lent to it for each stretch that it runs.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::Engine;
use super::client::Client;

/// Bytes of address space of a stack. Lua nests at most 200 calls of C functions, a command a dozen of Rust's; memory is
/// taken only as far as a stack was ever used.
const STACK: usize = 8 << 20;

/// A stack, to be used again.
pub type Stack = DefaultStack;

/// What is lent for a stretch.
#[derive(Clone, Copy)]
struct Lent {
    engine: NonNull<Engine>,
    client: NonNull<Client>,
}

impl Lent {
    fn new(engine: &mut Engine, client: &mut Client) -> Self {
        Self { engine: engine.into(), client: client.into() }
    }

    /// # Safety
    /// Only inside the stretch that it was lent for, and only once.
    unsafe fn borrow<'a>(mut self) -> (&'a mut Engine, &'a mut Client) {
        // SAFETY: both come from exclusive borrows that `Fiber::resume` holds until the stretch is over.
        unsafe { (self.engine.as_mut(), self.client.as_mut()) }
    }
}

/// See the module. One that is dropped before its end never runs again; what it holds is never freed then, for C code may
/// be in the middle of it. That happens once, when the process ends.
pub struct Fiber(ManuallyDrop<Coroutine<Lent, (), (), Stack>>);

/// How a stretch ended.
pub enum Stretch {
    /// The work goes on later.
    Paused(Fiber),
    /// The work is done.
    Ended(Stack),
}

/// Lets the work begin and pause.
pub struct Pauser<'y> {
    yielder: &'y Yielder<Lent, ()>,
    first: Lent,
}

impl Pauser<'_> {
    /// What is lent for the first stretch.
    ///
    /// # Safety
    /// Called once, at the beginning; what is answered is used until the first pause only.
    pub unsafe fn begin<'a>(&self) -> (&'a mut Engine, &'a mut Client) {
        // SAFETY: the first stretch has just begun.
        unsafe { self.first.borrow() }
    }

    /// Lays the work aside. When it goes on, there are the engine and the connection again.
    ///
    /// # Safety
    /// What was lent before is gone: no borrow of it may be used any more, only what is answered here, until the next pause.
    pub unsafe fn pause<'a>(&self) -> (&'a mut Engine, &'a mut Client) {
        let lent = self.yielder.suspend(());
        // SAFETY: the new stretch has just begun.
        unsafe { lent.borrow() }
    }
}

impl Fiber {
    /// Work to be done, on a stack that was used before if there is one. An error when the system has no memory for one.
    pub fn new(stack: Option<Stack>, work: impl FnOnce(&Pauser<'_>) + 'static) -> std::io::Result<Self> {
        let stack = stack.map_or_else(|| Stack::new(STACK), Ok)?;
        let coroutine = Coroutine::with_stack(stack, move |yielder, first: Lent| work(&Pauser { yielder, first }));
        Ok(Self(ManuallyDrop::new(coroutine)))
    }

    /// Goes on until the next pause or the end.
    pub fn resume(mut self, engine: &mut Engine, client: &mut Client) -> Stretch {
        match self.0.resume(Lent::new(engine, client)) {
            CoroutineResult::Yield(()) => Stretch::Paused(self),
            CoroutineResult::Return(()) => Stretch::Ended(ManuallyDrop::into_inner(self.0).into_stack()),
        }
    }
}
