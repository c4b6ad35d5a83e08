//! The question before what cannot be undone: on a terminal only, so that scripts go on.

use std::io::IsTerminal as _;

use crate::Surroundings;
use crate::args::admin::Confirmation;
use crate::commands::profile::asker::{Asker, Terminal};
use crate::exit::Failure;
use crate::output::{Reader, Stream};

/// Asks a person; a program and `--yes` are not asked.
///
/// # Errors
/// Exit 2: the answer is not yes.
pub(super) fn ask(typed: Confirmation, question: &str, around: &Surroundings) -> Result<(), Failure> {
    let output = &around.output;
    let person = output.reader() == Reader::Person && output.stderr() == Stream::Terminal;
    if typed.yes || !person || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    answered(&mut Terminal, question)
}

fn answered(asker: &mut dyn Asker, question: &str) -> Result<(), Failure> {
    let stopped = |why: &str| Failure::usage(format!("{why}; nothing is changed")).hint("--yes does not ask");
    let answer = asker.ask(&format!("{question} [y/N]")).map_err(|_| stopped("there was no answer"))?;
    match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(stopped("not confirmed")),
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::secret::SecretString;

    use super::*;
    use crate::exit::Exit;

    struct Says(Option<&'static str>);

    impl Asker for Says {
        fn say(&mut self, _: &str) {}

        fn ask(&mut self, question: &str) -> Result<String, Failure> {
            assert_eq!(question, "revoke it? [y/N]");
            self.0.map(str::to_owned).ok_or_else(|| Failure::usage("the input ended"))
        }

        fn ask_secret(&mut self, _: &str) -> Result<SecretString, Failure> {
            Err(Failure::usage("not asked"))
        }
    }

    #[test]
    fn only_yes_is_yes() {
        for yes in ["y", "Y", "yes"] {
            assert_eq!(answered(&mut Says(Some(yes)), "revoke it?"), Ok(()));
        }
        for no in [Some(""), Some("n"), Some("yess"), None] {
            assert_eq!(answered(&mut Says(no), "revoke it?").unwrap_err().exit(), Exit::Usage, "{no:?}");
        }
    }
}
