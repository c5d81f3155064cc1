//! Layer 7: the command line. One file a subcommand; no logic of its own.
//!
//! `ackd` alone serves, as do `ackd serve …` and Redis' own habit, `ackd FILE.conf --directive value …`. A tool is a
//! row of [`TOOLS`]: its name is found here, the rest of the line is its own.

pub mod backup;
mod bar;
pub mod check;
mod data;
pub mod export;
pub mod import;
pub mod log;
pub mod repair;
mod report;
pub mod restore;
pub mod serve;
pub mod torture;

use serve::{Files, ServeRequest};
use std::process::ExitCode;

/// A subcommand besides `serve`.
pub struct Tool {
    /// Its name and options; the name is what selects it.
    pub command: fn() -> clap::Command,
    /// Runs it.
    pub run: fn(&clap::ArgMatches) -> ExitCode,
}

impl Tool {
    /// Its name and options, and how it is called.
    fn command_line(&self) -> clap::Command {
        let command = (self.command)();
        let called = format!("ackd {}", command.get_name());
        command.bin_name(called)
    }
}

/// Ends with what is wrong with the arguments of a tool, as for those that do not exist.
fn usage_error(tool: &Tool, why: &str) -> ! {
    tool.command_line().error(clap::error::ErrorKind::ArgumentConflict, why).exit()
}

/// An option that is there or not.
fn flag(name: &'static str, help: &'static str) -> clap::Arg {
    clap::Arg::new(name).long(name).action(clap::ArgAction::SetTrue).help(help)
}

/// All of them, in the order in which help shows them.
pub const TOOLS: &[Tool] =
    &[backup::TOOL, check::TOOL, export::TOOL, import::TOOL, log::TOOL, repair::TOOL, restore::TOOL, torture::TOOL];

/// What the command line asks for.
pub enum Invocation {
    /// To serve.
    Serve(Box<ServeRequest>),
    /// To print this and exit successfully.
    Print(String),
    /// To run a tool.
    Tool(&'static Tool, Box<clap::ArgMatches>),
}

/// A command line that cannot be obeyed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A setting, in a file or on the command line.
    #[error(transparent)]
    Setting(#[from] crate::engine::config::LineError),
    /// A file with settings cannot be read.
    #[error("Fatal error, can't open config file '{file}': {reason}{hint}")]
    File {
        /// Its name as given.
        file: String,
        /// The system's reason.
        reason: String,
        /// What else may have been meant.
        hint: String,
    },
    /// Something that is neither a setting nor a file.
    #[error("{0}")]
    Line(String),
    /// A tool's arguments.
    #[error("{0}")]
    Tool(clap::Error),
}

/// Understands a command line (without the program's name).
pub fn parse(args: &[String], files: &dyn Files) -> Result<Invocation, UsageError> {
    let first = args.first().map(String::as_str);
    if let Some(tool) = TOOLS.iter().find(|tool| first == Some((tool.command)().get_name())) {
        let matches = tool.command_line().try_get_matches_from(args).map_err(UsageError::Tool)?;
        return Ok(Invocation::Tool(tool, Box::new(matches)));
    }
    match first {
        Some("--help" | "-h" | "help") if args.len() == 1 => {
            Ok(Invocation::Print(command().render_long_help().to_string()))
        }
        Some("--version" | "-v" | "-V") if args.len() == 1 => Ok(Invocation::Print(version())),
        Some("serve") => serve::parse(&args[1..], files),
        _ => serve::parse(args, files),
    }
}

/// Does what the command line asks for; `serve` runs a server.
pub fn run(args: &[String], serve: impl FnOnce(ServeRequest) -> ExitCode) -> ExitCode {
    match parse(args, &serve::System) {
        Ok(Invocation::Serve(request)) => serve(*request),
        Ok(Invocation::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Invocation::Tool(tool, matches)) => (tool.run)(&matches),
        Err(UsageError::Tool(error)) => error.exit(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn version() -> String {
    format!("ackd v={} bits={} redis={}\n", env!("CARGO_PKG_VERSION"), usize::BITS, REDIS_VERSION)
}

/// The Redis version whose contract holds.
const REDIS_VERSION: &str = "7.2.4";

/// The whole command line, for help.
fn command() -> clap::Command {
    let tools = TOOLS.iter().map(|tool| (tool.command)());
    clap::Command::new("ackd")
        .about("A Redis-compatible server whose acknowledgement means that the write is on disk")
        .override_usage("ackd [FILE | -] [--SETTING VALUE ...]\n       ackd COMMAND [OPTIONS]")
        .after_help(
            "Without a command, ackd serves. FILE is a redis.conf; - reads one from standard input; settings given as \
             options win.\n`ackd serve --help` lists them.",
        )
        .subcommand(clap::Command::new("serve").about("Serves (the default)"))
        .subcommands(tools)
        .disable_help_subcommand(true)
        .arg(
            clap::Arg::new("version")
                .short('v')
                .long("version")
                .help("Prints the version")
                .action(clap::ArgAction::Version),
        )
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_version_are_printed() {
        let printed = |arg: &str| match parse(&[arg.into()], &serve::System) {
            Ok(Invocation::Print(text)) => text,
            _ => panic!("{arg} prints nothing"),
        };
        assert!(printed("--version").starts_with("ackd v="));
        assert!(printed("--help").contains("ackd [FILE | -]"));
        assert!(printed("-h").contains("serve"));
    }

    #[test]
    fn tools_say_how_they_are_called() {
        for tool in TOOLS {
            let name = (tool.command)().get_name().to_owned();
            for wrong in ["--help", "--no-such-option"] {
                let Err(UsageError::Tool(error)) = parse(&[name.clone(), wrong.into()], &serve::System) else {
                    panic!("{name} {wrong} is understood");
                };
                assert!(error.to_string().contains(&format!("Usage: ackd {name}")), "{error}");
            }
        }
    }
}
