//! Configuration files, in Redis' syntax.
//!
//! A line is a directive and its words, quoted as in inline commands; `#` begins a comment line; names are compared
//! without case; later lines win, and repeated `save` lines add up. The command line is read by the same rules, as
//! lines behind those of the file. Reading files is the caller's business: this module gets their text.

use super::setting::{Kind, Value};
use super::table::{self, DIRECTIVES};
use super::{Composite, Config, lacks, live::Live};
use crate::base::quoting;
use std::fmt;

/// How deep `include` may go: a file that includes itself is found out here.
const MAX_INCLUDE_DEPTH: usize = 16;

/// Directives of old Redis versions that newer ones skip.
const OBSOLETE: [&str; 3] = ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// The text of a file, and what it is called in errors.
#[derive(Clone, Debug)]
pub struct Source {
    /// A path, or `standard input`.
    pub name: String,
    /// The lines.
    pub text: Vec<u8>,
}

/// Gives the files that an `include` line means; none if a pattern fits no file.
pub type Include<'a> = &'a mut dyn FnMut(&str) -> std::io::Result<Vec<Source>>;

/// A line that cannot be obeyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineError {
    /// The file, or `the command line`.
    pub source: String,
    /// Its number from 1, in a file.
    pub line: Option<usize>,
    /// The line itself.
    pub text: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "*** FATAL CONFIG FILE ERROR (ackd {}) ***", env!("CARGO_PKG_VERSION"))?;
        match self.line {
            Some(line) => writeln!(f, "Reading the configuration file {}, at line {line}", self.source)?,
            None => writeln!(f, "Reading {}", self.source)?,
        }
        write!(f, ">>> '{}'\n{}", self.text, self.reason)
    }
}

impl std::error::Error for LineError {}

