//! Names: words that say nothing, and names of the protocol that stand in the
//! code as text instead of coming from `names.rs`.

use super::Finding;
use super::source::Source;

/// Words for things that nobody thought about.
const BANNED: &[&str] = &[
    "manager", "managers", "helper", "helpers", "util", "utils", "common", "misc", "context", "data", "info",
    "base", "impl", "new", "old",
];

/// Banned except where the word is the field's own.
const BANNED_OUTSIDE: &[(&str, &[&str])] =
    &[("handler", &["endpoints/"]), ("service", &["layer.rs", "axum.rs"])];

/// Names that only the protocol uses; short ones like `exp` would hit too much else.
const WIRE_NAMES: &[&str] = &[
    "grant_type",
    "client_assertion",
    "client_assertion_type",
    "token_type_hint",
    "introspection_endpoint",
    "revocation_endpoint",
    "token_endpoint_auth_methods_supported",
    "mtls_endpoint_aliases",
    "x5t#S256",
    "htu",
    "htm",
    "ath",
    "jkt",
    "cnf",
    "DPoP-Nonce",
    "dpop-nonce",
    "at+jwt",
    "dpop+jwt",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client-authentication+jwt",
];

/// Codes that only the one table may spell.
const ERROR_CODES: &[&str] = &[
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_target",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token_type",
    "insufficient_scope",
];

/// Banned words, and wire names as string literals.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = words(source);
    findings.extend(literals(source));
    findings
}

fn words(source: &Source) -> Vec<Finding> {
    let inside = source.inside().unwrap_or_default();
    let mut findings = Vec::new();
    let file = inside.trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
    let declared =
        source.code.lines().enumerate().filter_map(|(index, line)| Some((index + 1, declared(line)?)));
    for (line, name) in declared.chain([(1, file)]) {
        for word in split(name) {
            let elsewhere = BANNED_OUTSIDE.iter().find(|(banned, _)| *banned == word);
            let refused = match elsewhere {
                Some((_, homes)) => !homes.iter().any(|home| inside.contains(home)),
                None => BANNED.contains(&word.as_str()),
            };
            if refused {
                findings.push(Finding::at(
                    source,
                    line,
                    format!("the word {word:?} in {name:?} says nothing"),
                ));
            }
        }
    }
    findings
}

/// The type or module that a line declares. An indented `type` is a trait's, whose author named it.
fn declared(line: &str) -> Option<&str> {
    if line.trim_start().starts_with("type ") && line.starts_with(' ') {
        return None;
    }
    let mut words =
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let first = words.by_ref().find(|word| !matches!(*word, "pub" | "crate" | "super" | "in" | "unsafe"))?;
    matches!(first, "struct" | "enum" | "trait" | "type" | "mod" | "union").then(|| words.next()).flatten()
}

/// `TokenCache` and `token_cache` are both `token`, `cache`.
fn split(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut().filter(|_| letter != '_') {
            last.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn literals(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.package() == "xtask" || source.package() == "m2m-testkit" {
        return findings;
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for (line, text) in &source.strings {
        // serde's attributes take literals only.
        let attribute = lines.get(line - 1).is_some_and(|line| line.contains("serde("));
        if source.is_test(*line) || attribute {
            continue;
        }
        if WIRE_NAMES.contains(&text.as_str()) && source.path != "crates/m2m-proto/src/names.rs" {
            findings.push(Finding::at(source, *line, format!("{text:?}: take it from m2m_proto::names")));
        }
        if ERROR_CODES.contains(&text.as_str()) && source.path != "crates/m2m-proto/src/error/code.rs" {
            findings.push(Finding::at(
                source,
                *line,
                format!("{text:?}: take it from m2m_proto's ErrorCode"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{check, split};
    use crate::tidy::source::Source;

    fn findings(path: &str, text: &str) -> usize {
        check(&Source::parse(path, text.to_owned())).len()
    }

    #[test]
    fn banned_words_are_whole_words_of_declared_names() {
        const PATH: &str = "crates/m2m-client/src/a.rs";
        for bad in
            ["struct TokenManager;", "pub(crate) mod utils;", "type NewToken = u8;", "pub enum Info {}"]
        {
            assert_eq!(findings(PATH, bad), 1, "{bad}");
        }
        for good in
            ["struct Database;", "fn helper() {}", "let manager = 1;", "mod base64url;", "use hyper_util;"]
        {
            assert_eq!(findings(PATH, good), 0, "{good}");
        }
        assert_eq!(findings("crates/m2m-client/src/helpers.rs", ""), 1);
        assert_eq!(findings(PATH, "struct AttachService;"), 1);
        assert_eq!(findings("crates/m2m-client/src/layer.rs", "struct AttachService;"), 0);
        assert_eq!(split("DpopProof_x"), ["dpop", "proof", "x"]);
    }

    #[test]
    fn wire_names_come_from_one_file() {
        const LINE: &str = "const A: &str = \"grant_type\";";
        assert_eq!(findings("crates/m2m-client/src/a.rs", LINE), 1);
        assert_eq!(findings("crates/m2m-proto/src/names.rs", LINE), 0);
        assert_eq!(findings("crates/m2m-client/src/a/tests.rs", LINE), 0);
        assert_eq!(findings("crates/m2m-client/src/a.rs", "#[serde(rename = \"x5t#S256\")]"), 0);
        assert_eq!(findings("crates/m2m-client/src/a.rs", "const A: &str = \"invalid_client\";"), 1);
        assert_eq!(findings("crates/m2m-proto/src/error/code.rs", "const A: &str = \"invalid_client\";"), 0);
    }
}
