//! What a server may repeat and nobody may read.

use m2m_proto::form::encode_component;
use m2m_proto::secret::SecretString;

/// What no finding may show, should a server have repeated it: secrets that were read, and tokens.
#[derive(Clone, Debug, Default)]
pub struct Hidden(Vec<SecretString>);

/// What is shorter may stand in a text by chance, and is no secret worth the name.
const SHORTEST_SECRET: usize = 4;

impl Hidden {
    /// Also hides `secret`, and the form that it has in a request body.
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.0.push(SecretString::from(encode_component(secret).as_str()));
            self.0.push(SecretString::from(secret));
        }
    }

    /// The text without them, plain or form-encoded.
    pub fn scrub(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.expose().as_str(), "[redacted]"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Check, METHOD_NOT_OFFERED};
    use super::super::finding::{Finding, Report};
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn what_a_server_repeats_is_not_shown() {
        let mut hidden = Hidden::default();
        hidden.add("s3cret/+");
        hidden.add("abc");
        let blanks = [("methods", "s3cret%2F%2B")];
        let finding =
            Finding::fail(Exit::ClientRefused, "it said s3cret/+ of abc", &METHOD_NOT_OFFERED, &blanks);
        let shown = format!("{:?}", Report(vec![(Check::AuthMethod, finding)]).without(&hidden));
        assert!(!shown.contains("s3cret") && shown.contains("of abc"), "{shown}");
    }
}
