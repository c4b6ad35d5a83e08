//! Writes one JSON object straight into a string, nested ones included.
//!
//! A document in between (a map of values) costs more time than all else about
//! a token but its signature. Names are written as they are, so they must need
//! no escapes; values are escaped as RFC 8259 section 7 says.

use std::fmt::Write as _;

/// Writes one JSON object, member by member.
pub(in crate::token) struct ObjectWriter(String);

impl ObjectWriter {
    pub(in crate::token) fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes.max(2));
        text.push('{');
        Self(text)
    }

    /// Opens a member. A brace at the end is one that was just opened: values end in a quote, a digit or a
    /// closing bracket.
    fn separate(&mut self) {
        let opened = self.0.as_bytes().last() == Some(&b'{');
        self.0.push_str(if opened { "\"" } else { ",\"" });
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    pub(in crate::token) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        push_escaped(&mut self.0, value);
        self.0.push('"');
    }

    pub(in crate::token) fn texts<T: AsRef<str>>(&mut self, name: &str, values: &[T]) {
        self.name(name);
        let mut before = '[';
        for value in values {
            self.0.push(before);
            self.0.push('"');
            push_escaped(&mut self.0, value.as_ref());
            self.0.push('"');
            before = ',';
        }
        self.0.push(']');
    }

    pub(in crate::token) fn words<'w>(&mut self, name: &str, words: impl Iterator<Item = &'w str>) {
        self.name(name);
        let mut before = '"';
        for word in words {
            self.0.push(before);
            push_escaped(&mut self.0, word);
            before = ' ';
        }
        self.0.push('"');
    }

    pub(in crate::token) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let _cannot_fail = write!(self.0, "{value}");
    }

    /// A value that is JSON already; the name may need escapes.
    pub(in crate::token) fn value(&mut self, name: &str, value: &serde_json::Value) {
        self.separate();
        push_escaped(&mut self.0, name);
        self.0.push_str("\":");
        let _cannot_fail = write!(self.0, "{value}");
    }

    pub(in crate::token) fn object(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.0.push('{');
        write(self);
        self.0.push('}');
    }

    pub(in crate::token) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// RFC 8259 section 7.
fn push_escaped(out: &mut String, text: &str) {
    // Every byte is looked at, without a way out in between: many at a time, then.
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |found, byte| found | special(byte)) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\0'..='\u{1F}' => {
                let _cannot_fail = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn no_member_twice_no_comma_too_many() {
        let mut object = ObjectWriter::with_capacity(0);
        object.text("a", "x");
        object.texts("b", &["y", "z"]);
        object.words("c", ["v", "w"].into_iter());
        object.number("d", u64::MAX);
        object.object("e", |inner| inner.text("f", ""));
        object.object("g", |_| {});
        assert_eq!(
            object.finish(),
            r#"{"a":"x","b":["y","z"],"c":"v w","d":18446744073709551615,"e":{"f":""},"g":{}}"#
        );
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let mut object = ObjectWriter::with_capacity(0);
            object.text("a", &text);
            object.texts("b", &[&text]);
            let read: Value = serde_json::from_str(&object.finish()).unwrap();
            prop_assert_eq!(&read, &serde_json::json!({"a": text, "b": [text]}));
        }
    }
}
