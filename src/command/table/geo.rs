//! Table rows: the commands on positions.

use super::super::spec::{
    ACCESS, Access, Begin, DENYOOM, Find, Group, KeySpec, MOVABLEKEYS, OW, READONLY, RO, RW, Spec, UPDATE, WRITE, acl,
    block, double, integer, key, one_of, string, word,
};
use crate::command::geo::{add, read, search};

/// Rows, by name.
pub static GEO: &[Spec] = &[
    Spec::new("geoadd", -5, Group::Geo, "3.2.0")
        .about("Adds places to a sorted set, with their positions as scores.", "O(log N) for each place")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("6.2.0"),
            word("change", "CH").optional().since("6.2.0"),
            block("data", &[double("longitude"), double("latitude"), string("member")]).multiple(),
        ])
        .history(&[("6.2.0", "CH, NX and XX")])
        .handler(add::geoadd),
    Spec::new("geodist", -4, Group::Geo, "3.2.0")
        .about("Gives the distance between two places.", "O(1)")
        .flags(&[READONLY])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("member1"),
            string("member2"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]).optional(),
        ])
        .handler(read::geodist),
    Spec::new("geohash", -2, Group::Geo, "3.2.0")
        .about("Gives the positions of places as geohash strings.", "O(1) for each place")
        .flags(&[READONLY])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member").optional().multiple()])
        .handler(read::geohash),
    Spec::new("geopos", -2, Group::Geo, "3.2.0")
        .about("Gives the positions of places as longitude and latitude.", "O(1) for each place")
        .flags(&[READONLY])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member").optional().multiple()])
        .handler(read::geopos),
    Spec::new("georadius", -6, Group::Geo, "3.2.0")
        .about(
            "Finds, or stores, the places within a distance of a position.",
            "O(N + log M) with N places in the box around the circle and M in the set",
        )
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(&[acl::GEO])
        .keys(&[
            KeySpec::one(1, &[RO, ACCESS]),
            KeySpec {
                access: Access::all(&[OW, UPDATE]),
                begin: Begin::Keyword("STORE", 6),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                notes: None,
            },
            KeySpec {
                access: Access::all(&[OW, UPDATE]),
                begin: Begin::Keyword("STOREDIST", 6),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                notes: None,
            },
        ])
        .finds_keys_by(search::find_keys)
        .args(&[
            key("key", 0),
            double("longitude"),
            double("latitude"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional().since("6.2.0")])
                .optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            one_of(
                "store",
                &[
                    key("storekey", 1).token("STORE").display("key"),
                    key("storedistkey", 2).token("STOREDIST").display("key"),
                ],
            )
            .optional(),
        ])
        .history(&[("6.2.0", "ANY behind COUNT"), ("7.0.0", "units in upper case")])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .handler(search::georadius),
    Spec::new("georadius_ro", -6, Group::Geo, "3.2.10")
        .about(
            "Finds the places within a distance of a position.",
            "O(N + log M) with N places in the box around the circle and M in the set",
        )
        .flags(&[READONLY])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            double("longitude"),
            double("latitude"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional().since("6.2.0")])
                .optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
        ])
        .history(&[("6.2.0", "ANY behind COUNT"), ("7.0.0", "units in upper case")])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .handler(search::georadius_ro),
    Spec::new("georadiusbymember", -5, Group::Geo, "3.2.0")
        .about(
            "Finds, or stores, the places within a distance of another one.",
            "O(N + log M) with N places in the box around the circle and M in the set",
        )
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(&[acl::GEO])
        .keys(&[
            KeySpec::one(1, &[RO, ACCESS]),
            KeySpec {
                access: Access::all(&[OW, UPDATE]),
                begin: Begin::Keyword("STORE", 5),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                notes: None,
            },
            KeySpec {
                access: Access::all(&[OW, UPDATE]),
                begin: Begin::Keyword("STOREDIST", 5),
                find: Find::Range { last: 0, step: 1, limit: 0 },
                notes: None,
            },
        ])
        .finds_keys_by(search::find_keys)
        .args(&[
            key("key", 0),
            string("member"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional()]).optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            one_of(
                "store",
                &[
                    key("storekey", 1).token("STORE").display("key"),
                    key("storedistkey", 2).token("STOREDIST").display("key"),
                ],
            )
            .optional(),
        ])
        .history(&[("6.2.0", "ANY behind COUNT"), ("7.0.0", "units in upper case")])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .handler(search::georadiusbymember),
    Spec::new("georadiusbymember_ro", -5, Group::Geo, "3.2.10")
        .about(
            "Finds the places within a distance of another one.",
            "O(N + log M) with N places in the box around the circle and M in the set",
        )
        .flags(&[READONLY])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("member"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional()]).optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
        ])
        .history(&[("6.2.0", "ANY behind COUNT"), ("7.0.0", "units in upper case")])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .handler(search::georadiusbymember_ro),
    Spec::new("geosearch", -7, Group::Geo, "6.2.0")
        .about(
            "Finds the places in a circle or a box.",
            "O(N + log M) with N places in the box around the shape and M in the set",
        )
        .flags(&[READONLY])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            one_of(
                "from",
                &[
                    string("member").token("FROMMEMBER"),
                    block("fromlonlat", &[double("longitude"), double("latitude")]).token("FROMLONLAT"),
                ],
            ),
            one_of(
                "by",
                &[
                    block(
                        "circle",
                        &[
                            double("radius").token("BYRADIUS"),
                            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
                        ],
                    ),
                    block(
                        "box",
                        &[
                            double("width").token("BYBOX"),
                            double("height"),
                            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
                        ],
                    ),
                ],
            ),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional()]).optional(),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
        ])
        .history(&[("7.0.0", "units in upper case")])
        .handler(search::geosearch),
    Spec::new("geosearchstore", -8, Group::Geo, "6.2.0")
        .about(
            "Stores the places in a circle or a box.",
            "O(N + log M) with N places in the box around the shape and M in the set",
        )
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::GEO])
        .keys(&[KeySpec::one(1, &[OW, UPDATE]), KeySpec::one(2, &[RO, ACCESS])])
        .args(&[
            key("destination", 0),
            key("source", 1),
            one_of(
                "from",
                &[
                    string("member").token("FROMMEMBER"),
                    block("fromlonlat", &[double("longitude"), double("latitude")]).token("FROMLONLAT"),
                ],
            ),
            one_of(
                "by",
                &[
                    block(
                        "circle",
                        &[
                            double("radius").token("BYRADIUS"),
                            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
                        ],
                    ),
                    block(
                        "box",
                        &[
                            double("width").token("BYBOX"),
                            double("height"),
                            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
                        ],
                    ),
                ],
            ),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            block("count-block", &[integer("count").token("COUNT"), word("any", "ANY").optional()]).optional(),
            word("storedist", "STOREDIST").optional(),
        ])
        .history(&[("7.0.0", "units in upper case")])
        .handler(search::geosearchstore),
];
