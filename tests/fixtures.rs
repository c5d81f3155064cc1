//! The files of other servers in `tests/fixtures/`, given to the server that has told what they hold: it must be what is
//! read now. So the reader of contents, the texts beside the files and the files themselves are proved by one another.

mod support;

use std::fs;
use std::path::Path;

use support::contents::{assert_same, read};
use support::fixtures::{AOF_DIRECTORY, DAMAGED_AOF, Rdb, SOUND_AOF, assemble_aof, expected_of_aof};
use support::oracle::Oracle;
use support::process::{Program, Server};

/// Starts the program on an RDB file, as Redis does: from `dump.rdb` in its directory.
fn start_on_rdb(program: &Program, rdb: &Path) -> Result<Server, String> {
    program.clone().with("dbfilename", "dump.rdb").try_start_with(|dir| {
        fs::copy(rdb, dir.join("dump.rdb")).expect("copy a fixture");
    })
}

/// Starts the program on an append-only directory, with this `aof-load-truncated`.
fn start_on_aof(program: &Program, name: &str, load_truncated: &str) -> Result<Server, String> {
    let program = program.clone().with("appendonly", "yes").with("aof-load-truncated", load_truncated);
    program.try_start_with(|dir| assemble_aof(name, &dir.join(AOF_DIRECTORY)))
}

/// Gives each RDB file to `start`, which starts a server on it or tells why it refuses.
fn load_each(rdbs: &[Rdb], start: impl Fn(&Rdb) -> Result<Server, String>) {
    for rdb in rdbs {
        match (&rdb.expected, start(rdb)) {
            (Some(expected), Ok(server)) => {
                // The texts do not tell them.
                let found = read(&mut server.client()).without_delivery_times();
                assert_same(expected, &found, &format!("{}, loaded by {}", rdb.name, server.name()));
            }
            (None, Err(why)) => {
                assert!(why.contains("module"), "{}: refused, but not for its modules: {why}", rdb.name)
            }
            (Some(_), Err(why)) => panic!("{}: {why}", rdb.name),
            (None, Ok(server)) => panic!("{} loads {}, which it must refuse", server.name(), rdb.name),
        }
    }
}

fn rdbs_of(judge: Oracle) -> Vec<Rdb> {
    let rdbs: Vec<Rdb> = Rdb::all().into_iter().filter(|rdb| rdb.judge == judge).collect();
    assert!(!rdbs.is_empty(), "no files for {judge:?}");
    rdbs
}

#[test]
fn every_rdb_file_holds_what_its_text_tells() {
    for judge in [Oracle::Redis7, Oracle::Valkey, Oracle::Redis8] {
        let Some(program) = judge.program() else { continue };
        load_each(&rdbs_of(judge), |rdb| start_on_rdb(&program, &rdb.path));
    }
}

#[test]
fn a_newer_server_reads_the_same_in_older_files() {
    let rdbs = rdbs_of(Oracle::Redis7);
    for oracle in [Oracle::Valkey, Oracle::Redis8] {
        let Some(program) = oracle.program() else { continue };
        load_each(&rdbs, |rdb| start_on_rdb(&program, &rdb.path));
    }
}

#[test]
fn sound_append_only_directories_hold_what_their_texts_tell() {
    let Some(program) = Oracle::Redis7.program() else { return };
    for name in SOUND_AOF {
        let server = start_on_aof(&program, name, "no").expect("a sound append-only directory");
        let expected = expected_of_aof(name).expect("what a sound directory holds");
        assert_same(&expected, &read(&mut server.client()).without_delivery_times(), name);
    }
}

#[test]
fn damaged_append_only_directories_are_refused() {
    let Some(program) = Oracle::Redis7.program() else { return };
    for name in DAMAGED_AOF {
        assert!(expected_of_aof(name).is_none(), "{name} is damaged");
        assert!(start_on_aof(&program, name, "no").is_err(), "{name} was loaded without a word");
    }
}

#[test]
fn what_a_cut_leaves_is_what_was_before_the_transaction_that_it_hits() {
    let Some(program) = Oracle::Redis7.program() else { return };
    let expected = expected_of_aof("base-and-incr").expect("what a sound directory holds");
    for name in ["truncated-tail", "cut-inside-multi"] {
        let server = start_on_aof(&program, name, "yes").expect("a directory that ends too early");
        assert_same(&expected, &read(&mut server.client()).without_delivery_times(), name);
    }
}
