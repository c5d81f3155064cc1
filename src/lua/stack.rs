//! Lua's stack of values, on which the codecs walk tables and build them.
//!
//! mlua's own handles cost a slot of a table of references for each value; on the stack a table of thousands of values is
//! walked as fast as C does it. And the stack has a limit, at which the depth of nested values ends, as in Redis.
//!
//! All `unsafe` of the codecs is here. What makes it sound: [`Stack`] counts the values and the room for them itself, and
//! refuses (by a panic, since it is a mistake of this crate) to read or take what is not there, or to push without room.
//! None of the calls runs code of the script: no metamethods, no conversions.

use std::ffi::c_int;

use mlua::{FromLuaMulti, IntoLuaMulti, Lua, ffi};

use super::call::{Fault, to_integer};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Nil,
    /// A truth value.
    Boolean,
    /// A pointer; the null pointer is JSON's null.
    Pointer,
    /// A number.
    Number,
    /// A text.
    String,
    /// A table.
    Table,
    /// A function of any language.
    Function,
    /// An object of the host's.
    Userdata,
    /// A coroutine.
    Thread,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Boolean => "boolean",
            Self::Pointer | Self::Userdata => "userdata",
            Self::Number => "number",
            Self::String => "string",
            Self::Table => "table",
            Self::Function => "function",
            Self::Thread => "thread",
        }
    }
}

/// The stack of one call.
pub struct Stack {
    state: *mut ffi::lua_State,
    /// Number of values.
    height: usize,
    /// How high it may grow without asking Lua.
    room: usize,
}

/// Room that Lua gives to each call, less what mlua takes of it.
const FIRST_ROOM: usize = 10;

/// Runs something on a stack with these values, and answers what it leaves there above them.
pub(super) fn run<R: FromLuaMulti>(
    lua: &Lua,
    values: impl IntoLuaMulti,
    body: impl FnOnce(&mut Stack) -> Result<(), Fault>,
) -> Result<R, Fault> {
    let mut outcome = Ok(());
    let slot = &mut outcome;
    // SAFETY: the closure uses the state only by the methods of `Stack`. An error of Lua, which can only be that memory is
    // out, jumps out of it: then what `body` holds leaks, and nothing else happens, since `slot` belongs to this frame.
    let results = unsafe {
        lua.exec_raw(values, |state| {
            let height = ffi::lua_gettop(state).max(0) as usize;
            let mut stack = Stack { state, height, room: height + FIRST_ROOM };
            *slot = body(&mut stack);
            // Only results may stay: all that was given is taken away.
            if slot.is_err() {
                ffi::lua_settop(state, 0);
            } else {
                for _ in 0..height.min(stack.height) {
                    ffi::lua_remove(state, 1);
                }
            }
        })
    };
    outcome?;
    Ok(results?)
}

impl Stack {
    /// The stack of a state, for as long as `body` runs.
    ///
    /// # Safety
    /// What `body` pushes beyond ten values is made room for; it takes away no more than it pushed.
    pub(super) unsafe fn at<R>(state: *mut ffi::lua_State, body: impl FnOnce(&mut Stack) -> R) -> R {
        // SAFETY: any state has a top, and room is asked for.
        let height = unsafe {
            ffi::luaL_checkstack(state, FIRST_ROOM as c_int, c"no room for values".as_ptr());
            ffi::lua_gettop(state).max(0) as usize
        };
        body(&mut Stack { state, height, room: height + FIRST_ROOM })
    }

    /// Pushes a field of the table at the top.
    pub fn push_field(&mut self, name: &str) {
        self.assert_table(1);
        self.push_string(name.as_bytes());
        // SAFETY: a table is below the name, which is exchanged for the value.
        unsafe { ffi::lua_rawget(self.state, -2) };
    }

    /// Makes room for so many values, if Lua has it.
    pub fn make_room(&mut self, count: usize) -> bool {
        let Ok(wanted) = c_int::try_from(count) else { return false };
        // SAFETY: any count is allowed.
        if unsafe { ffi::lua_checkstack(self.state, wanted) } == 0 {
            return false;
        }
        self.room = self.room.max(self.height + count);
        true
    }

    fn pushing(&mut self) {
        assert!(self.height < self.room, "a value is pushed only after room was made for it");
        self.height += 1;
    }

    /// The index of a value for Lua, counted from the top, which is one.
    fn index(&self, from_top: usize) -> c_int {
        assert!((1..=self.height).contains(&from_top), "there is a value at this place of the stack");
        -(from_top as c_int)
    }

    /// The kind of a value, counted from the top, which is one.
    pub fn kind(&self, from_top: usize) -> Kind {
        // SAFETY: the index is of a value.
        match unsafe { ffi::lua_type(self.state, self.index(from_top)) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::Pointer,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::Userdata,
        }
    }

    fn assert_table(&self, from_top: usize) {
        assert_eq!(self.kind(from_top), Kind::Table, "the value at this place of the stack is a table");
    }

    /// The number at a place; zero if there is none.
    pub fn number(&self, from_top: usize) -> f64 {
        // SAFETY: the index is of a value; a string would be read, and not changed.
        unsafe { ffi::lua_tonumber(self.state, self.index(from_top)) }
    }

    /// The number at a place as C casts it to an integer.
    pub fn integer(&self, from_top: usize) -> i64 {
        to_integer(self.number(from_top))
    }

