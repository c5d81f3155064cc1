//! Files of all shapes, written, read, converted, cut and changed.

use super::*;
use crate::base::intset::Width;

/// A piece of its own.
fn owned(event: &Event<'_>) -> String {
    match event {
        Event::Part(Part::Packed(packed)) => format!("Packed {:?}", packed.iter().collect::<Vec<_>>()),
        Event::Part(Part::Entries { first, node }) => {
            format!("Entries {first:?} {:?}", node.iter().collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}

fn pieces(file: &[u8]) -> Result<Vec<String>, Error> {
    let mut reader = Reader::new(file)?;
    let mut pieces = Vec::new();
    loop {
        let event = reader.next()?;
        pieces.push(owned(&event));
        if matches!(event, Event::End { .. }) {
            return Ok(pieces);
        }
    }
}

fn options(version: Version) -> Options {
    Options { version, compress: true, checksum: true }
}

/// Elements as a listpack has them.
fn listpack(elements: &[Text<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    elements.iter().for_each(|element| packed::push(&mut bytes, *element));
    bytes
}

fn text(text: &str) -> Text<'_> {
    Text::of(text.as_bytes())
}

/// A file with every shape of value that this version has.
fn everything(version: Version) -> Vec<u8> {
    let long = "a long string that is worth compressing, for it is long, long, long, long, long, long".repeat(9);
    let pairs = listpack(&[text("field"), Text::Int(-7), text(&long), text("")]);
    let scored = listpack(&[text("member"), text("1.5"), text("other"), Text::Int(3)]);
    let node = listpack(&[1, 0, 1].map(Text::Int));
    let numbers: Vec<u8> = [-70_000_i32, 5, 1 << 20].iter().flat_map(|number| number.to_le_bytes()).collect();
    let key = |name: &'static str, kind, shape| Key::new(name.as_bytes(), kind, shape);
    let field = |field, value, expires_ms| Part::Field { field, value, expires_ms };
    let id = |ms, seq| StreamId { ms, seq };
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, options(version));
    let mut write = |events: &[Event<'_>]| events.iter().for_each(|event| writer.write(event).unwrap());
    let mut value = |key: Key<'_>, parts: &[Part<'_>]| {
        write(&[Event::Key(key)]);
        parts.iter().for_each(|part| write(&[Event::Part(*part)]));
        write(&[Event::KeyEnd]);
    };
    for number in [0, 127, -128, 32_767, -32_768, 1 << 30, i64::from(i32::MIN), i64::MAX, i64::MIN] {
        value(key("number", Kind::String, Shape::String), &[Part::String(Text::Int(number))]);
    }
    let expiring = Key { expires_ms: Some(1), idle_s: Some(70_000), ..key("expiring", Kind::String, Shape::String) };
    value(expiring, &[Part::String(text(&long))]);
    let often = Key { frequency: Some(255), ..key("often", Kind::String, Shape::String) };
    value(often, &[Part::String(text("short"))]);
    let elements = [Part::Element(text("one")), Part::Element(Text::Int(2)), Part::Element(text(&long))];
    value(key("list", Kind::List, Shape::Elements(3)), &elements);
    value(key("set", Kind::Set, Shape::Elements(3)), &elements);
    let intset = Packed::intset(Width::Four, &numbers);
    value(key("intset", Kind::Set, Shape::Packed), &[Part::Packed(intset)]);
    let scores = [f64::INFINITY, f64::NEG_INFINITY, 0.1, -0.0];
    let members = scores.map(|score| Part::Scored { member: text(&long), score });
    value(key("zset", Kind::Zset, Shape::Elements(4)), &members);
    let fields = [field(text("a"), Text::Int(1), None), field(Text::Int(9), text(&long), None)];
    value(key("hash", Kind::Hash, Shape::Elements(2)), &fields);
    let small = Packed::listpack(&pairs, 4);
    let nodes = [Part::Packed(small), Part::Packed(small)];
    value(key("nodes", Kind::List, Shape::Nodes(2)), &nodes);
    value(key("small hash", Kind::Hash, Shape::Packed), &[Part::Packed(small)]);
    value(key("small zset", Kind::Zset, Shape::Packed), &[Part::Packed(Packed::listpack(&scored, 4))]);
    if version >= Version::V10 {
        let large = [Part::Packed(small), Part::Element(text(&long))];
        value(key("large element", Kind::List, Shape::Nodes(2)), &large);
        let state = StreamState {
            length: 1,
            last_id: id(u64::MAX, 7),
            first_id: Some(id(1, 2)),
            max_deleted_id: id(0, 1),
            added: 1 << 40,
            groups: 2,
        };
        let group = |name, entries_read, pending| Part::Group { name, last_id: id(3, 3), entries_read, pending };
        let consumer = |name, active_ms, pending| Part::Consumer { name, seen_ms: 12, active_ms, pending };
        let active = if version >= Version::V11 { None } else { Some(12) };
        let parts = [
            Part::Entries { first: id(1, 2), node: Packed::listpack(&node, 3) },
            Part::StreamState(state),
            group(b"first", Some(1), 1),
            Part::Pending { id: id(1, 2), delivered_ms: 99, deliveries: 1000 },
            Part::Consumers(2),
            consumer(b"one", active, 1),
            Part::Owned(id(1, 2)),
            consumer(b"two", Some(12), 0),
            group(b"second", None, 0),
            Part::Consumers(0),
        ];
        value(key("stream", Kind::Stream, Shape::Stream(1)), &parts);
    }
    if version >= Version::V11 {
        value(key("small set", Kind::Set, Shape::Packed), &[Part::Packed(small)]);
    }
    if version >= Version::V12 {
        let timed = Key { fields_expire_from_ms: Some(1000), ..key("timed", Kind::Hash, Shape::Elements(2)) };
        let fields = [field(text("a"), Text::Int(1), Some(1000)), field(text("b"), text(&long), None)];
        value(timed, &fields);
        // In the order of their times, as in the file.
        value(Key { name: b"small timed", shape: Shape::Packed, ..timed }, &fields);
    }
    write(&[Event::End { checked: true }]);
    file
}

fn convert(file: &[u8], version: Version) -> Result<Vec<u8>, WriteError> {
    let mut converted = Vec::new();
    let mut reader = Reader::new(file).expect("it is a file");
    let mut writer = Writer::new(&mut converted, options(version));
    loop {
        let event = reader.next().expect("it is sound");
        writer.write(&event)?;
        if matches!(event, Event::End { .. }) {
            return Ok(converted);
        }
    }
}

const WRITABLE: [Version; 4] = [Version::V9, Version::V10, Version::V11, Version::V12];

#[test]
fn what_is_written_is_read_again() {
    for version in WRITABLE {
        let file = everything(version);
        let read = pieces(&file).unwrap();
        assert_eq!(convert(&file, version).unwrap(), file, "version {version}");
        assert_eq!(read.last().map(String::as_str), Some("End { checked: true }"));
        let newer = convert(&file, Version::V12).unwrap();
        assert_eq!(pieces(&newer).unwrap(), read, "version {version} as 12");
    }
}

#[test]
fn what_a_version_cannot_express_is_named() {
    let refused = convert(&everything(Version::V12), Version::V11).unwrap_err();
    assert_eq!(refused.to_string(), "RDB version 11 cannot express expiry times of the fields of a hash");
    let older = convert(&everything(Version::V11), Version::V9).unwrap();
    assert!(pieces(&older).is_ok());
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    let file = everything(Version::V12);
    for len in 0..file.len() {
        let error = pieces(&file[..len]).unwrap_err();
        assert!(matches!(error.fault, Fault::Truncated | Fault::NotRdb), "{len}: {error}");
        assert!(error.offset as usize <= len, "{len}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut file = everything(Version::V12);
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(pieces(&file).is_err(), "bit {bit}");
        file[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_length_that_no_bytes_follow_takes_no_memory() {
    for claimed in [&b"\x81\x00\x00\x00\xff\xff\xff\xff\xff"[..], b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"] {
        let file = [b"REDIS0009\x00", claimed].concat();
        assert!(pieces(&file).is_err());
        let compressed = [b"REDIS0009\x00\xc3\x01", claimed, b"x"].concat();
        assert!(pieces(&compressed).is_err());
    }
}

#[test]
fn files_that_are_none_are_told_apart() {
    let fault = |file: &[u8]| pieces(file).unwrap_err().to_string();
    let none = "at byte 0: this is no RDB file: it does not begin with REDIS or VALKEY and a version";
    assert_eq!(
        (fault(b""), fault(b"*3\r\n$3\r\nSET\r\n"), fault(b"REDIS00x9")),
        (none.into(), none.into(), none.into())
    );
    assert_eq!(fault(b"REDIS0099\xff"), "at byte 0: RDB version 99 is not known");
    assert_eq!(fault(b"REDIS0003\x1f\x01a\xff"), "at byte 10: values of type 31 are not known");
    assert_eq!(fault(b"REDIS0003\xff\x00"), "at byte 10: bytes behind the end");
    let marked = |digits: usize| pieces(&[b"REDIS0003\xff", &"0f".repeat(20).as_bytes()[..digits]].concat());
    assert!(marked(40).is_ok() && marked(39).is_err() && marked(38).is_err());
    assert!(fault(b"REDIS0005\xff\x01\x02\x03\x04\x05\x06\x07\x08").contains("the checksum is 0807060504030201"));
}

#[test]
fn data_of_modules_are_refused_by_name_or_left_out() {
    // "hellotype", version 0; an integer, a string, a float; then a key.
    let id = b"hellotype".iter().fold(0_u64, |id, character| {
        let digit =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".iter().position(|c| c == character);
        id << 6 | digit.unwrap() as u64
    }) << 10;
    let bytes: Vec<u8> = (0..8).rev().map(|byte| (id >> (byte * 8)) as u8).collect();
    let data = b"\x02\x07\x05\x03abc\x03\x00\x00\x00\x00\x00";
    let file = [b"REDIS0003\x07\x03key\x81", &bytes[..], data, b"\x00\x01k\x01v\xff"].concat();
    let error = pieces(&file).unwrap_err();
    assert!(matches!(&error.fault, Fault::Module(name) if name == "hellotype"), "{error}");
    let mut reader = Reader::new(&file[..]).unwrap().skip_modules();
    assert_eq!(reader.next().unwrap(), Event::SkippedModule { key: Some(b"key"), module: *b"hellotype" });
    assert!(matches!(reader.next().unwrap(), Event::Key(Key { name: b"k", .. })));
}

#[test]
fn a_payload_names_the_lowest_version_that_has_its_form() {
    let dump = |kind, shape, part: Part<'_>| {
        let mut writer = Writer::of_dump(Version::V12, true);
        for event in [Event::Key(Key::new(b"", kind, shape)), Event::Part(part), Event::KeyEnd] {
            writer.write(&event).unwrap();
        }
        writer.into_dump()
    };
    let pairs = listpack(&[text("a"), Text::Int(1)]);
    let string = dump(Kind::String, Shape::String, Part::String(text("hello")));
    let hash = dump(Kind::Hash, Shape::Packed, Part::Packed(Packed::listpack(&pairs, 2)));
    let set = dump(Kind::Set, Shape::Packed, Part::Packed(Packed::listpack(&pairs, 2)));
    let version = |payload: &[u8]| payload[payload.len() - FOOTER];
    assert_eq!([&string, &hash, &set].map(|payload| version(payload)), [9, 10, 11]);
    for mut payload in [string, hash, set] {
        assert!(Reader::of_dump(&payload).is_some());
        for bit in 0..payload.len() * 8 {
            payload[bit / 8] ^= 1 << (bit % 8);
            assert!(Reader::of_dump(&payload).is_none(), "bit {bit}");
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        // In a file that would mean that there is none.
        let sum = payload.len() - size_of::<u64>();
        payload[sum..].fill(0);
        assert!(Reader::of_dump(&payload).is_none());
    }
}
