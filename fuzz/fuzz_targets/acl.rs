//! Rules of users: whatever a user was made by, the rules by which it is shown make the same user, who may do the same.
//!
//! Input: rules, a line each; behind an empty line, requests, a line each, their words behind blanks.
#![no_main]

use ackd::command::acl::{check, rules};
use ackd::command::table;
use ackd::engine::acl::User;
use libfuzzer_sys::fuzz_target;

fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(|byte| *byte == b' ').collect()
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut user = User::new(b"user", data.len() % 2 == 0);
    for rule in lines.by_ref().take_while(|line| !line.is_empty()) {
        // One that is refused may have done a part; SETUSER then drops the whole user.
        let before = user.clone();
        if rules::apply(&mut user, rule, false).is_err() {
            user = before;
        }
    }
    let shown = rules::describe(&user);
    let mut again = User::new(b"user", false);
    for rule in rules::merged(&words(&shown)).expect("what is shown is whole") {
        rules::apply(&mut again, &rule, false).expect("what is shown is right");
    }
    assert_eq!(rules::describe(&again), shown);
    assert_eq!(again.passwords, user.passwords);
    assert_eq!(again.is_unlimited, user.is_unlimited);
    for request in lines {
        let request = words(request);
        if let Ok(row) = table::admit(&request) {
            assert_eq!(check::permits(&again, row, &request), check::permits(&user, row, &request));
        }
    }
});
