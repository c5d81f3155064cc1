use mlua::Lua;

use super::open;

/// Runs code, and answers the values in which strings are hexadecimal.
fn run(code: &str) -> String {
    const SHOW: &str = "local function show(...) local t = {...} for i = 1, select('#', ...) do \
        if type(t[i]) == 'string' then t[i] = \"'\" .. t[i]:gsub('.', function(c) return ('%02x'):format(c:byte()) end) \
        else t[i] = tostring(t[i]) end end return table.concat(t, ' ') end ";
    let lua = Lua::new();
    lua.globals().set("struct", open(&lua).unwrap()).unwrap();
    let code = format!("{SHOW}local ok, x = pcall(function() local x = show({code}) return x end) return tostring(x)");
    lua.load(code).set_name("=t").eval().unwrap()
}

#[test]
fn values_are_packed_as_in_redis() {
    let cases = [
        ("'bBhHi', -1, 255, -2, 65535, -3", "'fffffefffffffdffffff"),
        ("'>hHifs', -2, 1, -4, 1.5, 'abc'", "'fffe0001fffffffc3fc0000061626300"),
        ("'i3>i5', 1, -2", "'010000fffffffffe"),
        ("'i16', -2", "'feffffffffffffff0000000000000000"),
        ("'>i16', -2", "'0000000000000000fffffffffffffffe"),
        ("'I8', 2^63 + 2^62", "'00000000000000c0"),
        ("'I8', 2^64", "'0000000000000000"),
        ("'i8', -2^64", "'0000000000000080"),
        ("'i8', 0/0", "'0000000000000080"),
        ("'b', 300", "'2c"),
        ("'c5', 'abcdefgh'", "'6162636465"),
        ("'c0xs', 'ab', 5", "'6162003500"),
        ("'!bi', 1, 2", "'0100000002000000"),
        ("'!8 b i3', 1, 2", "'010000020000"),
        ("'!2 b i16', 1, 2", "'010002000000000000000000000000000000"),
        ("'i0', 1", "'"),
    ];
    for (arguments, bytes) in cases {
        assert_eq!(run(&format!("struct.pack({arguments})")), bytes, "{arguments}");
    }
}

#[test]
fn values_are_unpacked_as_in_redis() {
    let cases = [
        (r"'i', '\1\2\3\4'", "67305985 5"),
        (r"'i', '\1\2\3\4\5', 2", "84148994 6"),
        (r"'>I3h', '\1\2\3\4\5'", "66051 1029 6"),
        (r"'ss', 'abc\0d\0'", "'616263 '64 7"),
        (r"'bc0', '\2abc'", "'6162 4"),
        (r"'sc0', '1\0bc'", "'62 4"),
        (r"'i3I3', ('\255'):rep(6)", "-1 16777215 7"),
        (r"'i16', ('\255'):rep(16)", "-1 17"),
        (r"'i0', 'abc'", "0 1"),
        (r"'!8 b c5 i', 'abcdefghijklmnopq'", "97 '6263646566 1818978921 13"),
        (r"'', 'abc'", "1"),
    ];
    for (arguments, values) in cases {
        assert_eq!(run(&format!("struct.unpack({arguments})")), values, "{arguments}");
    }
}

#[test]
fn sizes_are_those_of_redis() {
    let cases = [("bhilT", "23"), ("!bhilT", "24"), ("y", "0"), ("c10x", "11"), ("c2147483647i", "2147483651")];
    for (format, size) in cases {
        assert_eq!(run(&format!("struct.size('{format}')")), size, "{format}");
    }
}

#[test]
fn faults_have_the_texts_of_redis() {
    let cases = [
        ("struct.pack('i')", "bad argument #2 to 'pack' (number expected, got nil)"),
        ("struct.pack('c5', 'abc')", "bad argument #3 to 'pack' (string too short)"),
        ("struct.pack('y', 1)", "bad argument #1 to 'pack' (invalid format option 'y')"),
        ("struct.pack('!3bi', 1, 2)", "alignment 3 is not a power of 2"),
        ("struct.pack('i33', 1)", "integral size 33 is larger than limit of 32"),
        ("struct.pack('i99999999999', 1)", "integral size overflow"),
        ("struct.size('c0')", "bad argument #1 to 'size' (option 'c0' has no fixed size)"),
        ("struct.size('s')", "bad argument #1 to 'size' (option 's' has no fixed size)"),
        ("struct.unpack('i', 'abc')", "bad argument #2 to 'unpack' (data string too short)"),
        ("struct.unpack('i', 'abcdef', 0)", "bad argument #3 to 'unpack' (offset must be 1 or greater)"),
        ("struct.unpack('i', 'abcdef', -1)", "bad argument #2 to 'unpack' (data string too short)"),
        ("struct.unpack('c0', 'abc')", "format 'c0' needs a previous size"),
        ("struct.unpack('s', 'abc')", "unfinished string in data"),
        ("struct.unpack(('b'):rep(1e4), ('b'):rep(1e4))", "stack overflow (too many results)"),
    ];
    for (code, error) in cases {
        assert_eq!(run(code), format!("t:1: {error}"), "{code}");
    }
}
