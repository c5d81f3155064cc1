//! Tests of the commands on sorted sets.

use crate::command::harness::Harness;

/// Runs each line and compares its reply, if one is given.
fn check(server: &mut Harness, lines: &[(&str, &str)]) {
    for (line, reply) in lines {
        let found = server.run(line);
        assert!(reply.is_empty() || found == *reply, "{line}: {found}");
    }
}

#[test]
fn members_are_added_under_conditions() {
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("ZADD z 1 a 2 b 1.5 c", ":3"),
            ("ZADD z 1 a 3 b", ":0"),
            ("ZADD z CH 1 a 2 b 0 d", ":2"),
            ("ZADD z XX 5 a 5 new", ":0"),
            ("ZADD z NX CH 9 a 4 e", ":1"),
            ("ZADD z GT CH 1 a 6 b", ":1"),
            ("ZADD z LT CH 9 a 1 b", ":1"),
            ("ZADD z INCR 2.5 a", "$3 7.5"),
            ("ZADD z NX INCR 2.5 a", "$-1"),
            ("ZADD z XX INCR 1 none", "$-1"),
            ("ZADD none XX 1 a", ":0"),
            ("ZINCRBY z -0.5 a", "$1 7"),
            ("ZINCRBY z inf i", "$3 inf"),
            ("ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)"),
            ("ZRANGE z 0 -1 WITHSCORES", "*12 $1 d $1 0 $1 b $1 1 $1 c $3 1.5 $1 e $1 4 $1 a $1 7 $1 i $3 inf"),
            ("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible"),
            ("ZADD z GT LT 1 a", "-ERR GT, LT, and/or NX options at the same time are not compatible"),
            ("ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair"),
            ("ZADD z 1 a 2", "-ERR syntax error"),
            ("ZADD z 1 a nan b", "-ERR value is not a valid float"),
            ("ZINCRBY z nx a", "-ERR syntax error"),
            ("EXISTS none", ":0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | ZADD z 1 a 2 b 1.5 c | ZADD z 1 a 3 b | ZADD z CH 1 a 2 b 0 d | ZADD z XX 5 a 5 new \
         | ZADD z NX CH 9 a 4 e | ZADD z GT CH 1 a 6 b | ZADD z LT CH 9 a 1 b | ZADD z INCR 2.5 a \
         | ZINCRBY z -0.5 a | ZINCRBY z inf i"
    );
}

/// The same questions in both representations.
fn in_both(lines: &[(&str, &str)]) {
    for entries in [128, 0] {
        let mut server = Harness::new();
        server.run(&format!("CONFIG SET zset-max-listpack-entries {entries}"));
        check(&mut server, lines);
    }
}

#[test]
fn ranges_are_given_by_rank_score_and_member_in_both_directions() {
    in_both(&[
        ("ZADD z 1 a 2 b 3 c 4 d", ":4"),
        ("ZRANGE z 1 -2", "*2 $1 b $1 c"),
        ("ZRANGE z 0 0 REV WITHSCORES", "*2 $1 d $1 4"),
        ("ZREVRANGE z -2 -1", "*2 $1 b $1 a"),
        ("ZRANGE z 3 1", "*0"),
        ("ZRANGE z (1 3 BYSCORE", "*2 $1 b $1 c"),
        ("ZRANGE z +inf (2 BYSCORE REV LIMIT 1 5", "*1 $1 c"),
        ("ZRANGEBYSCORE z -inf inf LIMIT 2 -1", "*2 $1 c $1 d"),
        ("ZRANGEBYSCORE z -inf inf LIMIT -1 1", "*0"),
        ("ZREVRANGEBYSCORE z 3 1 LIMIT 1 1 WITHSCORES", "*2 $1 b $1 2"),
        ("ZCOUNT z (1 (4", ":2"),
        ("ZCOUNT z 4 1", ":0"),
        ("ZRANK z c", ":2"),
        ("ZREVRANK z c WITHSCORE", "*2 :1 $1 3"),
        ("ZRANK z none", "$-1"),
        ("ZRANK z none WITHSCORE", "*-1"),
        ("ZMSCORE z a none", "*2 $1 1 $-1"),
        ("ZADD l 0 a 0 aa 0 b 0 c", ":4"),
        ("ZRANGEBYLEX l - +", "*4 $1 a $2 aa $1 b $1 c"),
        ("ZRANGEBYLEX l (a [b", "*2 $2 aa $1 b"),
        ("ZREVRANGEBYLEX l + (a LIMIT 1 2", "*2 $1 b $2 aa"),
        ("ZLEXCOUNT l + -", ":0"),
        ("ZLEXCOUNT l [aa (c", ":2"),
        ("ZREMRANGEBYLEX l [aa [b", ":2"),
        ("ZREMRANGEBYSCORE z (1 2", ":1"),
        ("ZREMRANGEBYRANK z 1 1", ":1"),
        ("ZRANGE z 0 -1", "*2 $1 a $1 d"),
        ("ZREMRANGEBYRANK z 0 -1", ":2"),
        ("EXISTS z", ":0"),
        ("ZRANGE z 0 -1 LIMIT 0 1", ""),
    ]);
}

