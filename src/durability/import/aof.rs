//! The commands of an append-only file, with its annotations.

use std::path::Path;

use super::{Damage, ImportError, Importer, Stop, unreadable};
use crate::disk::Mapped;
use crate::resp;

/// Commands between two reports.
const REPORT_EVERY: u64 = 1024;

impl Importer<'_> {
    /// Executes the commands of a file from `start` on.
    pub(super) async fn aof(&mut self, path: &Path, start: u64, before: u64) -> Result<(), Stop> {
        let len = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if len == start {
            return Ok(());
        }
        let map = Mapped::open(path, len).map_err(|error| unreadable(path, &error))?;
        let result = self.commands(path, map.bytes(), start as usize, before).await;
        match map.fault() {
            Some(fault) => Err(Stop::Failed(ImportError::Source(format!("{}: {fault}", path.display())))),
            None => result,
        }
    }

    async fn commands(&mut self, path: &Path, bytes: &[u8], start: usize, before: u64) -> Result<(), Stop> {
        let damaged =
            |offset: usize, what: String| Stop::Damaged(Damage { file: path.to_owned(), offset: offset as u64, what });
        // What stands in a transaction that does not end was never promised to anybody.
        let mut transaction = None;
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
                        let what =
                            if none.is_cut { "the file ends inside a command" } else { "no command begins here" };
                        let (at, what) = match transaction {
                            Some(begun) => (begun, format!("a transaction that does not end, for at byte {at} {what}")),
                            None => (at, what.to_owned()),
                        };
                        return Err(damaged(at, what));
                    }
                };
                let here = stretch + command.at;
                let name = command.arguments[0];
                match transaction {
                    None if name.eq_ignore_ascii_case(b"MULTI") => transaction = Some(here),
                    Some(_) if name.eq_ignore_ascii_case(b"EXEC") => transaction = None,
                    _ => {}
                }
                if name.eq_ignore_ascii_case(b"FUNCTION") {
                    self.function(path)?;
                    continue;
                }
                if let Err(error) = self.target.execute(&command.arguments).await? {
                    let name = String::from_utf8_lossy(name);
                    return Err(damaged(transaction.unwrap_or(here), format!("the command {name:?} failed: {error}")));
                }
                self.summary.commands += 1;
                if self.summary.commands.is_multiple_of(REPORT_EVERY) {
                    self.report(before + here as u64);
                }
            }
            at = bytes.len();
        }
        match transaction {
            Some(begun) => Err(damaged(begun, "a transaction that does not end".into())),
            None => Ok(()),
        }
    }
}
