//! `ackd serve`: settings from a file, standard input and options, in Redis' way.
//!
//! `[FILE] [-] [--SETTING VALUE…]`: later ones win. An option's values end at the next known `--SETTING`; `--save ""`,
//! `"--port 7000"` as one word and `--port=7000` work too.

use super::{Invocation, UsageError};
use crate::base::{glob, quoting};
use crate::engine::config::table::{self, SECTIONS};
use crate::engine::config::{Class, Config, Kind, LineError, Reader, Setting, Source};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What to serve with.
#[derive(Debug)]
pub struct ServeRequest {
    /// All settings; `dir` is absolute.
    pub config: Config,
    /// Start without data although Redis' data are there.
    pub start_empty: bool,
    /// What the operator should hear about the settings.
    pub warnings: Vec<String>,
}

/// Where settings are read from.
pub trait Files {
    /// Standard input, to its end.
    fn standard_input(&self) -> io::Result<Vec<u8>>;
    /// A file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The names in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Where the server was started.
    fn current_dir(&self) -> PathBuf;
}

/// The real files.
pub struct System;

impl Files for System {
    fn standard_input(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text)?;
        Ok(text)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn current_dir(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
    }
}

/// Understands the arguments of `serve`.
pub fn parse(args: &[String], files: &dyn Files) -> Result<Invocation, UsageError> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        let all = args.iter().any(|arg| arg == "--help");
        let mut command = command();
        let help = if all { command.render_long_help() } else { command.render_help() };
        return Ok(Invocation::Print(help.to_string()));
    }
    let mut config = Config::new();
    let started_in = files.current_dir();
    let mut reader = Reader::new(&mut config);
    let mut file = None;
    let mut rest = args;
    if let Some((name, tail)) = rest.split_first().filter(|(name, _)| !name.starts_with('-')) {
        let path = started_in.join(name);
        let text = files.read(&path).map_err(|error| unreadable(name, &error))?;
        read_source(&mut reader, &Source { name: name.clone(), text }, files)?;
        file = Some(path);
        rest = tail;
    }
    let from_stdin = match rest {
        [first, tail @ ..] if first == "-" => Some(tail),
        [head @ .., last] if last == "-" => Some(head),
        _ => None,
    };
    if let Some(others) = from_stdin {
        let text = files.standard_input().map_err(|error| unreadable("-", &error))?;
        read_source(&mut reader, &Source { name: "standard input".into(), text }, files)?;
        rest = others;
    }
    let start_empty = read_options(&mut reader, rest, files)?;
    if let Some(file) = file {
        config.set_file(file);
    }
    config.resolve_dir(&started_in);
    let warnings = config.warnings();
    Ok(Invocation::Serve(Box::new(ServeRequest { config, start_empty, warnings })))
}

fn unreadable(file: &str, error: &io::Error) -> UsageError {
    let commands: Vec<String> = super::TOOLS.iter().map(|tool| (tool.command)().get_name().to_string()).collect();
    let hint = if file.contains(['.', '/']) || file == "-" {
        String::new()
    } else {
        format!("\nThe commands are: {}", [vec!["serve".to_string()], commands].concat().join(", "))
    };
    UsageError::File { file: file.into(), reason: error.to_string(), hint }
}

fn read_source(reader: &mut Reader<'_>, source: &Source, files: &dyn Files) -> Result<(), LineError> {
    reader.file(source, &mut |pattern| include(pattern, files))
}