/// Reads lines into a [`Config`]; one a start.
#[derive(Debug)]
pub struct Reader<'a> {
    config: &'a mut Config,
    /// Whether a `save` line was met: the first one replaces the default, the next ones add.
    save_met: bool,
    /// Names of the settings that were given a value, in order.
    given: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Reads into `config`.
    pub fn new(config: &'a mut Config) -> Self {
        Self { config, save_met: false, given: Vec::new() }
    }

    /// Reads a file and what it includes.
    pub fn file(&mut self, source: &Source, include: Include<'_>) -> Result<(), LineError> {
        self.file_at_depth(source, include, 0)
    }

    /// Reads one directive of the command line.
    pub fn command_line(&mut self, words: &[Vec<u8>]) -> Result<(), LineError> {
        self.directive(words).map_err(|reason| LineError {
            source: "the command line".into(),
            line: None,
            text: words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" "),
            reason,
        })
    }

    /// Names of the settings that were given a value.
    pub fn given(&self) -> &[&'static str] {
        &self.given
    }

    fn file_at_depth(&mut self, source: &Source, include: Include<'_>, depth: usize) -> Result<(), LineError> {
        for (at, line) in source.text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let failed = |reason: String| LineError {
                source: source.name.clone(),
                line: Some(at + 1),
                text: String::from_utf8_lossy(line).into_owned(),
                reason,
            };
            let words = quoting::split(line).ok_or_else(|| failed("Unbalanced quotes in configuration line".into()))?;
            let Some(name) = words.first() else { continue };
            if name.eq_ignore_ascii_case(b"include") && words.len() == 2 {
                if depth == MAX_INCLUDE_DEPTH {
                    return Err(failed(format!("files include each other more than {MAX_INCLUDE_DEPTH} levels deep")));
                }
                let pattern = String::from_utf8_lossy(&words[1]).into_owned();
                let included = include(&pattern).map_err(|error| failed(format!("cannot read {pattern}: {error}")))?;
                for source in included {
                    self.file_at_depth(&source, include, depth + 1)?;
                }
            } else {
                self.directive(&words).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn directive(&mut self, words: &[Vec<u8>]) -> Result<(), String> {
        let (name, values) = words.split_first().ok_or("an empty line")?;
        let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
        let Some(index) = table::index_of(name) else {
            return self.no_setting(&lower, values);
        };
        let setting = table::settings()[index];
        if values.is_empty() || (values.len() > 1 && !setting.takes_words()) {
            return Err("wrong number of arguments".into());
        }
        let text = values.join(&b' ');
        let present = &self.config.values[index];
        let value = match setting.kind {
            Kind::Composite(Composite::Save) => self.save(present, setting.read(present, &text)?),
            _ => setting.read(present, &text)?,
        };
        if lacks(setting, &value) {
            return Err(format!("ackd does not have what {} asks for yet; leave it at '{}'", setting.name, {
                String::from_utf8_lossy(&setting.show(&setting.redis_default_value())).into_owned()
            }));
        }
        self.save_met |= setting.name == "save";
        self.config.values[index] = value;
        self.config.live = Live::read(&self.config.values);
        self.given.retain(|given| *given != setting.name);
        self.given.push(setting.name);
        Ok(())
    }

    fn save(&self, present: &Value, value: Value) -> Value {
        if !self.save_met || value.text().is_empty() || present.text().is_empty() {
            return value;
        }
        Value::Text([present.text(), value.text()].join(&b' '))
    }

    fn no_setting(&mut self, name: &str, words: &[Vec<u8>]) -> Result<(), String> {
        match DIRECTIVES.iter().find(|directive| directive.name == name) {
            _ if OBSOLETE.contains(&name) => Ok(()),
            Some(directive) if directive.built && words.len() >= directive.words => {
                match (name, words) {
                    ("user", _) => self.config.users.push(words.to_vec()),
                    ("rename-command", [old, new]) => self.config.renamed.push((old.clone(), new.clone())),
                    _ => return Err("wrong number of arguments, or not allowed here".into()),
                }
                Ok(())
            }
            Some(directive) if !directive.built && words.len() >= directive.words => {
                Err(format!("ackd does not have {name} yet, and does not start as if it had"))
            }
            Some(_) => Err("wrong number of arguments, or not allowed here".into()),
            None => Err(match table::nearest(name) {
                Some(near) => format!("Bad directive or wrong number of arguments. Did you mean {near}?"),
                None => "Bad directive or wrong number of arguments".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, LineError> {
        let mut config = Config::new();
        let source = Source { name: "a.conf".into(), text: text.into() };
        let mut include = |name: &str| match name {
            "b.conf" => Ok(vec![Source { name: "b.conf".into(), text: b"port 7\nnope 1\n".into() }]),
            "none*" => Ok(vec![]),
            "loop.conf" => Ok(vec![Source { name: "loop.conf".into(), text: b"include loop.conf".into() }]),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        Reader::new(&mut config).file(&source, &mut include).map(|()| config)
    }

    fn show(config: &Config, name: &str) -> String {
        String::from_utf8(config.show(name).unwrap()).unwrap()
    }

    #[test]
    fn lines_are_read_with_quotes_comments_and_any_case() {
        let config = read(
            "# comment\n\n  PORT 7000 \r\nrequirepass \"a b\\x00#\"\nBind 127.0.0.1 ::1\nslave-priority 5\n\
             client-output-buffer-limit replica 1mb 2kb 3\nmaxmemory 0\nunixsocketperm 700\n",
        );
        let config = config.unwrap();
        assert_eq!(config.port(), 7000);
        assert_eq!(config.requirepass(), b"a b\0#");
        assert_eq!(config.bind().collect::<Vec<_>>(), ["127.0.0.1", "::1"]);
        assert_eq!(show(&config, "replica-priority"), "5");
        assert_eq!(
            show(&config, "client-output-buffer-limit"),
            "normal 0 0 0 slave 1048576 2048 3 pubsub 33554432 8388608 60"
        );
        assert_eq!(config.unixsocketperm(), 0o700);
    }

    #[test]
    fn save_lines_add_up_and_an_empty_one_clears() {
        assert_eq!(show(&read("save 900 1\nsave 60 2").unwrap(), "save"), "900 1 60 2");
        assert_eq!(show(&read("save 900 1\nsave \"\"").unwrap(), "save"), "");
        assert_eq!(show(&read("save \"\"\nsave 60 2 30 3").unwrap(), "save"), "60 2 30 3");
        assert_eq!(show(&read("").unwrap(), "save"), "3600 1 300 100 60 10000");
    }

    #[test]
    fn an_error_names_file_line_and_the_nearest_name() {
        let error = read("port 1\n\nappendfsnyc no\n").unwrap_err();
        assert_eq!((error.source.as_str(), error.line), ("a.conf", Some(3)));
        assert!(error.to_string().contains("FATAL CONFIG FILE ERROR"));
        assert!(error.to_string().contains("a.conf, at line 3\n>>> 'appendfsnyc no'"));
        assert!(error.reason.ends_with("Did you mean appendfsync?"), "{}", error.reason);
        let error = read("include none*\ninclude b.conf").unwrap_err();
        assert_eq!((error.source.as_str(), error.line), ("b.conf", Some(2)));
        assert!(read("include missing.conf").unwrap_err().reason.starts_with("cannot read missing.conf"));
        assert!(read("include loop.conf").unwrap_err().reason.contains("levels deep"));
        assert_eq!(read("port \"1").unwrap_err().reason, "Unbalanced quotes in configuration line");
        assert_eq!(read("port 1 2").unwrap_err().reason, "wrong number of arguments");
        assert_eq!(read("port").unwrap_err().reason, "wrong number of arguments");
        assert_eq!(read("appendonly maybe").unwrap_err().reason, "argument must be 'yes' or 'no'");
    }

    #[test]
    fn what_would_protect_and_is_missing_stops_the_start() {
        for line in [
            "tls-cluster yes",
            "tls-port 6380",
            "loadmodule a.so",
            "replicaof 127.0.0.1 6379",
            "slaveof localhost 6379",
            "cluster-enabled yes",
        ] {
            assert!(read(line).unwrap_err().reason.contains("ackd does not have"), "{line}");
        }
        for line in ["maxmemory 1gb", "tls-port 0", "aclfile \"\"", "cluster-enabled no", "replicaof no one"] {
            read(line).unwrap();
        }
    }

    #[test]
    fn lines_of_users_and_renamed_commands_are_kept_for_who_knows_what_they_mean() {
        let config =
            read("user alice on >p ~* +@all\nuser bob off\nRENAME-COMMAND config \"\"\nrename-command get fetch")
                .unwrap();
        assert_eq!(config.users().len(), 2);
        assert_eq!(config.users()[1], [b"bob".to_vec(), b"off".to_vec()]);
        let renamed = [(b"config".to_vec(), Vec::new()), (b"get".to_vec(), b"fetch".to_vec())];
        assert_eq!(config.renamed(), renamed);
        assert!(read("rename-command get").is_err());
        assert!(read("user").is_err());
    }

    #[test]
    fn the_configuration_that_redis_comes_with_is_accepted() {
        let config = read(include_str!("redis_defaults.conf")).unwrap();
        assert_eq!(config.warnings().len(), 1, "{:?}", config.warnings());
        assert!(config.warnings()[0].starts_with("appendonly is no"));
        assert!(config.warning("appendfsync").is_some());
        // Debian's package sets these otherwise.
        let debian = "daemonize yes\npidfile /run/redis/redis-server.pid\nsupervised auto\nlogfile /var/log/redis/redis-server.log";
        assert!(read(debian).unwrap().warnings().is_empty());
    }
}