#[test]
fn ranges_of_members_where_scores_differ_are_logged_as_what_they_hit() {
    let mut server = Harness::new();
    server.run("ZADD z 0 a 0 b 1 c");
    server.effects();
    server.run("ZREMRANGEBYLEX z [a [a");
    server.run("ZRANGESTORE d z - + BYLEX");
    server.run("ZRANGESTORE d z - + BYLEX");
    assert_eq!(server.effects(), "SELECT 0 | ZREM z a | ZADD d 0 b 1 c | MULTI | DEL d | ZADD d 0 b 1 c | EXEC");
}

#[test]
fn members_are_popped_from_both_ends() {
    in_both(&[
        ("ZADD z 1 a 2 b 3 c 4 d 5 e", ":5"),
        ("ZPOPMIN z", "*2 $1 a $1 1"),
        ("ZPOPMAX z 2", "*4 $1 e $1 5 $1 d $1 4"),
        ("ZPOPMIN z 0", "*0"),
        ("ZPOPMIN none 3", "*0"),
        ("ZMPOP 2 none z MAX", "*2 $1 z *1 *2 $1 c $1 3"),
        ("ZMPOP 2 none nil MIN COUNT 4", "*-1"),
        ("HELLO 3", ""),
        ("ZPOPMIN z 7", "*1 *2 $1 b ,2"),
        ("EXISTS z", ":0"),
        ("ZMPOP 1 z MIN COUNT 1 COUNT 1", "-ERR syntax error"),
        ("ZMPOP 3 z MIN", "-ERR syntax error"),
        ("ZPOPMIN z -1", "-ERR value is out of range, must be positive"),
    ]);
    let mut server = Harness::new();
    server.run("ZADD z 1 a 2 b 3 c");
    server.run("ZMPOP 2 none z MAX COUNT 9");
    assert_eq!(server.effects(), "SELECT 0 | ZADD z 1 a 2 b 3 c | ZPOPMAX z 3");
}

