//! Scripts and their libraries, with whatever a client may send: what is decoded comes back when it was encoded, and no script
//! changes what the next one finds.
//!
//! Input: what it is (1 byte), and JSON, MessagePack, a format of `struct` with its data, or a script.
#![no_main]

use std::cell::Cell;
use std::rc::Rc;

use ackd::lua::invoke::{self, Kept};
use ackd::lua::sandbox::{Api, Sandbox};
use libfuzzer_sys::fuzz_target;

/// Scripts of so many instructions, times a hundred thousand, are ended.
const LOOKS: u32 = 5;

/// Bytes that a script may take.
const MEMORY: usize = 32 << 20;

/// Answers each command with its first word.
#[derive(Default)]
struct Host {
    looks: Cell<u32>,
}

impl invoke::Host for Host {
    fn call(&self, words: &[&[u8]], reply: &mut Vec<u8>) -> bool {
        reply.extend_from_slice(format!("${}\r\n", words[0].len()).as_bytes());
        reply.extend_from_slice(words[0]);
        reply.extend_from_slice(b"\r\n");
        false
    }

    fn watch(&self) -> mlua::Result<()> {
        self.looks.set(self.looks.get() + 1);
        if self.looks.get() > LOOKS { Err(mlua::Error::runtime("it runs for too long")) } else { Ok(()) }
    }
}

struct Scripts {
    host: Rc<Host>,
    sandbox: Sandbox,
    /// Each codec, there and back.
    codecs: [Kept; 3],
    /// Looks whether all is as it was.
    check: Kept,
}

const CODECS: [&str; 3] = [
    "local value = cjson.decode(ARGV[1]) local ok, text = pcall(cjson.encode, value)
     if ok then assert(cjson.encode(cjson.decode(text)) == text or text:find('{', 1, true), 'JSON does not come back') end",
    "local values = {cmsgpack.unpack(ARGV[1])} local ok, text = pcall(cmsgpack.pack, unpack(values))
     if ok and #values > 0 then assert(#{cmsgpack.unpack(text)} == #values, 'MessagePack does not come back') end",
    "local format = ARGV[1]:match('^[^%z]*') local data = ARGV[1]:sub(#format + 2)
     struct.size(format) struct.unpack(format, data)",
];

const CHECK: &str = "assert(type(redis.call) == 'function' and redis.call('x') == 'x' and string.format('%d', 7) == '7')
    assert(('a'):upper() == 'A' and #table.concat({'a', 'b'}) == 2 and math.floor(1.5) == 1 and cjson.encode({1}) == '[1]')
    assert(not pcall(function() undefined = 1 end) and not pcall(function() return undefined end)) return 'whole'";

impl Scripts {
    fn new() -> Self {
        let host = Rc::new(Host::default());
        let api = |lua: &mlua::Lua| Ok(Api { redis: lua.create_table()?, loading: None });
        let sandbox = Sandbox::new(api, host.clone()).unwrap();
        sandbox.limit_memory(MEMORY);
        let compile = |code: &str| sandbox.keep(sandbox.lua().load(code).into_function().unwrap()).unwrap();
        let (codecs, check) = (CODECS.map(compile), compile(CHECK));
        Self { host, sandbox, codecs, check }
    }

    fn run(&self, script: &Kept, argument: &[u8]) -> Result<String, String> {
        self.host.looks.set(0);
        let result = self.sandbox.run(script, [&[], &[argument]], |ended_well, stack| {
            use ackd::lua::stack::Kind;
            let text = match stack.kind(1) {
                Kind::String => String::from_utf8_lossy(stack.string(1)).into_owned(),
                Kind::Table => {
                    stack.push_field("err");
                    let is_text = stack.kind(1) == Kind::String;
                    let text =
                        if is_text { String::from_utf8_lossy(stack.string(1)).into_owned() } else { String::new() };
                    stack.pop(1);
                    text
                }
                _ => String::new(),
            };
            if ended_well { Ok(text) } else { Err(text) }
        });
        self.sandbox.rest();
        result
    }
}

fuzz_target!(|input: &[u8]| {
    thread_local! {
        static SCRIPTS: Scripts = Scripts::new();
    }
    let Some((what, data)) = input.split_first() else { return };
    SCRIPTS.with(|scripts| {
        match scripts.codecs.get(usize::from(what % 5)) {
            Some(codec) => {
                if let Err(error) = scripts.run(codec, data) {
                    assert!(!error.contains("does not come back"), "{error}");
                }
            }
            None if data.first() == Some(&27) => {}
            None => {
                let chunk = scripts.sandbox.lua().load(data).set_name("@user_script");
                if let Ok(function) = chunk.set_mode(mlua::chunk::ChunkMode::Text).into_function() {
                    let script = scripts.sandbox.keep(function).unwrap();
                    let _ = scripts.run(&script, data);
                }
            }
        }
        assert_eq!(scripts.run(&scripts.check, b"").as_deref(), Ok("whole"));
        assert!(scripts.sandbox.lua().used_memory() <= MEMORY);
    });
});
