//! What could not be understood on the command line, said in the tool's voice.
//!
//! A token or a secret that was typed where none belongs is not repeated.

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::output::{Color, Output, Reader};

/// Parses the arguments; shows help, version or what is wrong with them.
///
/// # Errors
/// The exit code, when there is nothing to run.
pub fn parse(arguments: Vec<OsString>, color: Color) -> Result<Cli, Exit> {
    let wants_json = wants_json(&arguments);
    Cli::try_parse_from(arguments).map_err(|error| {
        let reader = if wants_json { Reader::Program } else { Reader::Person };
        let output = Output::process(reader, color, 0);
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                // clap knows whether the terminal takes colour.
                let _closed = error.print();
                Exit::Ok
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _closed = error.print();
                Exit::Usage
            }
            _ => {
                let failure = explain(&error);
                output.failure(&failure);
                failure.exit()
            }
        }
    })
}

/// Whether a program reads what is wrong with these arguments. After `request`, `--json` is a body.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "request").any(|argument| argument == "--json")
}

fn explain(error: &clap::Error) -> Failure {
    let typed = error.get(ContextKind::InvalidArg);
    if let Some(value) = suspect(error) {
        // Never more of it than clap's own sentence around it.
        let text =
            sentence(error).0.replace(&format!("'{value}'"), "(not repeated here, in case it is a secret)");
        return Failure::usage(text).hint(NOT_TYPED);
    }
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(argument))) = (error.kind(), typed)
        && !argument.starts_with('-')
    {
        return Failure::usage("unexpected argument (not repeated here, in case it is a secret)")
            .hint(NOT_TYPED);
    }
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(argument))) = (error.kind(), typed)
        && matches!(
            argument.as_str(),
            "--client-secret" | "--secret" | "--password" | "--private-key" | "--token"
        )
    {
        return Failure::usage(format!("{argument} is no argument")).hint(NAMED);
    }
    let (message, tip) = sentence(error);
    Failure::usage(message).hint(tip.unwrap_or_else(|| "--help shows what can be typed".to_owned()))
}

const NAMED: &str = "a secret is named, never typed: --secret-file, --secret-env, --secret-stdin, --secret-command, \
                     --private-key-file; a token comes by standard input or --token-file";

const NOT_TYPED: &str =
    "tokens and secrets come from files, standard input or the environment, never as arguments";

/// What clap says, on one line, and its tip.
fn sentence(error: &clap::Error) -> (String, Option<String>) {
    let text = error.render().to_string();
    let (first, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let first: Vec<&str> = first.lines().map(str::trim).collect();
    let message = first.join(" ");
    let tip = rest.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    (message.strip_prefix("error: ").unwrap_or(&message).to_owned(), tip.map(str::to_owned))
}

/// The value that clap would repeat, when it may be a secret: given to a flag that takes none, or too long or too
/// much like a token to be a misspelt word.
fn suspect(error: &clap::Error) -> Option<&str> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let strange = |value: &&str| value.len() > 24 || value.starts_with("eyJ") || value.contains("_sk_");
    match error.kind() {
        ErrorKind::TooManyValues => text(ContextKind::InvalidValue),
        ErrorKind::InvalidSubcommand => text(ContextKind::InvalidSubcommand).filter(strange),
        _ => text(ContextKind::InvalidValue).filter(strange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, message: &str, hint: &str) {
        let failure = explain(&Cli::try_parse_from(line.split(' ')).unwrap_err());
        assert_eq!((failure.message(), failure.advice()), (message, Some(hint)), "{line}");
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        check(
            "m2m token --client_id x",
            "unexpected argument '--client_id' found",
            "a similar argument exists: '--client-id'",
        );
        check(
            "m2m verify --audience a",
            "the following required arguments were not provided: --issuer <URL>",
            "--help shows what can be typed",
        );
    }

    #[test]
    fn a_body_of_request_does_not_ask_for_json() {
        let check = |line: &str, expect| {
            let arguments: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(wants_json(&arguments), expect, "{line}");
        };
        check("m2m token --json --bad", true);
        check("m2m --json request --bad", true);
        check("m2m request POST http://h/ --json {} --bad", false);
        check("m2m token --bad", false);
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for line in [
            "m2m revoke eyJhunter2",
            "m2m token --secret=hunter2",
            "m2m token --client-secret hunter2",
            "m2m token --secret-stdin=hunter2",
            "m2m eyJhunter2.x.y",
            "m2m m2m_sk_hunter2",
            "m2m token -o a-secret-that-is-long-hunter2",
            "m2m keygen eyJhunter2",
            "m2m serve --dev --listen eyJhunter2",
        ] {
            let failure = explain(&Cli::try_parse_from(line.split(' ')).unwrap_err());
            assert!(!failure.to_json().to_string().contains("hunter2"), "{:?}", failure);
        }
    }
}
