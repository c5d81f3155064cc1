//! Commands of strings, keys and collections that scripts and functions call.

use super::super::step::Arg;
use super::{Generator, born_expired};

/// Calls the command that its arguments are.
const SCRIPT: &str = "return redis.pcall(unpack(ARGV))";
/// Its digest.
const DIGEST: &str = "b72d50ecdcafd5e07f3fca2060a111de46c547f9";
/// The same as a function.
const LIBRARY: &str = "#!lua name=caller\nredis.register_function('call', function(keys, arguments) return \
                       redis.pcall(unpack(arguments)) end)";

/// Commands that would begin or end what the generator keeps track of.
const NEVER: &[&str] = &["MULTI", "EXEC", "DISCARD", "SELECT", "MIGRATE"];

impl Generator {
    /// Lets the servers know the script and the function.
    pub fn load_scripts(&mut self) {
        self.push(0, vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), SCRIPT.into()]);
        self.push(0, vec![b"FUNCTION".to_vec(), b"LOAD".to_vec(), b"REPLACE".to_vec(), LIBRARY.into()]);
    }

    /// Pushes a command, at times by way of a script.
    pub fn push_called(&mut self, connection: usize, line: Vec<Vec<u8>>) {
        let argv: Vec<Arg> = line.iter().cloned().map(Arg::Bytes).collect();
        let never = NEVER.iter().any(|name| line[0].eq_ignore_ascii_case(name.as_bytes()));
        if never || born_expired(&argv).is_some() || self.is_not_asked(connection, &line) || !self.percent(6) {
            return self.push(connection, line);
        }
        let caller: [&str; 2] = match self.rng.u32(0..3) {
            0 => ["EVAL", SCRIPT],
            1 => ["EVALSHA", DIGEST],
            _ => ["FCALL", "call"],
        };
        let mut call = vec![self.case(caller[0]), caller[1].into(), b"0".to_vec()];
        call.extend(line);
        self.push(connection, call);
    }
}

/// The command that a script was given to call, if it was one of these.
pub fn called(argv: &[Vec<u8>]) -> Option<&[Vec<u8>]> {
    let callers = [("EVAL", SCRIPT), ("EVALSHA", DIGEST), ("FCALL", "call")];
    let is_call = callers.iter().any(|(name, what)| {
        argv.len() > 3 && argv[0].eq_ignore_ascii_case(name.as_bytes()) && argv[1] == what.as_bytes()
    });
    is_call.then(|| &argv[3..])
}
