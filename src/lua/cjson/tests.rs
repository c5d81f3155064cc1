use mlua::Lua;

use super::open;

/// Runs code that may use `cjson`, and answers its result, or its error, as text.
fn run(code: &str) -> String {
    let lua = Lua::new();
    lua.globals().set("cjson", open(&lua).unwrap()).unwrap();
    let pcall = "local function f() CODE end; local ok, x = pcall(f); return tostring(x)".replace("CODE", code);
    lua.load(pcall).set_name("=t").eval().unwrap()
}

#[test]
fn values_are_encoded_as_in_redis() {
    let cases = [
        ("nil", "null"),
        ("cjson.null", "null"),
        ("{}", "{}"),
        ("{1, nil, 3}", "[1,null,3]"),
        ("{1, [5] = 3}", "[1,null,null,null,3]"),
        ("{1, 2, a = 3}", r#"{"1":1,"2":2,"a":3}"#),
        ("{[1.5] = true}", r#"{"1.5":true}"#),
        ("{[2^31] = 3}", r#"{"2147483648":3}"#),
        ("{{{}, {a = {false}}}}", r#"[[{},{"a":[false]}]]"#),
        ("{-0.0, 1e15, 0.1, 1/3, 12345678901234}", "[-0,1e+15,0.1,0.33333333333333,12345678901234]"),
        (r#"'\1\31\127\128/"\\\b\t\n\f\r\0'"#, "\"\\u0001\\u001f\\u007f\u{fffd}\\/\\\"\\\\\\b\\t\\n\\f\\r\\u0000\""),
        ("setmetatable({}, {__index = {1, 2}})", "{}"),
    ];
    for (value, json) in cases {
        let lua = Lua::new();
        lua.globals().set("cjson", open(&lua).unwrap()).unwrap();
        let text: mlua::LuaString = lua.load(format!("return cjson.encode({value})")).eval().unwrap();
        assert_eq!(text.to_string_lossy(), json, "{value}");
    }
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    let cases = [
        ("local x = cjson.encode()", "t:1: bad argument #1 to 'encode' (expected 1 argument)"),
        ("return cjson.encode()", "t:1: bad argument #1 to 'encode' (expected 1 argument)"),
        ("local x = cjson:encode(1)", "t:1: calling 'encode' on bad self (expected 1 argument)"),
        ("cjson.encode(print)", "t:1: Cannot serialise function: type not supported"),
        ("cjson.encode({[true] = 1})", "t:1: Cannot serialise boolean: table key must be a number or string"),
        ("cjson.encode({[11] = 1})", "t:1: Cannot serialise table: excessively sparse array"),
        ("cjson.encode({[1/0] = 1})", "t:1: Cannot serialise number: must not be NaN or Inf"),
        ("return select(2, pcall(cjson.encode, 0/0))", "Cannot serialise number: must not be NaN or Inf"),
    ];
    for (code, text) in cases {
        assert_eq!(run(code), text, "{code}");
    }
}

#[test]
fn documents_are_decoded_as_in_redis() {
    let cases = [
        ("12", "12"),
        (" \\t\\r\\n1 ", "1"),
        ("[1]\\0x", "table: "),
        ("007", "7"),
        ("+0x1F", "31"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("0x1p4", "16"),
        ("1e999", "inf"),
        ("-Infinity", "-inf"),
        ("NaN(abc)", "nan"),
        (r#""a\\u20ac\\ud83d\\ude00\\/\\b""#, "a\u{20ac}\u{1f600}/\u{8}"),
        ("null", "userdata: "),
    ];
    for (text, value) in cases {
        let answer = run(&format!("return cjson.decode('{text}')"));
        assert!(answer.starts_with(value), "{text}: {answer}");
    }
    assert_eq!(run(r#"return cjson.decode('{"a":1,"a":[2,{"b":null}]}').a[2].b == cjson.null"#), "true");
    assert_eq!(run("return cjson.encode(cjson.decode('[[],{},[{\"a\":[]}],null,false]'))"), {
        r#"[{},{},[{"a":{}}],null,false]"#
    });
}

#[test]
fn documents_with_faults_are_errors_with_their_place() {
    let cases = [
        ("", "Expected value but found T_END at character 1"),
        ("[1,]", "Expected value but found T_ARR_END at character 4"),
        ("{\"a\"}", "Expected colon but found T_OBJ_END at character 5"),
        ("{1:1}", "Expected object key string but found T_NUMBER at character 2"),
        ("{\"a\":1,}", "Expected object key string but found T_OBJ_END at character 8"),
        ("{\"a\":1 \"b\"}", "Expected comma or object end but found T_STRING at character 8"),
        ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
        ("1 2", "Expected the end but found T_NUMBER at character 3"),
        ("truex", "Expected the end but found invalid token at character 5"),
        ("- 5", "Expected value but found invalid number at character 1"),
        ("\"abc", "Expected value but found unexpected end of string at character 5"),
        (r#""a\\x""#, "Expected value but found invalid escape code at character 3"),
        (r#""a\\ud800x""#, "Expected value but found invalid unicode escape code at character 3"),
        ("\\0a", "JSON parser does not support UTF-16 or UTF-32"),
    ];
    for (text, error) in cases {
        let answer = run(&format!("return cjson.decode('{text}')"));
        assert_eq!(answer, format!("t:1: {error}"), "{text}");
    }
}

#[test]
fn settings_stay_and_belong_to_their_library() {
    let cases = [
        ("cjson.encode_max_depth(2^33 + 5) return cjson.encode_max_depth()", "5"),
        ("cjson.new().encode_max_depth(5) return cjson.encode_max_depth()", "1000"),
        ("cjson.encode_number_precision(3) return cjson.encode(1/3)", "0.333"),
        ("cjson.encode_invalid_numbers(true) return cjson.encode({1/0, -1/0, 0/0})", "[inf,-inf,nan]"),
        ("cjson.encode_invalid_numbers('null') return cjson.encode({1/0})", "[null]"),
        ("cjson.encode_sparse_array(true) return cjson.encode({[11] = 1})", r#"{"11":1}"#),
        (
            "cjson.decode_invalid_numbers(false) cjson.decode('0x1')",
            "t:1: Expected value but found invalid number at character 1",
        ),
        (
            "local a = cjson.encode_sparse_array(nil, 2, -1)",
            "t:1: bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)",
        ),
        ("cjson.encode_keep_buffer('x')", "t:1: bad argument #1 to 'encode_keep_buffer' (invalid option 'x')"),
        ("cjson.decode_max_depth(1, 2)", "t:1: bad argument #2 to 'decode_max_depth' (found too many arguments)"),
    ];
    for (code, answer) in cases {
        assert_eq!(run(code), answer, "{code}");
    }
}

#[test]
fn depth_ends_at_the_setting_and_then_at_lua_s_stack() {
    let cases = [
        ("cjson.decode(('['):rep(1001))", "Found too many nested data structures (1001) at character 1001"),
        ("local t = {} for i = 1, 1000 do t = {t} end cjson.encode(t)", "Cannot serialise, excessive nesting (1001)"),
        (
            "cjson.decode_max_depth(2^30) cjson.decode(('['):rep(1e5))",
            "Found too many nested data structures (7999) at character 7999",
        ),
        (
            "cjson.decode_max_depth(2^30) cjson.decode(('{\"a\":'):rep(1e5))",
            "Found too many nested data structures (4000) at character 19996",
        ),
        (
            "cjson.encode_max_depth(2^30) local t = {} for i = 1, 1e5 do t = {t} end cjson.encode(t)",
            "Cannot serialise, excessive nesting (7998)",
        ),
        (
            "cjson.encode_max_depth(2^30) local t = {} for i = 1, 1e5 do t = {a = t} end cjson.encode(t)",
            "Cannot serialise, excessive nesting (4000)",
        ),
    ];
    for (code, error) in cases {
        assert_eq!(run(code), format!("t:1: {error}"), "{code}");
    }
}