#[test]
fn who_waits_for_a_sorted_set_is_served_in_turn() {
    let mut server = Harness::new();
    server.run("ZADD z 1 a");
    assert_eq!(server.run("BZPOPMIN none z 0"), "*3 $1 z $1 a $1 1");
    let lines = ["BZPOPMAX z 0", "BZMPOP 0 2 y z MIN COUNT 2", "BZPOPMIN z 0.01", "BZPOPMIN z y 0"];
    let clients = lines.map(|line| {
        let client = server.connect();
        assert_eq!(server.run_as(client, line), "", "{line} waits");
        client
    });
    server.effects();
    server.run("ZADD z 1 b 2 c 3 d");
    server.sync();
    let mut received = |client: usize| String::from_utf8_lossy(&server.receive(clients[client])).replace("\r\n", " ");
    assert_eq!(received(0), "*3 $1 z $1 d $1 3 ");
    assert_eq!(received(1), "*2 $1 z *2 *2 $1 b $1 1 *2 $1 c $1 2 ");
    assert_eq!((received(2), received(3)), (String::new(), String::new()));
    server.clock.advance(std::time::Duration::from_millis(10));
    assert!(server.check(clients[2]) && !server.check(clients[3]));
    assert_eq!(server.receive(clients[2]), b"*-1\r\n");
    server.run("ZUNIONSTORE y 1 none");
    server.run("SET x v");
    server.run("GEOADD y 1 1 place");
    server.sync();
    assert!(server.receive(clients[3]).starts_with(b"*3\r\n$1\r\ny\r\n$5\r\nplace\r\n"));
    let effects = server.effects();
    assert!(effects.starts_with("SELECT 0 | ZADD z 1 b 2 c 3 d | ZPOPMAX z | ZPOPMIN z 2"), "{effects}");
    assert!(effects.ends_with("| ZPOPMIN y"), "{effects}");
    check(
        &mut server,
        &[
            ("MULTI", "+OK"),
            ("BZPOPMIN none 0", "+QUEUED"),
            ("BZMPOP 0 1 none MAX", "+QUEUED"),
            ("EXEC", "*2 *-1 *-1"),
            ("BZPOPMIN z -1", "-ERR timeout is negative"),
            ("BZMPOP x 1 z MIN", "-ERR timeout is not a float or out of range"),
            ("BZMPOP x 0 z MIN", "-ERR numkeys should be greater than 0"),
            ("BZPOPMIN x 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ],
    );
}

#[test]
fn sorted_sets_and_sets_are_combined() {
    in_both(&[
        ("ZADD z 1 a 2 b 3 c", ":3"),
        ("ZADD y 10 b inf c -inf d", ":3"),
        ("SADD s a b", ":2"),
        ("ZUNION 2 z s WITHSCORES", "*6 $1 a $1 2 $1 b $1 3 $1 c $1 3"),
        ("ZINTER 2 z y WEIGHTS 2 -inf WITHSCORES", "*4 $1 b $4 -inf $1 c $4 -inf"),
        ("ZINTER 3 z y s AGGREGATE MAX WITHSCORES", "*2 $1 b $2 10"),
        ("ZUNION 2 y y WEIGHTS 1 -1 WITHSCORES", "*6 $1 b $1 0 $1 c $1 0 $1 d $1 0"),
        ("ZDIFF 2 z s", "*1 $1 c"),
        // What is answered is the sum, whatever zero stays there.
        ("ZADD minus -0 a", ":1"),
        ("ZINCRBY minus 0 a", "$1 0"),
        // From here on it is cheaper to take away what the others have.
        ("SADD t c", ":1"),
        ("ZDIFF 4 z t t none WITHSCORES", "*4 $1 a $1 1 $1 b $1 2"),
        ("ZDIFF 5 z t s none t", "*0"),
        ("ZINTERCARD 2 z y", ":2"),
        ("ZINTERCARD 2 z y LIMIT 1", ":1"),
        ("ZUNIONSTORE d 2 z y AGGREGATE MIN", ":4"),
        ("ZRANGE d 0 -1 WITHSCORES", "*8 $1 d $4 -inf $1 a $1 1 $1 b $1 2 $1 c $1 3"),
        ("ZINTERSTORE d 2 z none", ":0"),
        ("EXISTS d", ":0"),
        ("ZDIFFSTORE s 2 z s", ":1"),
        ("TYPE s", "+zset"),
        ("ZRANGESTORE z z inf (1 BYSCORE REV LIMIT 1 1", ":1"),
        ("ZRANGE z 0 -1", "*1 $1 b"),
        ("ZUNION 0 z", "-ERR at least 1 input key is needed for 'zunion' command"),
        ("ZUNION 2 z", "-ERR syntax error"),
        ("ZUNION 1 z WEIGHTS x", "-ERR weight value is not a float"),
        ("ZDIFF 1 z WEIGHTS 1", "-ERR syntax error"),
        ("ZINTERCARD 1 z LIMIT -1", "-ERR LIMIT can't be negative"),
    ]);
}

#[test]
fn the_settings_decide_about_the_representation() {
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("CONFIG SET zset-max-ziplist-entries 2 zset-max-listpack-value 3", "+OK"),
            ("ZADD z 1 a 2 b", ":2"),
            ("OBJECT ENCODING z", "$8 listpack"),
            ("ZADD z 3 c", ":1"),
            ("OBJECT ENCODING z", "$8 skiplist"),
            ("ZREM z c", ":1"),
            ("ZUNIONSTORE u 1 z", ":2"),
            ("OBJECT ENCODING u", "$8 listpack"),
            ("ZADD w 1 long", ":1"),
            ("OBJECT ENCODING w", "$8 skiplist"),
            // A zero keeps its sign if its member comes to the copy behind the long one.
            ("ZADD w 0 long -0 a", ":1"),
            ("ZRANGESTORE v w -inf inf BYSCORE", ":2"),
            ("ZSCORE v a", "$1 0"),
            ("ZRANGESTORE v w inf -inf BYSCORE REV", ":2"),
            ("ZSCORE v a", "$2 -0"),
        ],
    );
}

