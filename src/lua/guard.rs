//! Functions of Lua 5.1 that a script could hurt the server or the next script with, behind a look at their arguments.
//!
//! The functions themselves are called in the place of the script's call, so that their errors name it.

use std::ffi::c_int;

use mlua::{Function, Lua, Table, ffi};

/// The longest pattern with special characters, in bytes: each item of a pattern may take a frame of C's stack.
const LONGEST_PATTERN: usize = 16 * 1024;

/// So many results fit on Lua's stack.
const MOST_RESULTS: f64 = 8000.0;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Guard {
    /// The second argument is a pattern: matching recurses with it.
    Pattern,
    /// The second and third argument are a range: what lies in it is counted in 32 bits.
    Range,
    /// The first argument is changed, so it must be no view of a protected table.
    Changes,
}

/// The function behind a guard. `views` has the views of protected tables as its keys.
pub(super) fn guard(lua: &Lua, original: Function, views: Table, guard: Guard) -> mlua::Result<Function> {
    let guarded = match guard {
        Guard::Pattern => pattern,
        Guard::Range => range,
        Guard::Changes => changes,
    };
    // SAFETY: both values are on the stack, and become the upvalues of what takes their place.
    unsafe { lua.exec_raw((original, views), |state| ffi::lua_pushcclosure(state, guarded, 2)) }
}

/// Goes on with the original. It uses no upvalues, for it would find those of the guard.
unsafe fn go_on(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the first upvalue is a C function of Lua's libraries, called with the stack as Lua gave it.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(original) => original(state),
            None => 0,
        }
    }
}

/// Raises a text, with the place of the caller in front.
unsafe fn raise(state: *mut ffi::lua_State, text: &'static std::ffi::CStr) -> c_int {
    // SAFETY: the text has no format in it. The error jumps over frames that hold nothing to drop.
    unsafe { ffi::luaL_error(state, text.as_ptr()) }
}

unsafe extern "C-unwind" fn pattern(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: any index may be asked about; a text is only measured and read while it is on the stack.
    unsafe {
        if ffi::lua_type(state, 2) == ffi::LUA_TSTRING && ffi::lua_objlen(state, 2) > LONGEST_PATTERN {
            let mut len = 0;
            let text = ffi::lua_tolstring(state, 2, &mut len);
            let text = std::slice::from_raw_parts(text.cast::<u8>(), len);
            if text.iter().any(|byte| b"^$*+?.([%-".contains(byte)) {
                return raise(state, c"pattern too complex");
            }
        }
        go_on(state)
    }
}

unsafe extern "C-unwind" fn range(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: any index may be asked about; nothing is converted in place but a number from a text.
    unsafe {
        let number =
            |at, missing| if ffi::lua_isnumber(state, at) != 0 { ffi::lua_tonumber(state, at) } else { missing };
        let len = if ffi::lua_type(state, 1) == ffi::LUA_TTABLE { ffi::lua_objlen(state, 1) as f64 } else { 0.0 };
        let (from, to) = (number(2, 1.0), number(3, len));
        let fits = |number: f64| number >= f64::from(i32::MIN) && number <= f64::from(i32::MAX);
        if !(fits(from) && fits(to) && to - from < MOST_RESULTS) {
            return raise(state, c"too many results to unpack");
        }
        go_on(state)
    }
}

unsafe extern "C-unwind" fn changes(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: two values are pushed at most, for which a C function has room, and taken away again.
    unsafe {
        // Every view has a metatable, and few other tables that are changed have one.
        if ffi::lua_type(state, 1) == ffi::LUA_TTABLE && ffi::lua_getmetatable(state, 1) != 0 {
            ffi::lua_pushvalue(state, 1);
            ffi::lua_rawget_(state, ffi::lua_upvalueindex(2));
            let is_view = ffi::lua_type(state, -1) != ffi::LUA_TNIL;
            ffi::lua_settop(state, -3);
            if is_view {
                let text = c"Attempt to modify a readonly table";
                ffi::lua_pushstring(state, text.as_ptr());
                ffi::lua_error(state);
            }
        }
        go_on(state)
    }
}
