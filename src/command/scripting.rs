//! SCRIPT and FUNCTION, which answer truthfully: there are no scripts, and functions are only carried along.

use super::help::bad_subcommand;
use super::{Ctx, Failure};

fn is_flush_mode(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async")
}

/// FUNCTION FLUSH [ASYNC|SYNC]
pub fn function_flush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match &arguments[2..] {
        [] => {}
        [mode] if is_flush_mode(mode) => {}
        [_] => return Err("ERR FUNCTION FLUSH only supports SYNC|ASYNC option".into()),
        _ => return Err(bad_subcommand(arguments)),
    }
    if !ctx.engine.libraries.is_empty() {
        ctx.engine.libraries.clear();
        ctx.effect(&[b"FUNCTION", b"FLUSH"]);
    }
    // To Redis it is a change, whether or not there were any.
    ctx.engine.stats.changes += 1;
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT FLUSH [ASYNC|SYNC]
pub fn script_flush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match &arguments[2..] {
        [] => {}
        [mode] if is_flush_mode(mode) => {}
        _ => return Err("ERR SCRIPT FLUSH only support SYNC|ASYNC option".into()),
    }
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT EXISTS sha1 [sha1 …]
pub fn script_exists(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(arguments.len() - 2);
    for _ in &arguments[2..] {
        ctx.reply.integer(0);
    }
    Ok(())
}

/// SCRIPT DEBUG YES|SYNC|NO
pub fn script_debug(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let modes: [&[u8]; 3] = [b"yes", b"sync", b"no"];
    if !modes.iter().any(|mode| mode.eq_ignore_ascii_case(arguments[2])) {
        return Err("ERR Use SCRIPT DEBUG YES/SYNC/NO".into());
    }
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;
    use crate::command::shadow;

    #[test]
    fn libraries_that_are_carried_along_are_flushed_once() {
        let mut harness = Harness::new();
        harness.engine.libraries.push(b"#!lua name=mylib".to_vec());
        shadow::attach(&mut harness.engine);
        let changes = harness.engine.stats.changes;
        for (effects, count) in [("SELECT 0 | FUNCTION FLUSH", 1), ("", 2)] {
            assert_eq!(harness.run("FUNCTION FLUSH ASYNC"), "+OK");
            assert_eq!(harness.effects(), effects);
            assert_eq!(harness.engine.stats.changes - changes, count);
            assert!(harness.engine.libraries.is_empty());
        }
    }

    #[test]
    fn there_are_no_scripts_to_find_or_to_flush() {
        let mut harness = Harness::new();
        for command in
            ["FUNCTION FLUSH", "FUNCTION FLUSH async", "SCRIPT FLUSH", "SCRIPT FLUSH SYNC", "SCRIPT DEBUG no"]
        {
            assert_eq!(harness.run(command), "+OK", "{command}");
        }
        assert_eq!(harness.run("SCRIPT EXISTS a b"), "*2 :0 :0");
        assert_eq!(harness.run("SCRIPT FLUSH x"), "-ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        assert_eq!(harness.run("FUNCTION FLUSH x"), "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        assert!(
            harness.run("FUNCTION FLUSH SYNC x").contains("wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.")
        );
        assert!(harness.run("SCRIPT HELP").starts_with("*9 +SCRIPT <subcommand> "));
    }
}
