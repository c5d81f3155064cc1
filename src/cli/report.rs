//! How the tools say what they did: as text or as one JSON object, and with an exit code.

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::Value;

/// Prints the summary of the tool `name`, as `--json` asks, and answers its exit code; or why there is none.
pub fn print<T>(
    name: &str,
    matches: &ArgMatches,
    result: Result<T, String>,
    as_json: impl FnOnce(&T) -> Value,
    as_text: impl FnOnce(&T) -> String,
    code: impl FnOnce(&T) -> ExitCode,
) -> ExitCode {
    let done = match result {
        Ok(done) => done,
        Err(error) => {
            eprintln!("ackd {name}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let text = if matches.get_flag("json") { format!("{}\n", as_json(&done)) } else { as_text(&done) };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read it has enough; the work is done all the same.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("ackd {name}: cannot write the report: {error}");
            ExitCode::FAILURE
        }
        _ => code(&done),
    }
}

/// `N bytes in N seconds, N MB/s`.
pub fn speed(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    format!("{bytes} bytes in {seconds:.2} seconds, {:.0} MB/s", megabytes_a_second(bytes, time))
}

/// How fast so many bytes were.
pub fn megabytes_a_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64().max(1e-6)
}

/// Runs what needs the disk of a server.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| format!("cannot start the runtime: {error}"))?.block_on(work))
}
