//! Commands that change nothing because of a change that is not yet durable: their replies reveal that change, so they
//! wait for it as if it were their own.

use super::harness::Harness;

/// By the durable state, the change in flight, and the commands that then have no effect.
const CASES: [(&str, &str, &[&str]); 5] = [
    (
        "SET k v",
        "DEL k",
        &[
            "FLUSHALL",
            "FLUSHDB ASYNC",
            "DEL k",
            "UNLINK k",
            "EXISTS k",
            "TOUCH k",
            "EXPIRE k 10",
            "PERSIST k",
            "RENAME k other",
            "RENAMENX k other",
            "MOVE k 1",
            "COPY k other",
            "GETDEL k",
            "GETEX k PERSIST",
            "SET k x XX",
            "DBSIZE",
            "RANDOMKEY",
            "KEYS *",
            "SCAN 0",
        ],
    ),
    ("SET k v", "FLUSHALL", &["FLUSHALL", "FLUSHDB", "DEL k", "GET k", "MOVE k 1"]),
    (
        "SET from 1",
        "SET k v",
        &[
            "SETNX k x",
            "SET k x NX",
            "MSETNX k 1 j 2",
            "COPY from k",
            "RENAMENX from k",
            "PERSIST k",
            "EXPIRE k 10 XX",
            "INCR k",
            "SETRANGE k 0 \"\"",
        ],
    ),
    ("SET k v", "SWAPDB 0 1", &["FLUSHDB", "EXISTS k", "DEL k"]),
    ("MSET k v a b", "MOVE k 1", &["MOVE k 1", "DEL k"]),
];

#[test]
fn a_reply_that_nothing_was_changed_waits_for_the_change_that_made_it_so() {
    for (durable, in_flight, commands) in CASES {
        for command in commands {
            let mut server = Harness::new();
            let other = server.connect();
            server.run(durable);
            assert_eq!(server.run_unsynced(other, in_flight), "", "{in_flight} itself waits");
            let early = server.run_unsynced(server.client, command);
            assert_eq!(early, "", "{command} during {in_flight}");
            server.sync();
            assert_ne!(server.receive(server.client), b"", "{command} after {in_flight}");
        }
    }
}

#[test]
fn so_it_is_inside_a_transaction() {
    for command in ["FLUSHALL", "FLUSHDB", "DEL k"] {
        let mut server = Harness::new();
        let other = server.connect();
        server.run("SET k v");
        server.run_unsynced(other, "DEL k");
        assert_eq!(server.run_unsynced(server.client, "MULTI"), "+OK");
        assert_eq!(server.run_unsynced(server.client, command), "+QUEUED");
        assert_eq!(server.run_unsynced(server.client, "EXEC"), "", "{command}");
        server.sync();
        assert!(server.receive(server.client).starts_with(b"*1"), "{command}");
    }
}

#[test]
fn a_transaction_that_lowers_its_level_still_waits_at_the_level_it_began_with() {
    for lower in ["CLIENT DURABILITY MEMORY", "CONFIG SET appendfsync no"] {
        let mut server = Harness::new();
        for line in ["MULTI", "SET k v", lower] {
            server.run_unsynced(server.client, line);
        }
        assert_eq!(server.run_unsynced(server.client, "EXEC"), "", "{lower}");
        server.sync();
        assert!(server.receive(server.client).starts_with(b"*2\r\n+OK\r\n"), "{lower}");
    }
}
