//! Questions to a person: [`Asker`], and the terminal as one. Questions go to standard error, so that a result on
//! standard output can be redirected.

use std::io::Write as _;

use m2m_proto::secret::SecretString;

use crate::exit::Failure;
use crate::output::printable;
use crate::settings::program::reason;

/// Somebody who answers.
pub(crate) trait Asker {
    /// Says something that wants no answer.
    fn say(&mut self, text: &str);

    /// One line, without white space around it; empty when only the key was pressed.
    ///
    /// # Errors
    /// Exit 2: there will be no answer.
    fn ask(&mut self, question: &str) -> Result<String, Failure>;

    /// The same without echo.
    ///
    /// # Errors
    /// Exit 2: there will be no answer.
    fn ask_secret(&mut self, question: &str) -> Result<SecretString, Failure>;

    /// A number from 1 for one of the choices; asked again until it is one. Enter takes the first.
    ///
    /// # Errors
    /// Exit 2: there will be no answer.
    fn choose(&mut self, question: &str, choices: &[String]) -> Result<usize, Failure> {
        self.say(question);
        for (index, choice) in choices.iter().enumerate() {
            self.say(&format!("  {} {choice}", index + 1));
        }
        loop {
            let answer = self.ask("number [1]")?;
            if answer.is_empty() {
                return Ok(0);
            }
            match answer.parse::<usize>() {
                Ok(number) if (1..=choices.len()).contains(&number) => return Ok(number - 1),
                _ => self.say(&format!("a number from 1 to {}", choices.len())),
            }
        }
    }
}

/// The process's terminal.
pub(crate) struct Terminal;

impl Asker for Terminal {
    fn say(&mut self, text: &str) {
        // Nowhere is left to ask when the terminal is gone; the next answer will say so.
        let _closed = writeln!(std::io::stderr(), "{}", printable(text));
    }

    fn ask(&mut self, question: &str) -> Result<String, Failure> {
        let mut error = std::io::stderr();
        let _closed = write!(error, "{}: ", printable(question)).and_then(|()| error.flush());
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(0) => Err(no_answer("the input ended")),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(no_answer(&reason(&error))),
        }
    }

    fn ask_secret(&mut self, question: &str) -> Result<SecretString, Failure> {
        let typed = rpassword::prompt_password(format!("{} (not shown): ", printable(question)));
        typed.map(SecretString::new).map_err(|error| no_answer(&reason(&error)))
    }
}

/// Asks until `read` takes the answer.
///
/// # Errors
/// Exit 2: the answers end.
pub(super) fn until<T>(
    asker: &mut dyn Asker,
    question: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    loop {
        match read(&asker.ask(question)?) {
            Ok(value) => return Ok(value),
            Err(why) => asker.say(&format!("  {why}")),
        }
    }
}

/// Nobody answers.
pub(super) fn no_answer(why: &str) -> Failure {
    Failure::usage(format!("the conversation ended: {why}; nothing was written"))
        .hint("everything can be given by flags instead: m2m profile add --help")
}
