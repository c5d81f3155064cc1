//! ackd and its oracles get the same random commands and must give the same replies. `differential/` holds the
//! harness; `ACKD_DIFF_COMMANDS` makes the run longer, `ACKD_DIFF_SEED` moves it elsewhere.

#[path = "differential/mod.rs"]
mod differential;
mod support;

use differential::accepted::{self, Against};
use differential::campaign::Campaign;
use support::oracle::Oracle;
use support::process::Program;

/// A number from the environment.
fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

fn compare(oracle: Program, tested: Program, commands: u64) {
    let seed = variable("ACKD_DIFF_SEED", 1);
    let outcome = Campaign { oracle, tested, seed, commands, verbose: false }.run();
    println!(
        "{} commands in {} sessions, {:.1} s\n{}",
        outcome.coverage.commands,
        outcome.sessions,
        outcome.seconds,
        outcome.coverage.markdown()
    );
    assert!(outcome.findings.is_empty(), "replies differ:\n{}", outcome.report());
}

#[test]
fn replies_equal_those_of_the_oracle() {
    let Some(oracle) = Oracle::Valkey.program() else { return };
    compare(oracle, Program::ackd(), variable("ACKD_DIFF_COMMANDS", 6_000));
}

#[test]
fn replies_equal_those_of_redis_7_0_where_7_2_has_not_gone_on() {
    let Some(oracle) = Oracle::Redis7.program() else { return };
    compare(oracle, Program::ackd(), variable("ACKD_DIFF_COMMANDS", 3_000));
}

#[test]
fn replies_about_the_expiry_of_fields_equal_those_of_redis_8() {
    let Some(oracle) = Oracle::Redis8.program() else { return };
    compare(oracle, Program::ackd(), variable("ACKD_DIFF_COMMANDS", 3_000));
}

#[test]
fn the_harness_finds_no_difference_between_an_oracle_and_itself() {
    let Some(oracle) = Oracle::Valkey.program() else { return };
    compare(oracle.clone(), oracle, 3_000);
}

/// The part of `docs/compatibility.md` that is made from the table lies between these lines.
const TABLE_START: &str = "<!-- the table of tests/differential/accepted.rs: begin -->\n";
const TABLE_END: &str = "<!-- the table of tests/differential/accepted.rs: end -->\n";

#[test]
fn the_documentation_shows_the_table_that_the_tests_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compatibility.md");
    let text = std::fs::read_to_string(path).expect("docs/compatibility.md");
    let (before, rest) = text.split_once(TABLE_START).expect("the line that begins the table");
    let (shown, after) = rest.split_once(TABLE_END).expect("the line that ends the table");
    if shown != accepted::markdown() {
        if std::env::var_os("ACKD_BLESS").is_some() {
            let text = format!("{before}{TABLE_START}{}{TABLE_END}{after}", accepted::markdown());
            std::fs::write(path, text).expect("write docs/compatibility.md");
            return;
        }
        panic!("docs/compatibility.md is out of date: run this test with ACKD_BLESS=1");
    }
}

#[test]
fn key_events_are_those_of_the_oracle() {
    // Valkey tells of a time that is set in the past as `expired`, Redis as `del`.
    let Some(oracle) = Oracle::Redis7.program() else { return };
    let (seed, commands) = (variable("ACKD_DIFF_SEED", 1), variable("ACKD_DIFF_COMMANDS", 12_000) / 4);
    differential::events::compare(&oracle.start(), &Program::ackd().start(), Against::Redis7, seed, commands);
}
