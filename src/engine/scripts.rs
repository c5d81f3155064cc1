//! Scripts: those that are cached, what their sandboxes are, and the one that runs.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use smallvec::SmallVec;

use super::client::ClientId;
use super::fiber::{Fiber, Stack};
use crate::lua::invoke::Kept;
use crate::lua::sandbox::Sandbox;

/// The SHA-1 of a script's text.
pub type Digest = [u8; 20];

/// So many scripts that came with EVAL are kept, as in Redis 7.4: who makes a new text for each call does not fill the
/// memory. Those of SCRIPT LOAD stay.
const EVALUATED: usize = 500;

/// What a script says about itself in its first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It has such a line, so it lives by the rules of Redis 7.
    pub declared: bool,
    /// It only reads.
    pub no_writes: bool,
    /// It may run when memory is above `maxmemory`.
    pub allow_oom: bool,
    /// It may run on a replica that has lost its primary.
    pub allow_stale: bool,
    /// It must not run in a cluster.
    pub no_cluster: bool,
    /// It may use keys of several slots.
    pub allow_cross_slot_keys: bool,
}

/// A cached script.
#[derive(Debug)]
pub struct Script {
    /// Its digest in hexadecimal: the name by which errors call it.
    pub name: Rc<str>,
    /// Its text.
    pub body: Vec<u8>,
    /// What it says about itself.
    pub facts: Facts,
    /// What it was compiled to.
    pub function: Kept,
}

/// The cached scripts of EVAL and SCRIPT LOAD.
#[derive(Default)]
pub struct Cache {
    scripts: HashMap<Digest, Cached, BuildHasherDefault<DigestHasher>>,
    /// How many came with EVAL only.
    evaluated: usize,
    /// Those, with the use that each was last looked at with: the first may be the oldest.
    order: VecDeque<(Digest, u64)>,
    /// Counts uses, which gives them an order.
    uses: u64,
    /// How many were given up for newer ones.
    pub evicted: u64,
}

/// A digest is as good as random, so its first bytes will do.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Cached {
    script: Rc<Script>,
    loaded: bool,
    used: u64,
}

impl Cache {
    /// The script with this digest, which now was used.
    pub fn find(&mut self, digest: &Digest) -> Option<Rc<Script>> {
        let cached = self.scripts.get_mut(digest)?;
        self.uses += 1;
        cached.used = self.uses;
        Some(cached.script.clone())
    }

    /// The script with this digest, for who only asks.
    pub fn get(&self, digest: &Digest) -> Option<&Script> {
        self.scripts.get(digest).map(|cached| &*cached.script)
    }

    /// Keeps a script: for ever if it was loaded, else while it is among the last used.
    pub fn keep(&mut self, digest: Digest, script: Rc<Script>, loaded: bool) {
        if !loaded && self.evaluated >= EVALUATED {
            self.give_up_oldest();
        }
        self.uses += 1;
        self.evaluated += usize::from(!loaded);
        if !loaded {
            self.order.push_back((digest, self.uses));
        }
        self.scripts.insert(digest, Cached { script, loaded, used: self.uses });
    }

    /// Gives up the script of EVAL that was not used for longest; one that was used since it was looked at has to wait again.
    fn give_up_oldest(&mut self) {
        while let Some((digest, seen)) = self.order.pop_front() {
            match self.scripts.get(&digest) {
                Some(cached) if cached.loaded => {}
                Some(cached) if cached.used > seen => self.order.push_back((digest, cached.used)),
                Some(_) => {
                    self.scripts.remove(&digest);
                    self.evaluated -= 1;
                    self.evicted += 1;
                    return;
                }
                None => {}
            }
        }
    }