#[test]
fn random_members_are_drawn_with_equal_chances() {
    for (entries, members) in [(128, 20), (0, 20)] {
        for (count, distinct) in [("", 1), ("3", 3), ("15", 15), ("-3", 3)] {
            let mut server = Harness::new();
            server.run(&format!("CONFIG SET zset-max-listpack-entries {entries}"));
            (0..members).for_each(|number| _ = server.run(&format!("ZADD z {number} m{number}")));
            let mut drawn = vec![0usize; members];
            let rounds = 4000;
            for _ in 0..rounds {
                let reply = server.run(&format!("ZRANDMEMBER z {count}"));
                for word in reply.split(' ').filter_map(|word| word.strip_prefix('m')) {
                    drawn[word.parse::<usize>().unwrap()] += 1;
                }
            }
            assert_eq!(drawn.iter().sum::<usize>(), rounds * distinct);
            // For 19 degrees of freedom the sum is above 50 once in 10,000 times; without replacement it is smaller.
            let expected = (rounds * distinct) as f64 / members as f64;
            let chi: f64 = drawn.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
            assert!(chi < 50.0, "{entries} {count}: {drawn:?}");
        }
    }
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("ZADD z 1 a", ":1"),
            ("ZRANDMEMBER z 5 WITHSCORES", "*2 $1 a $1 1"),
            ("ZRANDMEMBER z -2", "*2 $1 a $1 a"),
            ("ZRANDMEMBER z 0", "*0"),
            ("ZRANDMEMBER none", "$-1"),
            ("ZRANDMEMBER none 3", "*0"),
            ("ZRANDMEMBER z 1 FOO", "-ERR syntax error"),
            ("HELLO 3", ""),
            ("ZRANDMEMBER z 1 WITHSCORES", "*1 *2 $1 a ,1"),
        ],
    );
}

#[test]
fn a_scan_visits_everything_once_the_set_rests() {
    let mut server = Harness::new();
    (0..300).for_each(|number| _ = server.run(&format!("ZADD z {number}.5 m{number}")));
    let (mut cursor, mut found) = ("0".to_owned(), 0);
    loop {
        let reply = server.run(&format!("ZSCAN z {cursor} COUNT 20 MATCH m*"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        found += words[3][1..].parse::<usize>().unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found, 600);
    check(
        &mut server,
        &[
            ("ZADD s 0.1 a", ":1"),
            ("ZSCAN s 0", "*2 $1 0 *2 $1 a $3 0.1"),
            ("ZSCAN s x", "-ERR invalid cursor"),
            ("ZSCAN s 0 TYPE zset", "-ERR syntax error"),
            ("ZSCAN none 0 FOO", "*2 $1 0 *0"),
        ],
    );
}

#[test]
fn other_types_are_refused() {
    let mut server = Harness::new();
    server.run("SET k v");
    for line in [
        "ZADD k 1 a",
        "ZINCRBY k 1 a",
        "ZREM k a",
        "ZCARD k",
        "ZSCORE k a",
        "ZMSCORE k a",
        "ZRANK k a",
        "ZREVRANK k a",
        "ZCOUNT k 0 1",
        "ZLEXCOUNT k - +",
        "ZRANGE k 0 1",
        "ZREVRANGE k 0 1",
        "ZRANGEBYSCORE k 0 1",
        "ZREVRANGEBYSCORE k 0 1",
        "ZRANGEBYLEX k - +",
        "ZREVRANGEBYLEX k + -",
        "ZRANGESTORE d k 0 1",
        "ZREMRANGEBYRANK k 0 1",
        "ZREMRANGEBYSCORE k 0 1",
        "ZREMRANGEBYLEX k - +",
        "ZPOPMIN k",
        "ZPOPMAX k",
        "ZMPOP 1 k MIN",
        "ZUNION 1 k",
        "ZINTER 1 k",
        "ZDIFF 1 k",
        "ZINTERCARD 1 k",
        "ZUNIONSTORE d 1 k",
        "ZRANDMEMBER k",
        "ZRANDMEMBER k 2",
        "ZSCAN k 0",
    ] {
        assert_eq!(server.run(line), "-WRONGTYPE Operation against a key holding the wrong kind of value", "{line}");
    }
}