/// The files that an `include` means: one, or those of a folder whose names fit a glob, in order.
fn include(pattern: &str, files: &dyn Files) -> io::Result<Vec<Source>> {
    let path = files.current_dir().join(pattern);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains(['*', '?', '[']) {
        return Ok(vec![Source { name: pattern.into(), text: files.read(&path)? }]);
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut found = match files.list(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(error),
    };
    found.retain(|candidate| {
        glob::matches(name.as_bytes(), candidate.as_bytes()) && (!candidate.starts_with('.') || name.starts_with('.'))
    });
    found.sort();
    found
        .iter()
        .map(|name| {
            let path = folder.join(name);
            Ok(Source { name: path.display().to_string(), text: files.read(&path)? })
        })
        .collect()
}

/// Reads options; answers whether `--start-empty` is among them.
fn read_options(reader: &mut Reader<'_>, args: &[String], files: &dyn Files) -> Result<bool, UsageError> {
    let mut start_empty = false;
    let mut directive: Vec<Vec<u8>> = Vec::new();
    for arg in args {
        let option = option(arg, directive.len() == 1)?;
        match option {
            Some(words) => {
                read_directive(reader, std::mem::take(&mut directive), files)?;
                if words[0] == b"start-empty" {
                    start_empty = true;
                } else {
                    directive = words;
                }
            }
            None if directive.is_empty() => {
                return Err(UsageError::Line(format!(
                    "'{arg}' is neither the first argument, a file, nor the value of a setting"
                )));
            }
            None => directive.push(arg.clone().into_bytes()),
        }
    }
    read_directive(reader, directive, files)?;
    Ok(start_empty)
}

fn read_directive(reader: &mut Reader<'_>, mut words: Vec<Vec<u8>>, files: &dyn Files) -> Result<(), UsageError> {
    match words.as_slice() {
        [] => return Ok(()),
        [name, pattern] if name.eq_ignore_ascii_case(b"include") => {
            let pattern = String::from_utf8_lossy(pattern);
            for source in include(&pattern, files).map_err(|error| unreadable(&pattern, &error))? {
                read_source(reader, &source, files)?;
            }
            return Ok(());
        }
        // As in Redis, `--save` alone means none.
        [name] if name == b"save" => words.push(Vec::new()),
        _ => {}
    }
    Ok(reader.command_line(&words)?)
}

/// The words of an option if `arg` begins one. Behind an option that lacks its value, only a known name does.
fn option(arg: &str, lacks_value: bool) -> Result<Option<Vec<Vec<u8>>>, UsageError> {
    let Some(text) = arg.strip_prefix("--").filter(|text| !text.is_empty()) else { return Ok(None) };
    let known = |name: &str| matches!(name, "start-empty" | "include") || table::index_of(name.as_bytes()).is_some();
    let words = match text.split_once('=') {
        Some((name, value)) if known(name) => vec![name.into(), value.into()],
        _ => quoting::split(text.as_bytes())
            .filter(|words| !words.is_empty())
            .ok_or_else(|| UsageError::Line(format!("'{arg}': quotes do not balance")))?,
    };
    let is_known = known(&String::from_utf8_lossy(&words[0]));
    Ok((is_known || !lacks_value).then_some(words))
}

/// The options, for help: those with an effect in short, all of them in long form.
fn command() -> clap::Command {
    let mut command = clap::Command::new("ackd serve")
        .about("Serves; settings have the names and meanings of Redis")
        .override_usage("ackd serve [FILE | -] [--SETTING VALUE ...]")
        .disable_help_flag(true)
        .arg(clap::Arg::new("FILE").help("A redis.conf; - reads one from standard input").value_name("FILE"))
        .arg(
            clap::Arg::new("start-empty")
                .long("start-empty")
                .help("Starts without data although Redis' data are in `dir`")
                .action(clap::ArgAction::SetTrue),
        )
        .after_help(
            "'not built yet': a value other than Redis' default stops the start. 'remembered': the value is kept and \
             can be read back, and does nothing. -h leaves both out. More in docs/configuration.md.",
        );
    for section in SECTIONS {
        for setting in section.settings.iter().filter(|setting| !setting.hidden) {
            let help = format!("{}{} {}", effect(setting), setting.about, remarks(setting));
            let arg = clap::Arg::new(setting.name)
                .long(setting.name)
                .value_name(value_name(setting.kind))
                .help(help)
                .help_heading(section.title)
                .hide_short_help(setting.class != Class::Effective);
            command = command.arg(arg);
        }
    }
    command
}

fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Toggle => "yes|no",
        Kind::Number(..) => "NUMBER",
        Kind::Memory(..) => "BYTES",
        Kind::MemoryOrPercent => "BYTES|PERCENT",
        Kind::Octal(_) => "OCTAL",
        Kind::Choice(_) => "WORD",
        Kind::Flags(_) | Kind::Composite(_) => "WORDS",
        Kind::Text => "TEXT",
        Kind::Path => "PATH",
    }
}

/// What stands before the description of a setting that does not do yet what it says.
fn effect(setting: &Setting) -> &'static str {
    match setting.class {
        Class::Effective => "",
        Class::Remembered => "(remembered, without effect) ",
        Class::NotBuilt => "(not built yet: refused) ",
    }
}

