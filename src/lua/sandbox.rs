//! What a script may touch: a Lua state whose globals cannot be changed and that reaches nothing outside.

use std::rc::Rc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::invoke::{Caller, Host};
use super::raise::{self, Raised};
use super::random::Random;
use super::stack::Stack;
use super::{bit, cjson, cmsgpack, structs};

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
    globals: Table,
    on_error: Function,
    load: Function,
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
        let parts: Table = lua.load(include_str!("sandbox.lua")).set_name("=sandbox").call(given)?;
        lua.set_globals(parts.raw_get("environment")?)?;
        look(&lua, &host, USUALLY)?;
        Ok(Self {
            host,
            caller,
            globals: parts.raw_get("globals")?,
            on_error: parts.raw_get("on_error")?,
            load: parts.raw_get("load")?,
            lua,
        })
    }

    /// Runs a script, which finds these tables as `KEYS` and `ARGV`. Then `finish` gets whether it ended well, and its result
    /// at the top of the stack, or the error, which is a table unless it is one of Lua itself.
    pub fn run<R>(
        &self,
        script: &Function,
        tables: [&[&[u8]]; 2],
        finish: impl FnOnce(bool, &mut Stack) -> R,
    ) -> mlua::Result<R> {
        let globals = Some((&self.globals, ["KEYS", "ARGV"]));
        self.caller.run(&self.lua, (&self.on_error, script), tables, globals, finish)
    }

    /// Calls a function of a library with these tables, as [`Sandbox::run`] does.
    pub fn call<R>(
        &self,
        callback: &Function,
        tables: [&[&[u8]]; 2],
        finish: impl FnOnce(bool, &mut Stack) -> R,
    ) -> mlua::Result<R> {
        self.caller.run(&self.lua, (&self.on_error, callback), tables, None, finish)
    }

    /// Runs the code of a library, which registers its functions. The inner error is the library's, as [`Sandbox::run`] has
    /// it.
    pub fn load(&self, library: &Function) -> mlua::Result<Result<(), Value>> {
        let result = self.load.call(library);
        self.rest();
        result.map(|(ok, error): (bool, Value)| if ok { Ok(()) } else { Err(error) })
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
