//! `rename-command`: commands that clients must call by another name, or not at all.
//!
//! What a client or a script says is put into the command's own name before anything else looks at it, so that the log has
//! only names that every server knows.

use smallvec::SmallVec;

use super::table::Row;
use super::{Failure, table};
use crate::engine::Engine;

/// The words of a request.
pub type Words<'a> = SmallVec<[&'a [u8]; 8]>;

/// Renames as the settings say, for a server that starts; the error says why it must not.
pub fn at_start(engine: &mut Engine) -> Result<(), String> {
    for (old, new) in engine.config.renamed().to_vec() {
        let (old, new) = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
        let row = match engine.renamed.get(&old) {
            Some(name) => name.and_then(|name| table::command(name.as_bytes())),
            None => table::command(&old),
        };
        let row = row.ok_or_else(|| format!("No such command in rename-command: {}", String::from_utf8_lossy(&old)))?;
        engine.renamed.insert(old, None);
        if new.is_empty() {
            continue;
        }
        if engine.renamed.get(&new).map_or(table::command(&new).is_some(), Option::is_some) {
            return Err(format!("Target command name already exists: {}", String::from_utf8_lossy(&new)));
        }
        engine.renamed.insert(new, Some(row.spec.name));
    }
    Ok(())
}

/// The request with the command's own name, if it was called by another; an error if it must not be called by this one.
pub fn resolve<'a>(engine: &Engine, words: &[&'a [u8]]) -> Result<Option<Words<'a>>, Failure> {
    if engine.renamed.is_empty() {
        return Ok(None);
    }
    match engine.renamed.get(&words[0].to_ascii_lowercase()) {
        None => Ok(None),
        Some(None) => Err(Failure::new(table::unknown_command(words))),
        Some(Some(name)) => {
            let mut words = Words::from_slice(words);
            words[0] = name.as_bytes();
            Ok(Some(words))
        }
    }
}

/// The row of a name that somebody asks about, `config|get` for a subcommand.
pub fn row(engine: &Engine, name: &[u8]) -> Option<&'static Row> {
    let end = name.iter().position(|byte| *byte == b'|').unwrap_or(name.len());
    let command = resolve(engine, &[&name[..end]]).ok()?;
    let command = command.as_ref().map_or(&name[..end], |words| words[0]);
    table::by_full_name(&[command, &name[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::harness::Harness;
    use crate::engine::config::Reader;

    fn rename(server: &mut Harness, lines: &[&str]) -> Result<(), String> {
        for line in lines {
            let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.trim_matches('"').as_bytes().to_vec()).collect();
            Reader::new(&mut server.engine.config).command_line(&words).unwrap();
        }
        at_start(&mut server.engine)
    }

    #[test]
    fn a_renamed_command_has_only_its_new_name_and_is_logged_by_its_own() {
        let mut server = Harness::new();
        rename(&mut server, &["rename-command SET put", "rename-command flushall \"\""]).unwrap();
        assert_eq!(server.run("Put k v"), "+OK");
        assert!(server.effects().contains("SET k v"), "the log has the command's own name");
        assert_eq!(server.run("GET k"), "$1 v");
        assert_eq!(server.run("set k v"), "-ERR unknown command 'set', with args beginning with: 'k' 'v'");
        assert_eq!(server.run("FLUSHALL"), "-ERR unknown command 'FLUSHALL', with args beginning with:");
        assert_eq!(server.run("EVAL \"return redis.call('put','k','w')\" 0"), "+OK");
        assert!(server.run("EVAL \"return redis.call('set','k','w')\" 0").starts_with("-ERR Unknown Redis command"));
        server.run("MULTI");
        assert_eq!(server.run("put k x"), "+QUEUED");
        assert_eq!(server.run("EXEC"), "*1 +OK");
        assert_eq!(server.run("GET k"), "$1 x");
    }

    #[test]
    fn a_renamed_command_that_waits_is_run_anew_by_its_own_name() {
        let mut server = Harness::new();
        rename(&mut server, &["rename-command BLPOP take"]).unwrap();
        let waiting = server.connect();
        assert_eq!(server.run_as(waiting, "take list 0"), "");
        assert_eq!(server.run("RPUSH list a"), ":1");
        server.sync();
        assert_eq!(server.receive(waiting), b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
    }

    #[test]
    fn who_asks_about_a_command_says_its_new_name_too() {
        let mut server = Harness::new();
        rename(&mut server, &["rename-command GET \"\"", "rename-command CONFIG cfg", "rename-command SET get"])
            .unwrap();
        assert!(server.run("COMMAND INFO get").starts_with("*1 *10 $3 set "));
        assert!(server.run("COMMAND INFO cfg|get").starts_with("*1 *10 $10 config|get "));
        assert_eq!(server.run("COMMAND INFO config config|get set"), "*3 $-1 $-1 $-1");
        assert!(server.run("COMMAND DOCS cfg").starts_with("*2 $6 config "));
        assert_eq!(server.run("COMMAND GETKEYS get a b"), "*1 $1 a");
        assert_eq!(server.run("COMMAND GETKEYS set a b"), "-ERR Invalid command specified");
        assert_eq!(server.run("ACL DRYRUN default cfg get hz"), "+OK");
        assert_eq!(server.run("ACL DRYRUN default config get hz"), "-ERR Command 'config' not found");
        // Rules are about commands by their own names.
        server.run("ACL SETUSER u +get ~*");
        assert_eq!(server.run("ACL DRYRUN u get a b"), "$50 User u has no permissions to run the 'set' command");
        let check = |name| format!("EVAL \"return redis.acl_check_cmd('{name}','get','hz')\" 0");
        assert_eq!(server.run(&check("cfg")), ":1");
        assert!(server.run(&check("config")).starts_with("-ERR Invalid command passed to redis.acl_check_cmd()"));
    }

    #[test]
    fn what_makes_no_sense_stops_the_start() {
        let error = |lines: &[&str]| rename(&mut Harness::new(), lines).unwrap_err();
        assert!(error(&["rename-command nosuch x"]).starts_with("No such command"));
        assert!(error(&["rename-command get set"]).starts_with("Target command name already exists"));
        rename(&mut Harness::new(), &["rename-command get \"\"", "rename-command set get"]).unwrap();
    }
}
