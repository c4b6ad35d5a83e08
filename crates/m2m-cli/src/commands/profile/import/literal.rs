//! An object literal of JavaScript or TypeScript, as people paste it out of their code: `const credentials = { … };`
//! with unquoted keys, single quotes, comments, trailing commas and `process.env.NAME`.
//!
//! Enforces: values are texts, numbers, `true`, `false`, `null`, variables of the environment, and arrays and objects of
//! these; nothing is evaluated. A variable becomes the text `process.env.NAME`, which [`super::members`] understands.
//! Limits: 256 KiB, 8 levels, no member twice.

use serde_json::{Map, Value};

const MAX_BYTES: usize = 256 * 1024;
const MAX_DEPTH: usize = 8;

/// Why a text is no such object; no text of it is repeated.
pub(super) type Problem = (usize, &'static str);

/// Reads the first object of the text; the problem has its line, from 1.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Problem> {
    if text.len() > MAX_BYTES {
        return Err((1, "it is longer than 256 KiB"));
    }
    let start = text.find('{').ok_or((1, "there is no object in it"))?;
    let mut reader = Reader { text, at: start, depth: 0 };
    match reader.value() {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err((1, "there is no object in it")),
        Err(problem) => {
            Err((text.bytes().take(reader.at).filter(|byte| *byte == b'\n').count() + 1, problem))
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Past white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                rest.len() - rest.trim_start().len()
            };
            if length == 0 {
                return;
            }
            self.at += length;
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.skip();
        let is = self.peek() == Some(wanted);
        if is {
            self.next();
        }
        is
    }

    fn value(&mut self) -> Result<Value, &'static str> {
        self.skip();
        match self.peek() {
            Some('{') => self.nested(Self::members),
            Some('[') => self.nested(Self::items),
            Some(quote @ ('"' | '\'' | '`')) => self.string(quote).map(Value::String),
            Some(c) if c.is_ascii_digit() || c == '-' => {
                let number = self.word(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                serde_json::from_str(&number).map_err(|_| "a number that is none")
            }
            Some(_) => self.name(),
            None => Err("the text ends too early"),
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<Value, &'static str>) -> Result<Value, &'static str> {
        self.next();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deep");
        }
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn members(&mut self) -> Result<Value, &'static str> {
        let mut members = Map::new();
        while !self.takes('}') {
            let key = match self.peek() {
                Some(quote @ ('"' | '\'')) => self.string(quote)?,
                Some('.') => return Err("members of another object (...) cannot be known; write them out"),
                _ => self.word(|c| c.is_alphanumeric() || c == '_' || c == '$'),
            };
            if key.is_empty() || !self.takes(':') {
                return Err("expected a key, a colon and a value");
            }
            let value = self.value()?;
            if members.insert(key, value).is_some() {
                return Err("a member stands there twice");
            }
            if !self.takes(',') && self.peek() != Some('}') {
                return Err("expected a comma or the end of the object");
            }
        }
        Ok(Value::Object(members))
    }

    fn items(&mut self) -> Result<Value, &'static str> {
        let mut items = Vec::new();
        while !self.takes(']') {
            items.push(self.value()?);
            if !self.takes(',') && self.peek() != Some(']') {
                return Err("expected a comma or the end of the array");
            }
        }
        Ok(Value::Array(items))
    }

    fn string(&mut self, quote: char) -> Result<String, &'static str> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some('\n') if quote != '`' => return Err("a text that does not end on its line"),
                Some(c) => text.push(c),
                None => return Err("a text that does not end"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, &'static str> {
        Ok(match self.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u' | 'x' | '0'..='9') | None => return Err("an escape that is not understood"),
            Some(other) => other,
        })
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let word: String = rest.chars().take_while(|c| fits(*c)).collect();
        self.at += word.len();
        word
    }

    /// A word of the language, or a variable of the environment.
    fn name(&mut self) -> Result<Value, &'static str> {
        match self.word(|c| c.is_alphanumeric() || "_$.".contains(c)).as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" | "undefined" => Ok(Value::Null),
            name if name.starts_with("process.env.") => {
                // TypeScript's "it is there".
                self.takes('!');
                Ok(Value::String(name.to_owned()))
            }
            _ => Err("a value that only its program knows; write the value, or process.env.NAME"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_is_read() {
        let text = "
            // Auth0
            const credentials: Credentials = {
              tokenUrl: 'https://your-tenant.auth0.com/oauth/token', // the tenant's
              'clientId': \"it's\", /* registered */
              clientSecret: process.env.AUTH0_CLIENT_SECRET!,
              scopes: ['a', `b`,],
              privateKey: '-----BEGIN\\n...',
              timeout: 30, dpop: null, more: { a: true },
            };
            callWith(credentials);";
        let expect = serde_json::json!({
            "tokenUrl": "https://your-tenant.auth0.com/oauth/token",
            "clientId": "it's",
            "clientSecret": "process.env.AUTH0_CLIENT_SECRET",
            "scopes": ["a", "b"],
            "privateKey": "-----BEGIN\n...",
            "timeout": 30,
            "dpop": null,
            "more": {"a": true},
        });
        assert_eq!(object(text).map(Value::Object), Ok(expect));
    }

    #[test]
    fn what_is_not_understood_has_its_line() {
        let check = |text: &str, line: usize| assert_eq!(object(text).unwrap_err().0, line, "{text}");
        check("no object", 1);
        check("{\n a: secretOf('x') }", 2);
        check("{\n ...base,\n a: 1 }", 2);
        check("{ a: 1,\n a: 2 }", 2);
        check("{ a: 'x\n' }", 2);
        check("{ a: 1 b: 2 }", 1);
        check("{ a: '\\u0041' }", 1);
        check("{ a: ", 1);
        check("{ a }", 1);
        check(&"{a:".repeat(9), 1);
        check(&format!("{{ a: '{}' }}", "x".repeat(MAX_BYTES)), 1);
    }

    #[test]
    fn decoding_any_prefix_of_an_object_never_panics() {
        let text =
            "const c = { a: 'ä\\n', \"b\": [1, true, `x`], c: process.env.X, /* é */ d: { e: null } };";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _any = object(&text[..end]);
        }
    }
}