    /// SCRIPT LOAD of a script that is there: it stays from now on.
    pub fn keep_loaded(&mut self, digest: &Digest) {
        if let Some(cached) = self.scripts.get_mut(digest)
            && !std::mem::replace(&mut cached.loaded, true)
        {
            self.evaluated -= 1;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Bytes that their texts take.
    pub fn bytes(&self) -> usize {
        self.scripts.values().map(|cached| cached.script.body.len() + size_of::<Script>() + size_of::<Cached>()).sum()
    }
}

/// A function of a library.
#[derive(Debug)]
pub struct Registered {
    /// Its name.
    pub name: Rc<str>,
    /// What is called.
    pub callback: Kept,
    /// What it says about itself.
    pub facts: Facts,
    /// Its description, if it has one.
    pub description: Option<Vec<u8>>,
}

/// What libraries of functions were compiled to.
#[derive(Default)]
pub struct Registry {
    /// The functions of each library, by the library's name.
    pub libraries: Vec<(Vec<u8>, Vec<Rc<Registered>>)>,
    /// Each function by its name.
    pub functions: HashMap<Rc<str>, Rc<Registered>>,
    /// Of which state of the libraries all this was made.
    pub version: Option<u64>,
}

impl Registry {
    /// Puts the functions of a library in the place of those it had.
    pub fn keep(&mut self, library: &[u8], registered: Vec<Rc<Registered>>) {
        self.forget(library);
        for function in &registered {
            self.functions.insert(function.name.clone(), function.clone());
        }
        self.libraries.push((library.to_vec(), registered));
    }

    /// Takes the functions of a library away.
    pub fn forget(&mut self, library: &[u8]) {
        let Some(at) = self.libraries.iter().position(|(name, _)| name == library) else { return };
        for function in self.libraries.remove(at).1 {
            self.functions.remove(&function.name);
        }
    }
}

/// What kind of script runs, and which words are said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EVAL and its like.
    Eval,
    /// FCALL.
    Function,
}

/// The script that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its kind.
    pub kind: Kind,
    /// Its digest, or the function's name.
    pub name: Rc<str>,
    /// It must not write.
    pub read_only: bool,
    /// It may take more memory when that is full.
    pub allow_oom: bool,
    /// It has run a command that writes.
    pub wrote: bool,
    /// Commands answer it in RESP3.
    pub resp3: bool,
    /// When it began, on the monotonic clock in microseconds.
    pub started_us: u64,
    /// It was found to be slow, and others are told so.
    pub slow: bool,
    /// SCRIPT KILL or FUNCTION KILL has ended it.
    pub killed: bool,
}

/// The words of a command, kept in one piece.
#[derive(Debug)]
pub struct Words {
    bytes: SmallVec<[u8; 128]>,
    ends: SmallVec<[usize; 8]>,
}

impl Words {
    /// A copy of these.
    pub fn copy(words: &[&[u8]]) -> Self {
        let mut bytes = SmallVec::with_capacity(words.iter().map(|word| word.len()).sum());
        let mut add = |word: &&[u8]| {
            bytes.extend_from_slice(word);
            bytes.len()
        };
        let ends = words.iter().map(&mut add).collect();
        Self { bytes, ends }
    }

    /// They.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let start = |at: usize| if at == 0 { 0 } else { self.ends[at - 1] };
        (0..self.ends.len()).map(move |at| &self.bytes[start(at)..self.ends[at]])
    }
}

/// A script that is laid aside, for others to be told that it runs.
pub struct Busy {
    /// What goes on.
    pub fiber: Fiber,
    /// Whose it is.
    pub client: ClientId,
    /// The command.
    pub words: Rc<Words>,
}

/// Where scripts run.
pub struct Environment {
    /// The Lua state.
    pub sandbox: Sandbox,
    /// What runs the commands that they call.
    pub host: Rc<dyn Any>,
}

/// See the module.
#[derive(Default)]
pub struct Scripts {
    /// Where scripts of EVAL run.
    pub eval: Option<Rc<Environment>>,
    /// Where functions run.
    pub functions: Option<Rc<Environment>>,
    /// Scripts of EVAL.
    pub cache: Cache,
    /// Functions.
    pub registry: Registry,
    /// The stack of the last script, for the next.
    pub stack: Option<Stack>,
    /// Memory for the reply of the next.
    pub spare_reply: Vec<u8>,
    /// The script that runs.
    pub running: Option<Running>,
    /// The same, laid aside.
    pub busy: Option<Busy>,
    /// Memory was full when the command began that is the script, or runs it.
    pub out_of_memory: bool,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may call what they must not otherwise.
    pub may_call_all: bool,
}

impl Scripts {
    /// Keeps memory for the next reply, unless it is much.
    pub fn keep_spare(&mut self, mut memory: Vec<u8>) {
        const KEEP: usize = 64 * 1024;
        if memory.capacity() <= KEEP {
            memory.clear();
            self.spare_reply = memory;
        }
    }

    /// Forgets the scripts of EVAL.
    pub fn flush(&mut self) {
        self.cache = Cache { evicted: self.cache.evicted, ..Cache::default() };
        self.eval = None;
    }

    /// Forgets what libraries were compiled to.
    pub fn forget_functions(&mut self) {
        self.registry = Registry::default();
        self.functions = None;
    }

    /// Bytes that Lua has allocated for scripts of EVAL, and for functions.
    pub fn memory(&self) -> (usize, usize) {
        let of = |environment: &Option<Rc<Environment>>| {
            environment.as_ref().map_or(0, |environment| environment.sandbox.lua().used_memory())
        };
        (of(&self.eval), of(&self.functions))
    }
}
