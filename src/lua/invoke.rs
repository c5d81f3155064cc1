//! What every script does, on Lua's own stack: it is called, calls commands, and gives a result.
//!
//! mlua's handles cost a script that only reads a key as much as all the rest. What makes the `unsafe` here sound: an error
//! of Lua leaves by a jump, so whatever may raise one is called from frames that hold nothing to be dropped; commands run in
//! frames from which nothing jumps.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_int;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use mlua::{Function, IntoLua, Lua, Table, WeakLua, ffi};
use smallvec::SmallVec;

use super::stack::Stack;

/// Who runs the commands that scripts call, and looks at scripts while they run.
pub trait Host {
    /// Runs a command and appends its reply, in RESP. Answers whether an error among it was counted as one of the server's.
    fn call(&self, words: &[&[u8]], reply: &mut Vec<u8>) -> bool;

    /// Called now and then while a script runs; an error ends it.
    fn watch(&self) -> mlua::Result<()>;
}

/// A value that is kept in Lua's registry, from where it is fetched faster than by a handle.
pub struct Kept {
    lua: WeakLua,
    place: c_int,
}

impl Kept {
    /// Keeps a value.
    pub fn new(lua: &Lua, value: impl IntoLua) -> mlua::Result<Self> {
        let mut place = 0;
        let slot = &mut place;
        // SAFETY: the value is on top of the stack, and taken from there.
        unsafe { lua.exec_raw::<()>(value, |state| *slot = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)) }?;
        Ok(Self { lua: lua.weak(), place })
    }

    unsafe fn push(&self, state: *mut ffi::lua_State) {
        // SAFETY: the place is taken as long as this is there; the caller has made room for a value.
        unsafe { ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.place) };
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.place)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(lua) = self.lua.try_upgrade() {
            // SAFETY: the place is given back once; nothing is allocated for that.
            unsafe { ffi::luaL_unref(lua.state(), ffi::LUA_REGISTRYINDEX, self.place) };
        }
    }
}

/// What the functions that scripts call hold on to.
pub(super) struct Caller {
    host: Rc<dyn Host>,
    /// The reply of the last command.
    reply: UnsafeCell<Vec<u8>>,
    /// How many bytes Lua may take while a script runs; 0 for no limit.
    pub(super) memory_limit: Cell<usize>,
    /// A command panicked: that goes on when the script is over.
    panicked: Cell<Option<Box<dyn Any + Send>>>,
}

/// What is needed to call a script.
pub(super) struct Entry {
    start: Kept,
    pub(super) on_error: Kept,
    pub(super) globals: Kept,
}

impl Entry {
    pub(super) fn new(lua: &Lua, on_error: Function, globals: Table) -> mlua::Result<Self> {
        // SAFETY: one value is pushed and left; there is room for some.
        let start: Function = unsafe { lua.exec_raw((), |state| ffi::lua_pushcfunction(state, start)) }?;
        Ok(Self {
            start: Kept::new(lua, start)?,
            on_error: Kept::new(lua, on_error)?,
            globals: Kept::new(lua, globals)?,
        })
    }
}

/// A call of a script, for [`start`].
struct Start<'a> {
    entry: &'a Entry,
    script: &'a Kept,
    tables: [&'a [&'a [u8]]; 2],
    /// The tables become globals of these names, instead of arguments.
    names: Option<[&'a str; 2]>,
    ended_well: bool,
}

/// Calls a script, its tables first; leaves its result or its error. The argument is a [`Start`].
unsafe extern "C-unwind" fn start(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: only `Caller::run` calls this, with the pointer to a `Start` that it holds meanwhile. The stack has room for 20
    // values. What raises here, which can only be that memory is out, jumps over frames that hold nothing to drop.
    unsafe {
        let start = &mut *ffi::lua_touserdata(state, 1).cast::<Start<'_>>();
        start.entry.on_error.push(state);
        let mut arguments = 0;
        if let Some(names) = start.names {
            start.entry.globals.push(state);
            for (name, texts) in names.iter().zip(start.tables) {
                ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
                push_texts(state, texts);
                ffi::lua_rawset(state, -3);
            }
            start.script.push(state);
        } else {
            start.script.push(state);
            start.tables.iter().for_each(|texts| push_texts(state, texts));
            arguments = start.tables.len() as c_int;
        }
        start.ended_well = ffi::lua_pcall(state, arguments, 1, 2) == ffi::LUA_OK;
        1
    }
}

impl Caller {
    pub(super) fn new(host: Rc<dyn Host>) -> Box<Self> {
        Box::new(Self { host, reply: UnsafeCell::default(), memory_limit: Cell::new(0), panicked: Cell::new(None) })
    }

    /// `redis.call`, which raises errors, or `redis.pcall`, which answers them.
    ///
    /// # Safety
    /// The caller must live as long as the state.
    pub(super) unsafe fn function(&self, lua: &Lua, raises: bool) -> mlua::Result<Function> {
        let caller = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: two values are pushed and become the upvalues of what is left; there is room for some.
        unsafe {
            lua.exec_raw((), |state| {
                ffi::lua_pushlightuserdata(state, caller);
                ffi::lua_pushboolean(state, c_int::from(raises));
                ffi::lua_pushcclosure(state, call, 2);
            })
        }
    }

