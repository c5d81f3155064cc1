//! The libraries of scripts beside those of the oracle: random calls, good and bad, of which each must give the same results
//! or the same error from both.
//!
//! `ACKD_LUA_CASES` sets how many calls are compared, and `ACKD_LUA_SEED` which ones.

#![allow(clippy::unwrap_used)]

mod support;

#[path = "lua_libraries/calls.rs"]
mod calls;
#[path = "lua_libraries/values.rs"]
mod values;

use ackd::lua::{bit, cjson, cmsgpack, structs};
use mlua::Lua;
use support::oracle::Oracle;
use support::reply::Value;

const CASES: usize = 4000;
/// Calls in one script.
const BATCH: usize = 100;
/// Differences that are shown.
const SHOWN: usize = 20;

/// Writes results as strings, tables with their keys in order.
const RENDER: &str = r#"
local render
local function pairs_of(t)
    local lines = {}
    for k, v in pairs(t) do lines[#lines + 1] = render(k) .. '=' .. render(v) end
    table.sort(lines)
    return '{' .. table.concat(lines, ',') .. '}'
end
render = function(v)
    if v == cjson.null then return 'null' end
    local kind = type(v)
    if kind == 'table' then return pairs_of(v) end
    if kind == 'number' then return string.format('%.17g', v) end
    if kind == 'string' then return #v .. ':' .. v end
    if kind == 'function' then return kind end
    return tostring(v)
end
local function render_all(...)
    local texts = {}
    for i = 1, select('#', ...) do texts[i] = render((select(i, ...))) end
    return table.concat(texts, ' ')
end
local out = {}
for i = 1, #cases do out[i] = render_all(pcall(cases[i])) end
return out
"#;

fn script(cases: &[String]) -> String {
    let cases: String = cases.iter().map(|case| format!("function() {case} end,\n")).collect();
    format!("local cases = {{\n{cases}}}\n{RENDER}")
}

fn libraries() -> Lua {
    let lua = Lua::new();
    let globals = lua.globals();
    globals.set("cjson", cjson::open(&lua).unwrap()).unwrap();
    globals.set("cmsgpack", cmsgpack::open(&lua).unwrap()).unwrap();
    globals.set("struct", structs::open(&lua).unwrap()).unwrap();
    globals.set("bit", bit::open(&lua).unwrap()).unwrap();
    lua
}

fn number(variable: &str, other: u64) -> u64 {
    std::env::var(variable).map_or(other, |text| text.parse().unwrap())
}

#[test]
fn calls_give_the_same_results_and_errors_as_in_valkey() {
    let Some(program) = Oracle::Valkey.program() else { return };
    let server = program.start();
    let mut client = server.client();
    let lua = libraries();
    let mut generator = calls::Generator::new(number("ACKD_LUA_SEED", 1));
    let count = number("ACKD_LUA_CASES", CASES as u64) as usize;
    let (mut failed, mut differences) = (0, 0);
    for _ in 0..count.div_ceil(BATCH) {
        let cases: Vec<String> = std::iter::repeat_with(|| generator.call()).take(BATCH).collect();
        let script = script(&cases);
        let ours: Vec<mlua::LuaString> = lua.load(&script).set_name("@user_script").eval().unwrap();
        let theirs = match client.call(&["EVAL", &script, "0"]).unwrap().value {
            Value::Array(replies) => replies,
            other => panic!("{other:?} for {script}"),
        };
        assert_eq!((ours.len(), theirs.len()), (BATCH, BATCH));
        for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
            let Value::Bulk(theirs) = theirs else { panic!("{theirs:?} for {case}") };
            failed += usize::from(theirs.starts_with(b"false"));
            if *ours.as_bytes() != theirs[..] {
                differences += 1;
                if differences <= SHOWN {
                    let ours = ours.as_bytes().escape_ascii().to_string();
                    eprintln!("{case}\n  ours   {ours}\n  theirs {}", theirs.escape_ascii());
                }
            }
        }
    }
    eprintln!("{count} calls, {failed} of them errors, {differences} different");
    assert_eq!(differences, 0);
    // A test that compares only errors, or none, shows little.
    assert!((count / 10..count * 9 / 10).contains(&failed));
}
