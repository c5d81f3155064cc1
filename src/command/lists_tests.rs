//! Commands on lists that do not wait.

use crate::command::harness::Harness;
use crate::engine::config::Reader;

fn run_all(server: &mut Harness, lines: &[(&str, &str)]) {
    for (line, reply) in lines {
        assert_eq!(server.run(line), *reply, "{line}");
    }
}

#[test]
fn elements_come_and_go_at_both_ends() {
    let mut server = Harness::new();
    run_all(
        &mut server,
        &[
            ("LPUSHX l a", ":0"),
            ("RPUSH l a b 3", ":3"),
            ("LPUSH l c d", ":5"),
            ("RPUSHX l e", ":6"),
            ("LRANGE l 0 -1", "*6 $1 d $1 c $1 a $1 b $1 3 $1 e"),
            ("LRANGE l -2 100", "*2 $1 3 $1 e"),
            ("LRANGE l 4 2", "*0"),
            ("LRANGE l 6 9", "*0"),
            ("LRANGE none 0 -1", "*0"),
            ("LINDEX l 4", "$1 3"),
            ("LINDEX l -6", "$1 d"),
            ("LINDEX l 6", "$-1"),
            ("LINDEX none x", "$-1"),
            ("LINDEX l x", "-ERR value is not an integer or out of range"),
            ("LPOP l", "$1 d"),
            ("RPOP l 2", "*2 $1 e $1 3"),
            ("LPOP l 0", "*0"),
            ("LPOP none", "$-1"),
            ("LPOP none 1", "*-1"),
            ("LPOP l -1", "-ERR value is out of range, must be positive"),
            ("LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command"),
            ("LLEN l", ":3"),
            ("LPOP l 9", "*3 $1 c $1 a $1 b"),
            ("EXISTS l", ":0"),
            ("SET s v", "+OK"),
            ("RPUSH s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("LLEN s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("OBJECT ENCODING l", "$-1"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | RPUSH l a b 3 | LPUSH l c d | RPUSHX l e | LPOP l | RPOP l 2 | LPOP l 9 | SET s v"
    );
}

#[test]
fn elements_are_found_changed_and_removed_in_the_middle() {
    let mut server = Harness::new();
    run_all(
        &mut server,
        &[
            ("RPUSH l a b c a b a", ":6"),
            ("LPOS l a", ":0"),
            ("LPOS l a RANK -1", ":5"),
            ("LPOS l a RANK 2", ":3"),
            ("LPOS l a RANK 4", "$-1"),
            ("LPOS l a COUNT 0", "*3 :0 :3 :5"),
            ("LPOS l a COUNT 2 RANK -2", "*2 :3 :0"),
            ("LPOS l a COUNT 0 MAXLEN 4", "*2 :0 :3"),
            ("LPOS l a MAXLEN 2 RANK -2", "$-1"),
            ("LPOS none a COUNT 1", "*0"),
            ("LPOS none a", "$-1"),
            ("LINSERT l before c x", ":7"),
            ("LINSERT l AFTER c y", ":8"),
            ("LINSERT l after none y", ":-1"),
            ("LINSERT none after a y", ":0"),
            ("LINSERT l beside a y", "-ERR syntax error"),
            ("LSET l -1 z", "+OK"),
            ("LSET l 8 z", "-ERR index out of range"),
            ("LSET none 0 z", "-ERR no such key"),
            ("LRANGE l 0 -1", "*8 $1 a $1 b $1 x $1 c $1 y $1 a $1 b $1 z"),
            ("LREM l -1 b", ":1"),
            ("LREM l 0 a", ":2"),
            ("LREM l 0 none", ":0"),
            ("LRANGE l 0 -1", "*5 $1 b $1 x $1 c $1 y $1 z"),
            ("LTRIM l 1 -2", "+OK"),
            ("LTRIM l 0 -1", "+OK"),
            ("LRANGE l 0 -1", "*3 $1 x $1 c $1 y"),
            ("LTRIM l 5 9", "+OK"),
            ("EXISTS l", ":0"),
            ("RPUSH l a a", ":2"),
            ("LREM l 2 a", ":2"),
            ("EXISTS l", ":0"),
        ],
    );
    let effects = server.effects();
    assert!(effects.contains("LTRIM l 1 -2 | LTRIM l 5 9"), "a trim of nothing is not logged: {effects}");
}

#[test]
fn elements_move_between_lists_and_within_one() {
    let mut server = Harness::new();
    run_all(
        &mut server,
        &[
            ("RPUSH a 1 2 3", ":3"),
            ("LMOVE a b LEFT RIGHT", "$1 1"),
            ("RPOPLPUSH a b", "$1 3"),
            ("LMOVE a a left left", "$1 2"),
            ("LMOVE b b RIGHT LEFT", "$1 1"),
            ("LRANGE b 0 -1", "*2 $1 1 $1 3"),
            ("LMOVE none b LEFT LEFT", "$-1"),
            ("LMOVE a b LEFT up", "-ERR syntax error"),
            ("SET s v", "+OK"),
            ("LMOVE a s LEFT LEFT", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("LMOVE none s LEFT LEFT", "$-1"),
            ("LRANGE a 0 -1", "*1 $1 2"),
            ("LMPOP 3 none a b LEFT COUNT 9", "*2 $1 a *1 $1 2"),
            ("LMPOP 2 a b RIGHT COUNT 2", "*2 $1 b *2 $1 3 $1 1"),
            ("LMPOP 2 a b LEFT", "*-1"),
            ("LMPOP 2 s a LEFT", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("LMPOP 2 a b", "-ERR syntax error"),
            ("LMPOP 9223372036854775807 a LEFT", "-ERR syntax error"),
            ("LMPOP 0 a LEFT", "-ERR numkeys should be greater than 0"),
            ("LMPOP 1 a LEFT COUNT 0", "-ERR count should be greater than 0"),
            ("DBSIZE", ":1"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | RPUSH a 1 2 3 | LMOVE a b LEFT RIGHT | RPOPLPUSH a b | LMOVE a a left left | LMOVE b b RIGHT LEFT \
         | SET s v | LPOP a 1 | RPOP b 2"
    );
}

#[test]
fn the_settings_decide_how_lists_are_represented() {
    let mut server = Harness::new();
    let debug = [b"enable-debug-command".to_vec(), b"yes".to_vec()];
    Reader::new(&mut server.engine.config).command_line(&debug).unwrap();
    run_all(
        &mut server,
        &[
            ("CONFIG SET list-max-listpack-size 3", "+OK"),
            ("RPUSH l 1 2 3", ":3"),
            ("OBJECT ENCODING l", "$8 listpack"),
            ("LINSERT l before none 0", ":-1"),
            ("OBJECT ENCODING l", "$9 quicklist"),
            ("LPOP l 2", "*2 $1 1 $1 2"),
            ("OBJECT ENCODING l", "$8 listpack"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 5", "+OK"),
            ("RPUSH l 4 5 66666 7", ":5"),
            ("LRANGE l 0 -1", "*5 $1 3 $1 4 $1 5 $5 66666 $1 7"),
            ("LPOS l 66666", ":3"),
            ("LINSERT l BEFORE 66666 6", ":6"),
            ("LREM l 0 66666", ":1"),
            ("LSET l 0 333333", "+OK"),
            ("LRANGE l 0 -1", "*5 $6 333333 $1 4 $1 5 $1 6 $1 7"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 0", "+OK"),
            ("CONFIG SET list-max-ziplist-size -2", "+OK"),
        ],
    );
    assert_eq!(server.run("DEBUG DIGEST-VALUE l").len(), 44);
}

#[test]
fn changes_are_counted_as_redis_counts_them() {
    let mut server = Harness::new();
    for (line, changes) in [
        ("RPUSH l a b c a", 4),
        ("LTRIM l 0 -1", 0),
        ("LPOP l 2", 2),
        ("LINSERT l AFTER c d", 1),
        ("LMOVE l m LEFT LEFT", 1),
        ("LREM l 0 x", 0),
        ("LREM l 0 d", 1),
        ("LMPOP 2 none l RIGHT COUNT 5", 1),
        ("RPUSH m 1 2 3", 3),
        ("LTRIM m 1 1", 3),
        ("BLPOP m 0", 1),
    ] {
        let before = server.engine.stats.changes;
        server.run(line);
        assert_eq!(server.engine.stats.changes - before, changes, "{line}");
    }
    assert!(server.engine.dbs[0].is_empty());
}
