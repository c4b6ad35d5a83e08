use super::attach::{TABLE, With, is_a_word, row};
use super::*;

fn walk(command: &clap::Command, path: &str, see: &mut dyn FnMut(&str, &clap::Arg)) {
    for argument in command.get_arguments() {
        see(path, argument);
    }
    for inner in command.get_subcommands() {
        walk(inner, format!("{path} {}", inner.get_name()).trim_start(), see);
    }
}

#[test]
fn every_row_has_an_argument() {
    for (command, id, _) in TABLE {
        let mut found = false;
        walk(&Cli::command(), "", &mut |path, argument| {
            found |= argument.get_id() == *id && (*command == "*" || *command == path);
        });
        assert!(found, "{command} {id}");
    }
}

/// A new argument that takes a name wants a row, or stands here with its reason.
#[test]
fn every_argument_that_takes_a_name_is_completed() {
    let without = |path: &str, id: &str| {
        let makes = ["admin api create", "admin client create", "admin issuer create"].contains(&path)
            && ["identifier", "id"].contains(&id);
        // What is being made has no name yet, and what another server calls its clients is not known here.
        makes || id == "client_id" || path == "profile add" || path == "profile import"
    };
    walk(&Cli::command(), "", &mut |path, argument| {
        let id = argument.get_id().as_str();
        let named = argument.get_value_names().unwrap_or_default();
        let takes = named.iter().any(|name| ["ID", "CLIENT", "IDENTIFIER", "API"].contains(&name.as_str()))
            || named.iter().any(|name| name.starts_with("API="))
            || (named.iter().any(|name| *name == "NAME") && path.starts_with("profile") && id == "name");
        assert!(!takes || row(path, id).is_some() || without(path, id), "{path} {id}");
    });
}

/// The words are those of the help, so that a method that is gone is not offered.
#[test]
fn fixed_words_are_in_the_help() {
    walk(&Cli::command(), "", &mut |path, argument| {
        let Some(With::Words(words)) = row(path, argument.get_id().as_str()) else { return };
        let help = argument.get_long_help().or_else(|| argument.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        for word in words.iter().filter(|_| path != "request" && argument.get_id() != "token_profile") {
            assert!(help.contains(word), "{path} {}: {word}", argument.get_id());
        }
    });
    for name in super::words::TOKEN_PROFILES {
        assert!(m2m_resource_server::token_profiles::named(name).is_some(), "{name}");
    }
    for method in super::words::METHODS {
        assert!(crate::settings::method::Method::parse(method).is_some(), "{method}");
    }
}

/// A name in a list of candidates ends up on a command line.
#[test]
fn a_name_that_is_more_than_a_word_is_left_out() {
    for good in ["orders", "https://orders.example/a", "orders:read", "a=b,c", "svc@x+y%7e"] {
        assert!(is_a_word(good), "{good}");
    }
    for bad in ["", "a b", "$(reboot)", "`x`", "a;b", "a'b", "a\"b", "a\nb", "a|b", "ä", "\u{1b}[2J", "~"] {
        assert!(!is_a_word(bad), "{bad}");
    }
}

#[test]
fn a_flag_is_read_in_both_forms() {
    let line = |words: &str| {
        let words: Vec<OsString> = words.split(' ').map(Into::into).collect();
        Line::of(&words, &Environment::default(), "/".into())
    };
    let check = |words, expect| assert_eq!(line(words).flag("--client"), expect, "{words}");
    check("m2m admin audit --client billing --credential ", Some("billing"));
    check("m2m admin audit --client=billing ", Some("billing"));
    check("m2m admin audit --client-id x ", None);
    check("m2m admin audit --client", None);
    check("m2m admin audit --client a --client b ", Some("b"));
}