/// What is behind the description: the words to choose from, and the default.
fn remarks(setting: &Setting) -> String {
    let default = if setting.default.is_empty() { "\"\"" } else { setting.default };
    match setting.kind {
        Kind::Choice(choices) | Kind::Flags(choices) => {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            format!("[words: {}] [default: {default}]", words.join(", "))
        }
        _ => format!("[default: {default}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::AppendFsync;
    use std::collections::BTreeMap;

    struct Fake(BTreeMap<&'static str, &'static str>);

    impl Files for Fake {
        fn standard_input(&self) -> io::Result<Vec<u8>> {
            Ok(b"port 1\ntimeout 2\n".to_vec())
        }
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let found = path.to_str().and_then(|path| self.0.get(path));
            found.map(|text| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
        fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
            let paths = self.0.keys().map(Path::new).filter(|path| path.parent() == Some(folder));
            Ok(paths.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into()).collect())
        }
        fn current_dir(&self) -> PathBuf {
            "/home".into()
        }
    }

    fn request(line: &[&str]) -> Result<ServeRequest, String> {
        let files = Fake(BTreeMap::from([
            ("/home/a.conf", "port 7000\ndir data\ninclude /etc/d/*.conf\n"),
            ("/etc/d/2.conf", "hz 22\ntimeout 22\n"),
            ("/etc/d/1.conf", "hz 11\n"),
            ("/etc/d/x.txt", "nope"),
            ("/home/bad.conf", "nope 1"),
        ]));
        let args: Vec<String> = line.iter().map(|arg| arg.to_string()).collect();
        match super::super::parse(&args, &files).map_err(|error| error.to_string())? {
            Invocation::Serve(request) => Ok(*request),
            _ => Err("does not serve".into()),
        }
    }

    #[test]
    fn alone_it_serves_with_the_defaults() {
        for line in [&[][..], &["serve"]] {
            let request = request(line).unwrap();
            assert_eq!(request.config.port(), 6379);
            assert_eq!(request.config.dir(), "/home");
            assert!(!request.start_empty && request.warnings.is_empty() && request.config.file().is_none());
        }
    }

    #[test]
    fn options_win_over_the_file_and_its_includes() {
        let request = request(&[
            "a.conf",
            "--port",
            "7001",
            "--appendonly",
            "no",
            "--appendfsync",
            "everysec",
            "--start-empty",
            "--save",
        ])
        .unwrap();
        assert_eq!((request.config.port(), request.config.hz(), request.config.timeout()), (7001, 22, 22));
        assert_eq!(request.config.appendfsync(), AppendFsync::EverySec);
        assert_eq!(request.config.dir(), "/home/data");
        assert_eq!(request.config.file(), Some(Path::new("/home/a.conf")));
        assert!(request.start_empty);
        assert!(request.warnings.iter().any(|warning| warning.starts_with("appendonly is no")));
    }

    #[test]
    fn standard_input_is_read_where_a_dash_stands() {
        assert_eq!(request(&["-"]).unwrap().config.timeout(), 2);
        assert_eq!(request(&["-", "--port", "5"]).unwrap().config.port(), 5);
        let request = request(&["a.conf", "--hz", "33", "-"]).unwrap();
        assert_eq!((request.config.port(), request.config.hz(), request.config.timeout()), (1, 33, 2));
    }

    #[test]
    fn values_may_be_several_words_begin_with_dashes_or_stand_behind_an_equals_sign() {
        let config = request(&[
            "serve",
            "--bind",
            "127.0.0.1",
            "-::1",
            "--port=7",
            "--timeout 8",
            "--requirepass",
            "--x",
            "--save",
            "60",
            "1",
            "--slowlog-log-slower-than",
            "-1",
            "--SAVE",
            "30 2",
        ])
        .unwrap()
        .config;
        assert_eq!(config.bind().collect::<Vec<_>>(), ["127.0.0.1", "-::1"]);
        assert_eq!((config.port(), config.timeout(), config.requirepass()), (7, 8, &b"--x"[..]));
        assert_eq!(config.show("save").unwrap(), b"60 1 30 2");
        assert_eq!(config.show("slowlog-log-slower-than").unwrap(), b"-1");
    }

    #[test]
    fn a_file_can_be_included_among_the_options() {
        let request = request(&["--timeout", "1", "--include", "a.conf", "--hz", "33"]).unwrap();
        assert_eq!((request.config.port(), request.config.timeout(), request.config.hz()), (7000, 22, 33));
        assert_eq!(request.config.file(), None, "only the file that comes first is rewritten");
    }

    #[test]
    fn errors_name_what_is_wrong() {
        assert!(request(&["--appendfsnyc", "no"]).unwrap_err().contains("Did you mean appendfsync?"));
        assert!(request(&["--port"]).unwrap_err().contains("wrong number of arguments"));
        assert!(request(&["chek"]).unwrap_err().contains("The commands are: serve"));
        assert!(request(&["missing.conf"]).unwrap_err().contains("missing.conf"));
        assert!(request(&["--include", "missing.conf"]).unwrap_err().contains("missing.conf"));
        assert!(request(&["--include", "bad.conf"]).unwrap_err().contains("bad.conf, at line 1"));
        assert!(request(&["--include"]).unwrap_err().contains("wrong number of arguments"));
        assert!(request(&["bad.conf"]).unwrap_err().contains("bad.conf, at line 1"));
        assert!(request(&["--port", "1", "--cluster-enabled", "yes"]).unwrap_err().contains("cluster-enabled"));
        assert!(request(&["--start-empty", "x"]).unwrap_err().contains("'x'"));
    }

    #[test]
    fn help_shows_the_settings_by_section() {
        let help = command().render_long_help().to_string();
        for text in ["Durability:", "--appendfsync", "--start-empty", "TLS:", "[default: always]"] {
            assert!(help.contains(text), "{text} is missing");
        }
        assert!(!help.contains("ackd-self-check"));
        let below = |name: &str| help.split_once(&format!("--{name} <")).unwrap().1.lines().nth(1).unwrap().trim();
        assert!(below("cluster-enabled").starts_with("(not built yet: refused) Makes the server"));
        assert!(below("shutdown-timeout").starts_with("(remembered, without effect) Seconds"));
        assert!(below("port").starts_with("TCP port"));
        assert!(!command().render_help().to_string().contains("--tls-ciphers"));
    }
}