    /// Calls a script with its two tables: as globals of these names, or as arguments. Then `finish` gets whether it
    /// ended well, and its result, or its error, at the top of the stack.
    pub(super) fn run<R>(
        &self,
        lua: &Lua,
        entry: &Entry,
        script: &Kept,
        (tables, names): ([&[&[u8]]; 2], Option<[&str; 2]>),
        finish: impl FnOnce(bool, &mut Stack) -> R,
    ) -> R {
        let state = lua.state();
        let limit = self.memory_limit.get();
        let mut start = Start { entry, script, tables, names, ended_well: false };
        // SAFETY: room is asked for, what is pushed is taken away again, and what may raise is called under protection.
        let result = unsafe {
            assert_ne!(ffi::lua_checkstack(state, 20), 0, "no script runs, so the stack is empty");
            let height = ffi::lua_gettop(state);
            entry.start.push(state);
            ffi::lua_pushlightuserdata(state, std::ptr::from_mut(&mut start).cast());
            // Only here, where its error can be caught.
            let limit_memory = |bytes| {
                if limit > 0 {
                    lua.set_memory_limit(bytes).expect("the allocator is mlua's");
                }
            };
            limit_memory(limit);
            let started = ffi::lua_pcall(state, 1, 1, 0) == ffi::LUA_OK;
            limit_memory(0);
            let result = Stack::at(state, |stack| finish(started && start.ended_well, stack));
            ffi::lua_settop(state, height);
            result
        };
        if limit > 0 && lua.used_memory() > limit / 2 {
            // Else it is the next script that is short of memory. An error in a finalizer would be one, and there are none.
            let _ = lua.gc_collect();
        }
        if let Some(payload) = self.panicked.take() {
            panic::resume_unwind(payload);
        }
        result
    }
}

unsafe fn push_texts(state: *mut ffi::lua_State, texts: &[&[u8]]) {
    // SAFETY: two values are pushed and one stays, for which the caller has made room.
    unsafe {
        ffi::lua_createtable(state, texts.len() as c_int, 0);
        for (at, text) in texts.iter().enumerate() {
            ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
            ffi::lua_rawseti_(state, -2, at as c_int + 1);
        }
    }
}

/// What is said of a call without words.
pub const NO_WORDS: &str = "ERR Please specify at least one argument for this redis lib call";
/// What is said of a word that is neither a text nor a number.
pub const WRONG_WORD: &str = "ERR Lua redis lib command arguments must be strings or integers";

/// Runs the command that its arguments are. The upvalues: the [`Caller`], and whether errors are raised.
unsafe extern "C-unwind" fn call(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with its arguments as the whole stack and room for 20 values more. The caller lives as long as
    // the state. What raises here jumps over this frame, which holds references only.
    unsafe {
        let caller = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Caller>();
        let failed = match take_words(state) {
            Err(text) => {
                push_error(state, text.as_bytes());
                true
            }
            Ok(()) => match run_command(state, caller) {
                Some((reply, counted)) => {
                    push_reply(state, reply, &mut 0, 0);
                    let failed = reply.first() == Some(&b'-');
                    if failed && counted {
                        ffi::lua_pushboolean(state, 1);
                        ffi::lua_setfield(state, -2, c"ignore_error_stats_update".as_ptr());
                    }
                    failed
                }
                None => {
                    push_error(state, b"ERR the command panicked");
                    ffi::lua_error(state)
                }
            },
        };
        if failed && ffi::lua_toboolean(state, ffi::lua_upvalueindex(2)) != 0 {
            ffi::lua_error(state);
        }
        1
    }
}

/// Makes texts of all arguments, where they are.
unsafe fn take_words(state: *mut ffi::lua_State) -> Result<(), &'static str> {
    // SAFETY: indexes are of arguments; one value is pushed, for which a C function has room.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count == 0 {
            return Err(NO_WORDS);
        }
        for at in 1..=count {
            match ffi::lua_type(state, at) {
                ffi::LUA_TSTRING => {}
                ffi::LUA_TNUMBER => {
                    let text = Digits::of(ffi::lua_tonumber(state, at));
                    let text = text.as_bytes();
                    ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
                    ffi::lua_replace(state, at);
                }
                _ => return Err(WRONG_WORD),
            }
        }
        Ok(())
    }
}

/// Writes a number as a word of a command: a zero has no sign.
pub fn write_number(number: f64, text: &mut Vec<u8>) {
    crate::base::number::format_f64(if number == 0.0 { 0.0 } else { number }, text);
}

/// A number as text, in memory that nobody has to free.
struct Digits {
    bytes: [u8; 40],
    len: usize,
}

