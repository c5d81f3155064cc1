//! Tests of the commands on positions. The expected replies are Redis'.

use crate::command::harness::Harness;

fn sicily() -> Harness {
    let mut server = Harness::new();
    server.run("GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    server
}

#[test]
fn places_have_positions_distances_and_geohashes() {
    let mut server = sicily();
    for (line, reply) in [
        ("GEODIST Sicily Palermo Catania", "$11 166274.1516"),
        ("GEODIST Sicily Palermo Catania KM", "$8 166.2742"),
        ("GEODIST Sicily Palermo none", "$-1"),
        ("GEODIST Sicily Palermo Catania foo", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEOHASH Sicily Palermo none", "*2 $11 sqc8b49rny0 $-1"),
        ("GEOPOS Sicily Palermo none", "*2 *2 $20 13.36138933897018433 $20 38.11555639549629859 *-1"),
        ("GEOADD Sicily 181 0 x", "-ERR invalid longitude,latitude pair 181.000000,0.000000"),
        ("GEOADD Sicily NX XX 1 0 a", "-ERR syntax error"),
        ("GEOADD Sicily XX CH 13.3614 38.1156 Palermo", ":1"),
        ("GEOADD Sicily NX CH 1 1 Palermo 2 2 b", ":1"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    let effects = server.effects();
    assert!(
        effects.starts_with("SELECT 0 | ZADD Sicily 3479099956230698 Palermo 3479447370796909 Catania |"),
        "{effects}"
    );
}

#[test]
fn halves_of_the_last_digit_of_a_distance_go_to_the_even_one() {
    let mut server = Harness::new();
    server.run("GEOADD g -179.370934214 -15.578692157 a 14.719183561 36.614024564 b");
    assert_eq!(server.run("GEODIST g a b"), "$13 17297780.3792");
}

#[test]
fn places_are_found_in_circles_and_boxes() {
    let mut server = sicily();
    for (line, reply) in [
        (
            "GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km WITHDIST WITHCOORD WITHHASH",
            "*2 *4 $7 Palermo $8 190.4424 :3479099956230698 *2 $20 13.36138933897018433 $20 38.11555639549629859 \
             *4 $7 Catania $7 56.4413 :3479447370796909 *2 $20 15.08726745843887329 $20 37.50266842333162032",
        ),
        ("GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC", "*2 $7 Catania $7 Palermo"),
        ("GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 0 km", "*1 $7 Palermo"),
        ("GEORADIUS Sicily 15 37 200 km COUNT 1 ANY DESC", "*1 $7 Palermo"),
        ("GEORADIUS_RO Sicily 15 37 200 km COUNT 1", "*1 $7 Catania"),
        ("GEORADIUSBYMEMBER Sicily Palermo 200 km", "*2 $7 Palermo $7 Catania"),
        ("GEORADIUSBYMEMBER_RO none x foo bar", "*0"),
        ("GEOSEARCH Sicily FROMMEMBER none BYRADIUS 1 km", "-ERR could not decode requested zset member"),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 BYRADIUS 1 km ANY", "-ERR the ANY argument requires COUNT argument"),
        (
            "geosearch Sicily ASC DESC ASC DESC ASC",
            "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch",
        ),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 BYRADIUS 1 km BYBOX 1 1 km", "-ERR syntax error"),
        ("GEORADIUS_RO Sicily 15 37 200 km STORE d", "-ERR syntax error"),
        ("GEORADIUS Sicily 15 37 -1 km", "-ERR radius cannot be negative"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
}

#[test]
fn what_is_found_is_stored_and_logged_with_its_scores() {
    let mut server = sicily();
    server.effects();
    for (line, reply) in [
        ("GEOSEARCHSTORE d Sicily FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST", ":2"),
        ("ZRANGE d 0 -1 WITHSCORES", "*4 $7 Catania $16 56.4412578701582 $7 Palermo $18 190.44242984775784"),
        ("GEORADIUS Sicily 15 37 100 km STORE d", ":1"),
        ("GEORADIUS Sicily 0 0 1 km STORE d", ":0"),
        ("EXISTS d", ":0"),
        ("GEOSEARCHSTORE d none FROMMEMBER x BYRADIUS 1 km", ":0"),
        (
            "GEOSEARCHSTORE d Sicily FROMLONLAT 15 37 BYRADIUS 200 km WITHDIST",
            "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        ),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    let effects = server.effects();
    assert!(effects.contains("ZADD d 56.4412578701582 Catania 190.44242984775784 Palermo"), "{effects}");
    assert!(effects.ends_with("DEL d"), "{effects}");
}
