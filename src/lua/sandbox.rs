//! What a script may touch: a Lua state whose globals cannot be changed and that reaches nothing outside.

use std::rc::Rc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState};

use super::guard::{self, Guard};
use super::invoke::{Caller, Entry, Host, Kept};
use super::raise::{self, Raised};
use super::random::Random;
use super::stack::Stack;
use super::{bit, call, cjson, cmsgpack, structs};

/// A running script is looked at after so many instructions.
const USUALLY: HookTriggers = HookTriggers::new().every_nth_instruction(100_000);

/// What is different from sandbox to sandbox.
pub struct Api {
    /// The table `redis`.
    pub redis: Table,
    /// What stands for it while a library of functions is loaded; nothing else is there then.
    pub loading: Option<Table>,
}

/// See the module.
pub struct Sandbox {
    lua: Lua,
    host: Rc<dyn Host>,
    /// Goes after the state, whose functions point to it.
    caller: Box<Caller>,
    entry: Entry,
    set_loading: Function,
}

impl Sandbox {
    /// A new state, with `redis.call` and `redis.pcall` for what `host` runs.
    pub fn new(api: impl FnOnce(&Lua) -> mlua::Result<Api>, host: Rc<dyn Host>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS | StdLib::DEBUG;
        // SAFETY: what would be unsafe is the library `debug` in a script's hands; only the prelude sees it, which keeps
        // `getinfo` to itself.
        let lua = unsafe { Lua::unsafe_new_with(libraries, LuaOptions::default()) };
        let random = Rc::new(Random::default());
        let api = api(&lua)?;
        let caller = Caller::new(host.clone());
        for (name, raises) in [("call", true), ("pcall", false)] {
            // SAFETY: the sandbox keeps the caller until the state is gone.
            api.redis.raw_set(name, unsafe { caller.function(&lua, raises) }?)?;
        }
        let given = lua.create_table()?;
        given.raw_set("redis", api.redis)?;
        given.raw_set("loading", api.loading)?;
        given.raw_set("random", random.clone().function(&lua)?)?;
        given.raw_set("randomseed", random.clone().seed_function(&lua)?)?;
        given.raw_set(
            "readonly",
            raise::function(&lua, |_, ()| Err::<(), _>("Attempt to modify a readonly table".into()))?,
        )?;
        given
            .raw_set("missing", raise::function(&lua, |_, (_, name): (Value, Value)| Err::<(), _>(missing(&name)))?)?;
        given.raw_set("explain", lua.create_function(|_, error: mlua::Error| Ok(raise::text_of(&error)))?)?;
        given.raw_set("libraries", libraries_of(&lua)?)?;
        let guards = |lua: &Lua, (original, views, what): (Function, Table, String)| {
            let what = match what.as_str() {
                "pattern" => Guard::Pattern,
                "range" => Guard::Range,
                _ => Guard::Changes,
            };
            guard::guard(lua, original, views, what)
        };
        given.raw_set("guard", lua.create_function(guards)?)?;
        given.raw_set("loader", lua.create_function(|lua, assemble: Function| loader(lua, assemble))?)?;
        let parts: Table = lua.load(include_str!("sandbox.lua")).set_name("=sandbox").call(given)?;
        lua.set_globals(parts.raw_get("environment")?)?;
        look(&lua, &host, USUALLY)?;
        Ok(Self {
            host,
            caller,
            entry: Entry::new(&lua, parts.raw_get("on_error")?, parts.raw_get("globals")?)?,
            set_loading: parts.raw_get("set_loading")?,
            lua,
        })
    }

    /// How many bytes scripts may take together, garbage included; 0 for no limit.
    pub fn limit_memory(&self, bytes: usize) {
        self.caller.memory_limit.set(bytes);
    }

    /// Keeps a function, to be run or called.
    pub fn keep(&self, function: Function) -> mlua::Result<Kept> {
        Kept::new(&self.lua, function)
    }

    /// Runs a script, which finds these tables as `KEYS` and `ARGV`. Then `finish` gets whether it ended well, and its result
    /// at the top of the stack, or the error, which is a table unless it is one of Lua itself.
    pub fn run<R>(&self, script: &Kept, tables: [&[&[u8]]; 2], finish: impl FnOnce(bool, &mut Stack) -> R) -> R {
        self.caller.run(&self.lua, &self.entry, script, (tables, Some(["KEYS", "ARGV"])), finish)
    }

    /// Calls a function of a library with these tables, as [`Sandbox::run`] does.
    pub fn call<R>(&self, callback: &Kept, tables: [&[&[u8]]; 2], finish: impl FnOnce(bool, &mut Stack) -> R) -> R {
        self.caller.run(&self.lua, &self.entry, callback, (tables, None), finish)
    }

    /// Runs the code of a library, which registers its functions, as [`Sandbox::run`] does.
    pub fn load<R>(&self, library: &Kept, finish: impl FnOnce(bool, &mut Stack) -> R) -> mlua::Result<R> {
        self.set_loading.call::<()>(true)?;
        let result = self.caller.run(&self.lua, &self.entry, library, ([&[], &[]], None), finish);
        self.rest();
        self.set_loading.call::<()>(false)?;
        Ok(result)
    }

    /// Scripts are looked at as usual again, after one was ended.
    pub fn rest(&self) {
        // It did so when the sandbox was made, with the same arguments.
        let _ = look(&self.lua, &self.host, USUALLY);
    }

    /// The state.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }
}

/// Lets the script be looked at. One that catches the error which is to end it gets it again at once, wherever it goes on.
fn look(lua: &Lua, host: &Rc<dyn Host>, when: HookTriggers) -> mlua::Result<()> {
    let host = host.clone();
    lua.set_global_hook(when, move |lua, _| {
        let result = host.watch();
        if result.is_err() {
            look(lua, &host, HookTriggers::EVERY_LINE)?;
        }
        result.map(|()| VmState::Continue)
    })
}

/// `load`, which calls `assemble` when it was given a function to read from.
fn loader(lua: &Lua, assemble: Function) -> mlua::Result<Function> {
    call::function(lua, move |_, arguments| match arguments.get(1) {
        Some(Value::Function(_)) => Ok(assemble.call::<MultiValue>(arguments.values)?),
        _ => Err(arguments.wrong_type(1, "function")),
    })
}

fn libraries_of(lua: &Lua) -> mlua::Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("cjson", cjson::open(lua)?)?;
    libraries.raw_set("cmsgpack", cmsgpack::open(lua)?)?;
    libraries.raw_set("struct", structs::open(lua)?)?;
    libraries.raw_set("bit", bit::open(lua)?)?;
    Ok(libraries)
}

fn missing(name: &Value) -> Raised {
    let name = name.to_string().unwrap_or_default();
    Raised::Text(format!("Script attempted to access nonexistent global variable '{name}'").into_bytes())
}
