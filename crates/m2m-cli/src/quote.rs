//! Text as it must be written so that another program reads back exactly that text.

use crate::output::is_layout;

/// For a POSIX shell, quoted whether that is needed or not: nothing in single quotes is special but the quote.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// For a POSIX shell, bare where nothing in it is special.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { shell(text) }
}

/// A basic string of TOML, on one line. YAML (a double-quoted scalar) and JSON read it too.
///
/// U+2028 and U+2029 end a line of YAML 1.1; marks of direction show a reader another text than a program gets.
pub fn toml(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || is_layout(c) => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A scalar of YAML: bare where every reader takes it for this string, else in double quotes.
pub fn yaml(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let word = text.to_ascii_lowercase();
    // Booleans and null of YAML 1.1 and 1.2; none of them holds a mark.
    let reserved = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"].contains(&word.as_str());
    if starts && plain && !reserved { text.to_owned() } else { toml(text) }
}

/// A string literal of Rust.
pub fn rust(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(shell("a.b-c"), "'a.b-c'");
        assert_eq!(shell("a'$(x)`"), r"'a'\''$(x)`'");
        assert_eq!(shell_word("https://a/b?c"), "'https://a/b?c'");
        assert_eq!(shell_word("https://a/b"), "https://a/b");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn toml_yaml_and_json_read_back_what_was_quoted() {
        for text in [
            "",
            "a b",
            "\"\\",
            "line\nend\u{7f}\u{9b}\u{85}",
            "a\u{2028}b\u{2029}\u{202e}",
            "ä\u{1f600}",
            "{{x}}",
            "# no comment",
        ] {
            let quoted = toml(text);
            assert!(!quoted.contains(|c: char| c.is_control() || is_layout(c)), "{quoted:?}");
            let table: toml::Table = format!("a = {quoted}").parse().unwrap();
            assert_eq!(table["a"].as_str(), Some(text));
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
        let check = |text: &str, expect: &str| assert_eq!(yaml(text), expect);
        check("orders-api", "orders-api");
        check("/run/secrets/a", "/run/secrets/a");
        check("yes", "\"yes\"");
        check("1.5", "\"1.5\"");
        check("https://a", "\"https://a\"");
        check("- a", "\"- a\"");
        check("", "\"\"");
    }
}
