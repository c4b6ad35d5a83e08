use clap::{CommandFactory, Parser};

use super::*;

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_names_every_command_about_profiles() {
    let cli = Cli::command();
    let profile = cli.find_subcommand("profile").unwrap();
    let about = profile.get_about().unwrap().to_string();
    let (_, named) = about.split_once(": ").unwrap();
    let commands: Vec<_> = profile.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(named.split(", ").collect::<Vec<_>>(), commands);
}

fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
    Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
}

#[test]
fn no_flag_takes_a_secret_or_a_token_by_value() {
    for line in [
        "m2m token --secret hunter2",
        "m2m token --client-secret hunter2",
        "m2m introspect eyJ.x.y",
        "m2m revoke eyJ.x.y",
        "m2m inspect eyJ.x.y",
        "m2m verify --issuer i --audience a eyJ.x.y",
        "m2m verify --issuer i --audience a --token eyJ.x.y",
    ] {
        assert_eq!(parse(line).err(), Some(clap::error::ErrorKind::UnknownArgument), "{line}");
    }
}

#[test]
fn only_one_source_of_the_secret() {
    let both = parse("m2m token --secret-env A --secret-file b").err();
    assert_eq!(both, Some(clap::error::ErrorKind::ArgumentConflict));
}

#[test]
fn verify_demands_issuer_and_audience() {
    let missing = Some(clap::error::ErrorKind::MissingRequiredArgument);
    assert_eq!(parse("m2m verify --issuer i").err(), missing);
    assert_eq!(parse("m2m verify --audience a").err(), missing);
}

#[test]
fn what_is_for_development_is_not_mixed_with_the_rest() {
    let conflict = Some(clap::error::ErrorKind::ArgumentConflict);
    assert!(parse("m2m serve").is_ok());
    assert!(parse("m2m serve --dev --listen 127.0.0.1:0 --env-file f").is_ok());
    assert_eq!(parse("m2m serve --dev --database memory:").err(), conflict);
    assert_eq!(parse("m2m serve --dev --behind-tls-proxy").err(), conflict);
    let missing = Some(clap::error::ErrorKind::MissingRequiredArgument);
    assert_eq!(parse("m2m serve --env-file f").err(), missing);
}

#[test]
fn json_is_a_body_after_request_and_a_format_before_it() {
    let cli = parse("m2m --json request POST http://h/ --json {}").unwrap();
    assert!(cli.wants_json());
    let Command::Request(request) = cli.command else { panic!("{:?}", cli.command) };
    assert_eq!(request.json_body.as_deref(), Some("{}"));
    assert!(parse("m2m token --json").unwrap().wants_json());
    assert!(parse("m2m token -o json").unwrap().wants_json());
    assert!(!parse("m2m token").unwrap().wants_json());
}

#[test]
fn dpop_takes_its_file_only_after_an_equals_sign() {
    let dpop = |line: &str| match parse(line).unwrap().command {
        Command::Token(token) => token.profile.dpop,
        other => panic!("{other:?}"),
    };
    assert_eq!(dpop("m2m token --dpop").as_deref(), Some("ephemeral"));
    assert_eq!(dpop("m2m token --dpop=key.pem").as_deref(), Some("key.pem"));
    assert_eq!(dpop("m2m token"), None);
}
