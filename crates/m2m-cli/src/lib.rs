//! The binary `m2m`: all roles, no protocol knowledge.
//!
//! `main` → [`args`] (what was typed) → [`settings`] (what is meant) → [`commands`] (one file or folder each) →
//! [`exit`] (one code). Everything that is written goes through [`output`]. A command that needs a protocol rule asks a role crate
//! or `m2m-proto` for it.

pub mod args;
pub mod certificate;
pub mod commands;
pub mod connect;
mod console;
pub mod demo;
pub mod doctor;
pub mod exit;
mod gateway;
pub mod harden;
pub mod listen;
mod log;
pub mod output;
mod proxy;
pub mod quote;
pub mod schema;
mod serve;
pub mod settings;
mod trace;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;

use m2m_io::{Clock, OsRandom, Random, SystemClock};

use args::{Cli, Command, Global};
use exit::{Exit, Failure};
use output::{Color, Output, Reader};
use settings::env::Environment;

pub use commands::completion::answer as complete;
pub use usage::parse;

/// What a command may touch besides its arguments.
#[derive(Debug)]
pub struct Surroundings {
    /// The two streams.
    pub output: Output,
    /// The environment at start.
    pub environment: Environment,
    /// The working directory.
    pub directory: PathBuf,
    /// Flags that every command has.
    pub global: Global,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
}

/// Runs what was typed, from the environment to the exit code.
pub async fn run(cli: Cli, environment: Environment) -> Exit {
    let reader = if cli.wants_json() { Reader::Program } else { Reader::Person };
    let color = if environment.is_set("NO_COLOR") { Color::Never } else { Color::Auto };
    // A server says in its settings how its log is written.
    if !matches!(cli.command, Command::Serve(_) | Command::Gateway(_)) {
        log::start(cli.global.verbose, None);
    }
    let around = Arc::new(Surroundings {
        output: Output::process(reader, color, cli.global.verbose),
        environment,
        directory: std::env::current_dir().unwrap_or_default(),
        global: cli.global.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    });
    match dispatch(cli.command, &around).await {
        Ok(exit) => exit,
        Err(failure) => {
            around.output.failure(&failure);
            failure.exit()
        }
    }
}

async fn dispatch(command: Command, around: &Arc<Surroundings>) -> Result<Exit, Failure> {
    match command {
        Command::Demo(typed) => commands::demo::run(&typed, around).await,
        Command::Token(typed) => commands::token::run(&typed, around).await,
        Command::Request(typed) => commands::request::run(&typed, around).await,
        Command::Introspect(typed) => commands::introspect::run(&typed, around).await,
        Command::Revoke(typed) => commands::revoke::run(&typed, around).await,
        Command::Inspect(typed) => commands::inspect::run(&typed, around),
        Command::Verify(typed) => commands::verify::run(&typed, around).await,
        Command::Doctor(typed) => commands::doctor::run(&typed, around).await,
        Command::Profile(typed) => commands::profile::run(&typed, around).await,
        Command::Console(typed) => commands::console::run(&typed, around).await,
        Command::Providers(typed) => commands::providers::run(&typed, around),
        Command::Keygen(typed) => commands::keygen::run(&typed, around),
        Command::Admin(typed) => commands::admin::run(&typed, around).await,
        Command::Serve(typed) => commands::serve::run(&typed, around).await,
        Command::Gateway(typed) => commands::gateway::run(&typed, around).await,
        Command::Completion(typed) => commands::completion::run(&typed, around),
        Command::Man(typed) => commands::man::run(&typed, around),
    }
}
