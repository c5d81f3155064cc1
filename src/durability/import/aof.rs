//! The commands of an append-only file, with its annotations.

use std::path::Path;

use super::{Damage, ImportError, Importer, Stop, unreadable};
use crate::command::scripting::functions;
use crate::disk::Mapped;
use crate::resp;

/// Commands or transactions between two reports.
const REPORT_EVERY: u64 = 1024;

const UNENDED: &str = "a transaction that does not end";

impl Importer<'_> {
    /// Executes the commands of a file from `start` on.
    pub(super) fn aof(&mut self, path: &Path, start: u64, before: u64) -> Result<(), Stop> {
        let len = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if len == start {
            return Ok(());
        }
        let map = Mapped::open(path, len).map_err(|error| unreadable(path, &error))?;
        let result = self.commands(path, map.bytes(), start as usize, before);
        match map.fault() {
            Some(fault) => Err(Stop::Failed(ImportError::Source(format!("{}: {fault}", path.display())))),
            None => result,
        }
    }

    fn commands(&mut self, path: &Path, bytes: &[u8], start: usize, before: u64) -> Result<(), Stop> {
        // A tail that is torn has a length: what was not written of it was promised to nobody.
        let damaged = |offset: usize, what: String| {
            Stop::Damaged(Damage { file: path.to_owned(), offset: offset as u64, what, is_short: false })
        };
        // A transaction that has begun, and its commands: one that does not end was never promised to anybody.
        let mut transaction: Option<(usize, Vec<Vec<&[u8]>>)> = None;
        let mut at = start;
        'annotated: while at < bytes.len() {
            if bytes[at] == b'#' {
                let line = bytes[at..].iter().position(|byte| *byte == b'\n');
                at += line.ok_or_else(|| damaged(at, "the file ends inside an annotation".into()))? + 1;
                continue;
            }
            let stretch = at;
            for command in resp::commands(&bytes[stretch..]) {
                let command = match command {
                    Ok(command) => command,
                    Err(none) if bytes[stretch + none.at] == b'#' => {
                        at = stretch + none.at;
                        continue 'annotated;
                    }
                    Err(none) => {
                        let at = stretch + none.at;
                        let what = match bytes[at] {
                            _ if none.is_cut => "the file ends inside a command",
                            b'*' => "a command that is malformed, or has no arguments",
                            _ => "no command begins here",
                        };
                        return Err(match transaction {
                            Some((begun, _)) => damaged(begun, format!("{UNENDED}, for at byte {at} {what}")),
                            None => damaged(at, what.to_owned()),
                        });
                    }
                };
                let here = stretch + command.at;
                let name = command.arguments[0];
                let (begun, unit) = match &mut transaction {
                    None if name.eq_ignore_ascii_case(b"MULTI") => {
                        transaction = Some((here, Vec::new()));
                        continue;
                    }
                    Some(_) if name.eq_ignore_ascii_case(b"EXEC") => transaction.take().unwrap_or_default(),
                    Some((_, commands)) => {
                        commands.push(command.arguments);
                        continue;
                    }
                    None => (here, vec![command.arguments]),
                };
                self.unit(path, &unit, before + here as u64)?.map_err(|what| damaged(begun, what))?;
            }
            at = bytes.len();
        }
        match transaction {
            Some((begun, _)) => Err(damaged(begun, UNENDED.into())),
            None => Ok(()),
        }
    }

    /// Executes commands that belong together; an inner error says what is wrong with them.
    fn unit(&mut self, path: &Path, commands: &[Vec<&[u8]>], read: u64) -> Result<Result<(), String>, ImportError> {
        let mut unit: Vec<&[&[u8]]> = Vec::with_capacity(commands.len());
        let mut functions: Vec<&[&[u8]]> = Vec::new();
        for command in commands {
            let is_named = |name: &str| command[0].eq_ignore_ascii_case(name.as_bytes());
            if is_named("FUNCTION") {
                functions.push(&command[1..]);
            } else if is_named("SCRIPT") {
                // Redis before 7 wrote which scripts it had cached. Nothing of the data depends on that.
            } else if is_named("EVAL") || is_named("EVALSHA") {
                let (path, name) = (path.display(), String::from_utf8_lossy(command[0]));
                return Err(ImportError::Unsupported(format!(
                    "{path}: it holds the command {name}, as Redis before 5 wrote scripts, which cannot be executed here; an \
                     RDB file of that server has what they made"
                )));
            } else {
                unit.push(command);
            }
        }
        if !unit.is_empty()
            && let Err(error) = self.target.unit(&unit)?
        {
            return Ok(Err(error));
        }
        // Only now: nothing of a transaction that cannot be executed is kept.
        functions.into_iter().try_for_each(|words| self.function(path, words))?;
        if unit.is_empty() {
            return Ok(Ok(()));
        }
        self.summary.commands += unit.len() as u64;
        self.reports += 1;
        if self.reports.is_multiple_of(REPORT_EVERY) {
            self.report(read);
        }
        Ok(Ok(()))
    }

    /// FUNCTION LOAD, DELETE and FLUSH: libraries are carried as their code.
    fn function(&mut self, path: &Path, words: &[&[u8]]) -> Result<(), ImportError> {
        if self.options.skip_functions {
            self.summary.skipped_functions += 1;
            return Ok(());
        }
        let libraries = &mut self.target.engine.libraries;
        let (what, words) = words.split_first().map_or((&b""[..], words), |(what, words)| (*what, words));
        match (what.to_ascii_lowercase().as_slice(), words) {
            (b"load", [.., code]) => libraries.put(code.to_vec()),
            (b"delete", [name]) => drop(libraries.remove(name)),
            (b"flush", _) => libraries.clear(),
            (b"restore", [payload, policy @ ..]) => {
                let codes = functions::libraries_of(payload).map_err(|failure| {
                    let why = String::from_utf8_lossy(failure.text()).into_owned();
                    ImportError::Unsupported(format!("{}: FUNCTION RESTORE: {why}", path.display()))
                })?;
                if policy.first().is_some_and(|policy| policy.eq_ignore_ascii_case(b"flush")) {
                    libraries.clear();
                }
                codes.into_iter().for_each(|code| libraries.put(code));
            }
            _ => {
                return Err(ImportError::Unsupported(format!(
                    "{}: it holds FUNCTION {}, which this version of ackd does not understand; --skip-functions leaves \
                     functions out",
                    path.display(),
                    String::from_utf8_lossy(what)
                )));
            }
        }
        Ok(())
    }
}
