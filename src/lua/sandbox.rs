//! What a script may touch: a Lua state whose globals cannot be changed and that reaches nothing outside.

use std::rc::Rc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::raise::{self, Raised};
use super::random::Random;

/// A running script is looked at after so many instructions.
const USUALLY: HookTriggers = HookTriggers::new().every_nth_instruction(100_000);

type Watch = Rc<dyn Fn(&Lua) -> mlua::Result<()>>;

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
    watch: Watch,
    globals: Table,
    run: Function,
    call: Function,
    load: Function,
}

/// How a call ended: with its results, or with the error, which is a table unless the error was one of Lua itself.
pub type Ended = Result<Value, Value>;

impl Sandbox {
    /// A new state. `watch` is called now and then while a script runs; what it answers as an error ends the script.
    pub fn new(
        api: impl FnOnce(&Lua) -> mlua::Result<Api>,
        watch: impl Fn(&Lua) -> mlua::Result<()> + 'static,
    ) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS | StdLib::DEBUG;
        // SAFETY: what would be unsafe is the library `debug` in a script's hands; only the prelude sees it, which keeps
        // `getinfo` to itself.
        let lua = unsafe { Lua::unsafe_new_with(libraries, LuaOptions::default()) };
        let random = Rc::new(Random::default());
        let host = lua.create_table()?;
        let api = api(&lua)?;
        host.raw_set("redis", api.redis)?;
        host.raw_set("loading", api.loading)?;
        host.raw_set("random", random.clone().function(&lua)?)?;
        host.raw_set("randomseed", random.clone().seed_function(&lua)?)?;
        host.raw_set(
            "readonly",
            raise::function(&lua, |_, ()| Err::<(), _>("Attempt to modify a readonly table".into()))?,
        )?;
        host.raw_set("missing", raise::function(&lua, |_, (_, name): (Value, Value)| Err::<(), _>(missing(&name)))?)?;
        host.raw_set("explain", lua.create_function(|_, error: mlua::Error| Ok(raise::text_of(&error)))?)?;
        host.raw_set("libraries", lua.create_table()?)?;
        let parts: Table = lua.load(include_str!("sandbox.lua")).set_name("=sandbox").call(host)?;
        lua.set_globals(parts.raw_get("environment")?)?;
        let watch: Watch = Rc::new(watch);
        look(&lua, &watch, USUALLY)?;
        Ok(Self {
            watch,
            globals: parts.raw_get("globals")?,
            run: parts.raw_get("run")?,
            call: parts.raw_get("call")?,
            load: parts.raw_get("load")?,
            lua,
        })
    }

    /// Runs a script, which finds these tables as `KEYS` and `ARGV`.
    pub fn run(&self, script: &Function, keys: Table, arguments: Table) -> mlua::Result<Ended> {
        self.globals.raw_set("KEYS", keys)?;
        self.globals.raw_set("ARGV", arguments)?;
        self.run.call(script).map(ended)
    }

    /// Calls a function of a library.
    pub fn call(&self, callback: &Function, keys: Table, arguments: Table) -> mlua::Result<Ended> {
        self.call.call((callback, keys, arguments)).map(ended)
    }

    /// Runs the code of a library, which registers its functions.
    pub fn load(&self, library: &Function) -> mlua::Result<Ended> {
        let result = self.load.call(library).map(ended);
        self.rest();
        result
    }

    /// Scripts are looked at as usual again, after one was ended.
    pub fn rest(&self) {
        // It did so when the sandbox was made, with the same arguments.
        let _ = look(&self.lua, &self.watch, USUALLY);
    }

    /// The state.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }
}

/// Lets the script be looked at. One that catches the error which is to end it gets it again at once, wherever it goes on.
fn look(lua: &Lua, watch: &Watch, when: HookTriggers) -> mlua::Result<()> {
    let watch = watch.clone();
    lua.set_global_hook(when, move |lua, _| {
        let result = watch(lua);
        if result.is_err() {
            look(lua, &watch, HookTriggers::EVERY_LINE)?;
        }
        result.map(|()| VmState::Continue)
    })
}

fn ended((ok, value): (bool, Value)) -> Ended {
    if ok { Ok(value) } else { Err(value) }
}

fn missing(name: &Value) -> Raised {
    let name = name.to_string().unwrap_or_default();
    Raised::Text(format!("Script attempted to access nonexistent global variable '{name}'").into_bytes())
}
