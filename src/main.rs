//! Parse, run, exit code.

use cutover::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::of_process();
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(cutover::commands::run(cli)).code()),
        Err(_) => ExitCode::FAILURE,
    }
}
