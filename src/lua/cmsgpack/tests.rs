use mlua::Lua;

use super::open;

/// Runs code, and answers its string in hexadecimal, or what else it answers as text.
fn run(code: &str) -> String {
    const HEX: &str =
        "local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end ";
    const SHOW: &str = "local function show(...) local t = {...} for i = 1, select('#', ...) do t[i] = tostring(t[i]) end \
                        return table.concat(t, ' ') end ";
    let lua = Lua::new();
    lua.globals().set("cmsgpack", open(&lua).unwrap()).unwrap();
    let code = format!("{HEX}{SHOW}local ok, x = pcall(function() local x = {code} return x end) return tostring(x)");
    lua.load(code).set_name("=t").eval().unwrap()
}

#[test]
fn values_are_packed_as_in_redis() {
    let cases = [
        ("nil, true, false, 1, -1, 127, 128", "c0c3c201ff7fcc80"),
        ("255, 256, 65535, 65536, 4294967295, 4294967296", "ccffcd0100cdffffce00010000ceffffffffcf0000000100000000"),
        ("-32, -33, -128, -129, -32768, -32769", "e0d0dfd080d1ff7fd18000d2ffff7fff"),
        ("-2147483648, -2147483649", "d280000000d3ffffffff7fffffff"),
        ("2^53, 2^63, -2^63, 1.5, 0.1", "cf0020000000000000ca5f000000d38000000000000000ca3fc00000cb3fb999999999999a"),
        ("1/0, -1/0, -0, 1e-40", "ca7f800000caff80000000cb37a16c262777579c"),
        ("{}, {1, 2}, {a = 1}, {[2] = 1}, {[1.5] = 1}", "9092010281a161018102018 1ca3fc0000001"),
        ("{['1'] = 'a'}, {[{}] = true}", "81a131a1618190c3"),
        ("function() end, '', 'abc'", "c0a0a3616263"),
    ];
    for (values, bytes) in cases {
        assert_eq!(run(&format!("hex(cmsgpack.pack({values}))")), bytes.replace(' ', ""), "{values}");
    }
    let lengths = [(31, "bf78"), (32, "d92078"), (256, "da010078"), (65536, "db0001000078")];
    for (length, bytes) in lengths {
        let start = bytes.len() / 2;
        assert_eq!(run(&format!("hex(cmsgpack.pack(('x'):rep({length})):sub(1, {start}))")), bytes);
    }
    let deep = "(function() local t = {} for i = 1, 20 do t = {t} end return hex(cmsgpack.pack(t)) end)()";
    assert_eq!(run(deep), format!("{}c0", "91".repeat(16)));
}

#[test]
fn values_are_unpacked_as_in_redis() {
    let cases = [
        (r"show(cmsgpack.unpack('\1\2'))", "1 2"),
        (r"show(cmsgpack.unpack(12))", "49 50"),
        (r"show(cmsgpack.unpack(''))", ""),
        (r"show(cmsgpack.unpack_limit('\1\2\3', 1))", "1 1"),
        (r"show(cmsgpack.unpack_limit('\1\2\3', 2, 1))", "-1 2 3"),
        (r"show(cmsgpack.unpack_limit('\1\2\3', 0, 1))", "1"),
        (r"show(cmsgpack.unpack_one('\1\2\3', 1))", "2 2"),
        (r"show(cmsgpack.unpack_one('\1\2\3', 3))", "-1"),
        (r"show(cmsgpack.unpack('\217\2ab\218\0\1c\219\0\0\0\1d'))", "ab c d"),
        (r"show(cmsgpack.unpack('\207\255\255\255\255\255\255\255\255'))", "-1"),
        (r"show(cmsgpack.unpack('\202\63\192\0\0\203\63\240\0\0\0\0\0\0\208\255\209\255\254'))", "1.5 1 -1 -2"),
        (r"show(cmsgpack.unpack('\147\1\129\161a\146\2\3\192')[2].a[2])", "3"),
    ];
    for (code, values) in cases {
        assert_eq!(run(code), values, "{code}");
    }
}

#[test]
fn what_cannot_be_unpacked_is_an_error() {
    let overflow = "t:1: stack overflow";
    let many = "too many return values at once; use unpack_one or unpack_limit instead.";
    let cases = [
        ("cmsgpack.pack()", "t:1: bad argument #0 to 'pack' (MessagePack pack needs input.)".to_owned()),
        ("cmsgpack.unpack()", "t:1: bad argument #1 to 'unpack' (string expected, got no value)".to_owned()),
        (
            "cmsgpack.unpack_limit('a', 'x')",
            "t:1: bad argument #2 to 'unpack_limit' (number expected, got string)".to_owned(),
        ),
        (r"cmsgpack.unpack_one('abc', 4)", "t:1: Start offset 4 greater than input length 3.".to_owned()),
        (
            r"cmsgpack.unpack_limit('abc', -1)",
            "t:1: Invalid request to unpack with offset of 0 and limit of 3.".to_owned(),
        ),
        (r"cmsgpack.unpack('\193')", "t:1: Bad data format in input.".to_owned()),
        (r"cmsgpack.unpack('\145')", "t:1: Missing bytes in input.".to_owned()),
        (r"cmsgpack.unpack('\221\255\255\255\255\1')", "t:1: Missing bytes in input.".to_owned()),
        (r"cmsgpack.unpack('\219\255\255\255\255a')", "t:1: Missing bytes in input.".to_owned()),
        (r"cmsgpack.unpack('\129\192\1')", "table index is nil".to_owned()),
        (r"cmsgpack.unpack('\129\202\127\192\0\0\1')", "table index is NaN".to_owned()),
        (r"cmsgpack.unpack(('\145'):rep(4000) .. '\1')", format!("{overflow} (in function mp_decode_to_lua_array)")),
        (r"cmsgpack.unpack(('\129\1'):rep(4000) .. '\1')", format!("{overflow} ({many})")),
        (r"cmsgpack.unpack(('\1'):rep(8000))", format!("{overflow} ({many})")),
    ];
    for (code, error) in cases {
        assert_eq!(run(code), error, "{code}");
    }
    assert_eq!(run(r"type(cmsgpack.unpack(('\145'):rep(3999) .. '\1'))"), "table");
    assert_eq!(run(r"select('#', cmsgpack.unpack(('\161a'):rep(7000)))"), "7000");
    assert_eq!(run(r"select('#', cmsgpack.unpack(('\1'):rep(7000)))"), "7000");
}
