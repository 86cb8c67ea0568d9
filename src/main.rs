//! Parse, run, exit code.

use cutover::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::of_process();
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(cutover::commands::run(cli));
            // a read of stdin that is under way would hold up the end
            runtime.shutdown_background();
            ExitCode::from(exit.code())
        }
        Err(_) => ExitCode::FAILURE,
    }
}
