//! The `ackd` binary: everything it does is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: ackd::base::allocator::Jemalloc = ackd::base::allocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    ackd::cli::run(&arguments, |request| {
        ackd::server::run::run(ackd::server::run::Options {
            config: request.config,
            start_empty: request.start_empty,
            warnings: request.warnings,
        })
    })
}