    /// The number that the string at a place stands for.
    pub(super) fn number_of_string(&self, from_top: usize) -> Option<f64> {
        // SAFETY: the index is of a value, which is only read.
        unsafe {
            let index = self.index(from_top);
            (ffi::lua_isnumber(self.state, index) != 0).then(|| ffi::lua_tonumber(self.state, index))
        }
    }

    /// Number of values.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether the value at a place is neither nil nor false.
    pub fn is_true(&self, from_top: usize) -> bool {
        // SAFETY: the index is of a value.
        unsafe { ffi::lua_toboolean(self.state, self.index(from_top)) != 0 }
    }

    /// Whether the pointer at a place is null.
    pub(super) fn is_null(&self, from_top: usize) -> bool {
        // SAFETY: the index is of a value.
        unsafe { ffi::lua_touserdata(self.state, self.index(from_top)).is_null() }
    }

    /// The string at a place, which stays there as long as it is borrowed.
    pub fn string(&self, from_top: usize) -> &[u8] {
        assert_eq!(self.kind(from_top), Kind::String, "the value at this place of the stack is a string");
        let mut length = 0;
        // SAFETY: the value is a string, so it is not converted; Lua keeps it where it is while it is on the stack, and
        // nothing is taken from the stack while `self` is borrowed.
        unsafe {
            let start = ffi::lua_tolstring(self.state, self.index(from_top), &mut length);
            std::slice::from_raw_parts(start.cast(), length)
        }
    }

    /// Takes values off the top.
    pub fn pop(&mut self, count: usize) {
        assert!(count <= self.height, "there are values to take");
        // SAFETY: there are so many values.
        unsafe { ffi::lua_settop(self.state, -(count as c_int) - 1) };
        self.height -= count;
    }

    /// Pushes a value that is there once more, counted from the bottom, which is one.
    pub fn push_copy(&mut self, from_bottom: usize) {
        assert!((1..=self.height).contains(&from_bottom), "there is a value at this place of the stack");
        self.pushing();
        // SAFETY: the index is of a value, and there is room.
        unsafe { ffi::lua_pushvalue(self.state, from_bottom as c_int) };
    }

    /// Pushes nil, with which [`Stack::next`] begins.
    pub fn push_nil(&mut self) {
        self.pushing();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.state) };
    }

    pub(super) fn push_boolean(&mut self, value: bool) {
        self.pushing();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) };
    }

    pub(super) fn push_number(&mut self, value: f64) {
        self.pushing();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.state, value) };
    }

    /// Pushes the null pointer.
    pub(super) fn push_null(&mut self) {
        self.pushing();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) };
    }

    pub(super) fn push_string(&mut self, text: &[u8]) {
        self.pushing();
        // SAFETY: there is room, and Lua copies the text.
        unsafe { ffi::lua_pushlstring(self.state, text.as_ptr().cast(), text.len()) };
    }

    pub(super) fn push_table(&mut self) {
        self.pushing();
        // SAFETY: there is room.
        unsafe { ffi::lua_createtable(self.state, 0, 0) };
    }

    /// Puts the value at the top down to a place, counted from the bottom, which is one.
    pub(super) fn insert(&mut self, from_bottom: usize) {
        assert!((1..=self.height).contains(&from_bottom), "there is a value at this place of the stack");
        // SAFETY: the index is of a value.
        unsafe { ffi::lua_insert(self.state, from_bottom as c_int) };
    }

    /// Goes on through the table below the top: takes the key at the top, nil for the first, and pushes the next key and its
    /// value, if there is one. The table must be as it was when the key was got.
    #[allow(clippy::should_implement_trait, reason = "it is Lua's word for it, and no iterator's")]
    pub fn next(&mut self) -> bool {
        self.assert_table(2);
        assert!(self.height < self.room, "a value is pushed only after room was made for it");
        // SAFETY: the table and a key are there, and room for one value more than is taken. The key is one of the table's
        // own, as no other method changes keys while a table is walked.
        if unsafe { ffi::lua_next(self.state, -2) } == 0 {
            self.height -= 1;
            return false;
        }
        self.height += 1;
        true
    }

    /// Pushes an element of the table at the top.
    pub fn push_element(&mut self, at: c_int) {
        self.assert_table(1);
        self.pushing();
        // SAFETY: there are a table and room.
        unsafe { ffi::lua_rawgeti_(self.state, -1, at) };
    }

    /// Takes the value at the top, and makes it an element of the table below.
    pub(super) fn set_element(&mut self, at: c_int) {
        self.assert_table(2);
        // SAFETY: there are a table and a value.
        unsafe { ffi::lua_rawseti_(self.state, -2, at) };
        self.height -= 1;
    }

    /// Takes a value and the key below it, and puts them into the table below both.
    pub(super) fn set(&mut self) -> Result<(), Fault> {
        self.assert_table(3);
        match self.kind(2) {
            Kind::Nil => return Err(Fault::Bare("table index is nil")),
            Kind::Number if self.number(2).is_nan() => return Err(Fault::Bare("table index is NaN")),
            _ => {}
        }
        // SAFETY: there are a table, a key that is allowed, and a value.
        unsafe { ffi::lua_rawset(self.state, -3) };
        self.height -= 2;
        Ok(())
    }
}
