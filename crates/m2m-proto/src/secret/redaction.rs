//! What a peer has been shown and may say back.

use super::SecretString;
use crate::form::encode_component;

const REDACTED: &str = "[redacted]";

/// So much of a secret may stand at the end of a text by chance, in bytes.
const CHANCE: usize = 4;

/// Secrets to black out of what a peer writes, as they are and form-encoded.
/// Its `Debug` shows none.
#[derive(Clone, Debug, Default)]
pub struct Redaction(Vec<SecretString>);

impl Redaction {
    /// Also blacks out `secret`; an empty one is none.
    pub fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.push(SecretString::from(encode_component(secret).as_str()));
            self.0.push(SecretString::from(secret));
        }
    }

    /// `text` without those secrets; also without the beginning of one at its
    /// end, if it has more than four bytes, for long texts have been cut. What
    /// is encoded otherwise, or cut at its beginning, stays.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let whole = |text: String, secret: &SecretString| text.replace(secret.expose().as_str(), REDACTED);
        let text = self.0.iter().fold(text.to_owned(), whole);
        self.0.iter().fold(text, |text, secret| without_beginning(text, secret.expose()))
    }
}

fn without_beginning(mut text: String, secret: &str) -> String {
    let ends = secret.char_indices().map(|(at, _)| at).filter(|at| *at > CHANCE);
    let longest = ends.filter(|at| text.ends_with(secret.get(..*at).unwrap_or(secret))).max();
    if let Some(length) = longest {
        text.truncate(text.len() - length);
        text.push_str(REDACTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blacked_out_also_where_a_text_was_cut() {
        let mut shown = Redaction::default();
        shown.add("s3cret/value");
        shown.add("");
        let check = |text: &str, expect: &str| assert_eq!(shown.scrub(text), expect);
        check("no s3cret/value, nor s3cret%2Fvalue here", "no [redacted], nor [redacted] here");
        check("cut: s3cret/val", "cut: [redacted]");
        check("cut: s3cret%2Fv", "cut: [redacted]");
        check("it ends in s3c", "it ends in s3c");
        check("s3cret/valu and more", "s3cret/valu and more");
        check("", "");
        assert!(!format!("{shown:?}").contains("s3cret"));
    }
}
