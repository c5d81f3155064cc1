//! Table rows: the bitmap commands.

use super::super::spec::{
    ACCESS, Arg, DENYOOM, FAST, Group, KeySpec, OW, READONLY, RO, RW, Spec, UPDATE, VARIABLE_FLAGS, WRITE, acl, block,
    integer, key, one_of, string, word,
};
use crate::command::{bitfield, bitmaps, bitop, key_positions};

/// `[BYTE | BIT]` behind a range.
const UNIT: Arg = one_of("unit", &[word("byte", "BYTE"), word("bit", "BIT")]).optional().since("7.0.0");

/// `GET type offset`
const GET: Arg = block("get-block", &[string("encoding"), integer("offset")]).token("GET");

/// Rows, by name.
pub static BITMAPS: &[Spec] = &[
    Spec::new("bitcount", -2, Group::Bitmap, "2.6.0")
        .about("Counts the bits that are set in a string, or in a range of it.", "O(N)")
        .flags(&[READONLY])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), block("range", &[integer("start"), integer("end"), UNIT]).optional()])
        .history(&[("7.0.0", "BYTE and BIT")])
        .handler(bitmaps::bitcount),
    Spec::new("bitfield", -2, Group::Bitmap, "3.2.0")
        .about("Reads and changes integers of any width within a string.", "O(1) for each subcommand specified")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])
            .notes("This command allows both access and modification of the key")])
        .finds_keys_by(key_positions::bitfield)
        .args(&[
            key("key", 0),
            one_of(
                "operation",
                &[
                    GET,
                    block(
                        "write",
                        &[
                            one_of("overflow-block", &[word("wrap", "WRAP"), word("sat", "SAT"), word("fail", "FAIL")])
                                .token("OVERFLOW")
                                .optional(),
                            one_of(
                                "write-operation",
                                &[
                                    block("set-block", &[string("encoding"), integer("offset"), integer("value")])
                                        .token("SET"),
                                    block(
                                        "incrby-block",
                                        &[string("encoding"), integer("offset"), integer("increment")],
                                    )
                                    .token("INCRBY"),
                                ],
                            ),
                        ],
                    ),
                ],
            )
            .optional()
            .multiple(),
        ])
        .handler(bitfield::bitfield),
    Spec::new("bitfield_ro", -2, Group::Bitmap, "6.0.0")
        .about("Reads integers of any width within a string.", "O(1) for each subcommand specified")
        .flags(&[READONLY, FAST])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), GET.optional().multiple_token()])
        .handler(bitfield::bitfield_ro),
    Spec::new("bitop", -4, Group::Bitmap, "2.6.0")
        .about("Combines strings bit by bit and stores the result.", "O(N)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(2, &[OW, UPDATE]), KeySpec::range(3, -1, 1, &[RO, ACCESS])])
        .args(&[
            one_of(
                "operation",
                &[
                    word("and", "AND"),
                    word("or", "OR"),
                    word("xor", "XOR"),
                    word("not", "NOT"),
                    word("diff", "DIFF"),
                    word("diff1", "DIFF1"),
                    word("andor", "ANDOR"),
                    word("one", "ONE"),
                ],
            ),
            key("destkey", 0),
            key("key", 1).multiple(),
        ])
        .handler(bitop::bitop),
    Spec::new("bitpos", -3, Group::Bitmap, "2.8.7")
        .about("Finds the first bit that is set, or that is not, in a string or in a range of it.", "O(N)")
        .flags(&[READONLY])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            integer("bit"),
            block("range", &[integer("start"), block("end-unit-block", &[integer("end"), UNIT]).optional()]).optional(),
        ])
        .history(&[("7.0.0", "BYTE and BIT")])
        .handler(bitmaps::bitpos),
    Spec::new("getbit", 3, Group::Bitmap, "2.2.0")
        .about("Gives one bit of a string.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("offset")])
        .handler(bitmaps::getbit),
    Spec::new("setbit", 4, Group::Bitmap, "2.2.0")
        .about("Sets or clears one bit of a string, which grows as needed.", "O(1)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::BITMAP])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), integer("offset"), integer("value")])
        .handler(bitmaps::setbit),
];