impl Digits {
    fn of(number: f64) -> Self {
        let mut text = Vec::with_capacity(40);
        write_number(number, &mut text);
        let mut digits = Self { bytes: [0; 40], len: text.len().min(40) };
        digits.bytes[..digits.len].copy_from_slice(&text[..digits.len]);
        digits
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Runs the command whose words are on the stack; `None` if it panicked. Nothing here raises an error of Lua.
unsafe fn run_command(state: *mut ffi::lua_State, caller: &Caller) -> Option<(&[u8], bool)> {
    let word = |at| {
        let mut len = 0;
        // SAFETY: the value is a text, which stays where it is while it is on the stack.
        unsafe {
            let start = ffi::lua_tolstring(state, at, &mut len);
            std::slice::from_raw_parts(start.cast::<u8>(), len)
        }
    };
    // SAFETY: any state has a top.
    let words: SmallVec<[&[u8]; 8]> = (1..=unsafe { ffi::lua_gettop(state) }).map(word).collect();
    // SAFETY: commands do not run scripts, so nobody else uses the reply until the script goes on, and then it was read.
    let reply = unsafe { &mut *caller.reply.get() };
    reply.clear();
    match panic::catch_unwind(AssertUnwindSafe(|| caller.host.call(&words, reply))) {
        Ok(counted) => Some((reply, counted)),
        Err(payload) => {
            caller.panicked.set(Some(payload));
            None
        }
    }
}

/// How deep replies are nested; those of commands a handful of levels.
const DEPTH: c_int = 100;

/// Pushes the value of the reply at `at`, which moves behind it.
unsafe fn push_reply(state: *mut ffi::lua_State, reply: &[u8], at: &mut usize, depth: c_int) {
    // SAFETY: each level pushes at most four values above what it found, for which room is made first.
    unsafe {
        ffi::luaL_checkstack(state, 6, c"no room for a reply".as_ptr());
        if *at >= reply.len() || depth > DEPTH {
            return ffi::lua_pushnil(state);
        }
        let kind = reply[*at];
        let line = line(reply, at);
        match kind {
            b':' => ffi::lua_pushnumber(state, number(line) as f64),
            b'$' | b'*' if line == b"-1" => ffi::lua_pushboolean(state, 0),
            b'$' => push_text(state, bulk(reply, line, at)),
            b'+' => push_field(state, c"ok", line),
            b'-' => push_error(state, line),
            b'*' | b'>' => {
                let count = number(line) as c_int;
                ffi::lua_createtable(state, count, 0);
                for index in 1..=count {
                    push_reply(state, reply, at, depth + 1);
                    ffi::lua_rawseti_(state, -2, index);
                }
            }
            b'#' => ffi::lua_pushboolean(state, c_int::from(line == b"t")),
            b',' => {
                let number = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_pushnumber(state, number.unwrap_or(f64::NAN));
                ffi::lua_setfield(state, -2, c"double".as_ptr());
            }
            b'(' => push_field(state, c"big_number", line),
            b'=' => {
                let text = bulk(reply, line, at);
                ffi::lua_createtable(state, 0, 1);
                push_field(state, c"format", &text[..3]);
                push_text(state, &text[4..]);
                ffi::lua_setfield(state, -2, c"string".as_ptr());
                ffi::lua_setfield(state, -2, c"verbatim_string".as_ptr());
            }
            b'%' | b'~' => {
                let count = number(line);
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_createtable(state, 0, count as c_int);
                for _ in 0..count {
                    push_reply(state, reply, at, depth + 1);
                    if kind == b'%' {
                        push_reply(state, reply, at, depth + 1);
                    } else {
                        ffi::lua_pushboolean(state, 1);
                    }
                    ffi::lua_rawset(state, -3);
                }
                let name = if kind == b'%' { c"map" } else { c"set" };
                ffi::lua_setfield(state, -2, name.as_ptr());
            }
            _ => ffi::lua_pushnil(state),
        }
    }
}

unsafe fn push_text(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: one value is pushed, for which the caller has room; Lua copies the text.
    unsafe { ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len()) };
}

/// Pushes a table with this one field.
unsafe fn push_field(state: *mut ffi::lua_State, name: &std::ffi::CStr, text: &[u8]) {
    // SAFETY: two values are pushed and one stays, for which the caller has room.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        push_text(state, text);
        ffi::lua_setfield(state, -2, name.as_ptr());
    }
}

/// Pushes an error as scripts see it; one of a single word gets a code.
unsafe fn push_error(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: three values are pushed and one stays, for which the caller has room.
    unsafe {
        ffi::lua_createtable(state, 0, 2);
        if text.contains(&b' ') {
            push_text(state, text);
        } else {
            push_text(state, b"ERR ");
            push_text(state, text);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_setfield(state, -2, c"err".as_ptr());
    }
}

/// What stands behind the kind, up to the end of the line.
fn line<'a>(reply: &'a [u8], at: &mut usize) -> &'a [u8] {
    let start = *at + 1;
    let len = reply[start..].iter().position(|byte| *byte == b'\r').expect("a line ends");
    *at = start + len + 2;
    &reply[start..start + len]
}

fn bulk<'a>(reply: &'a [u8], length: &[u8], at: &mut usize) -> &'a [u8] {
    let start = *at;
    let len = number(length) as usize;
    *at = start + len + 2;
    &reply[start..start + len]
}

fn number(line: &[u8]) -> i64 {
    crate::base::number::parse_i64(line).expect("a reply holds numbers where it should")
}
