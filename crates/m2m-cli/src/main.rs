//! `m2m`: OAuth 2.0 for machines. Parse, resolve, run, exit.

use std::process::ExitCode;

use m2m_cli::exit::{Exit, Failure};
use m2m_cli::output::{Color, Output, Reader};
use m2m_cli::settings::env::Environment;

fn main() -> ExitCode {
    m2m_cli::harden::process();
    let environment = Environment::process();
    if let Some(exit) = m2m_cli::complete(std::env::args_os().collect(), &environment) {
        return ExitCode::from(exit.code());
    }
    let color = if environment.is_set("NO_COLOR") { Color::Never } else { Color::Auto };
    let exit = match m2m_cli::parse(std::env::args_os().collect(), color) {
        Ok(cli) => match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => {
                let exit = runtime.block_on(m2m_cli::run(cli, environment));
                // A blocking read of standard input must not hold up the end.
                runtime.shutdown_background();
                exit
            }
            Err(error) => no_runtime(color, &error),
        },
        Err(exit) => exit,
    };
    ExitCode::from(exit.code())
}

fn no_runtime(color: Color, error: &std::io::Error) -> Exit {
    let failure = Failure::internal(format!("cannot start: {error}"));
    Output::process(Reader::Person, color, 0).failure(&failure);
    failure.exit()
}
