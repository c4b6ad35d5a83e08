//! A page for each token service of the catalogue, from what `m2m providers ID --json` says and from the golden request
//! of the tests. They are made with the book and not committed: the catalogue is their only source.

use crate::run;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where docs/providers.md lists them.
const MARK: &str = "<!-- providers -->";

/// The line of SUMMARY.md that they stand below.
const ABOVE: &str = "- [Token services known by name](providers.md)\n";

/// Writes the pages, and their places into SUMMARY.md and providers.md.
pub(super) fn add(pages: &Path) -> Result<()> {
    run::succeed(run::cargo().args(["build", "--quiet", "--package", "m2m-cli", "--bin", "m2m"]))?;
    let list = asked(&[])?;
    fs::create_dir_all(pages.join("providers"))?;
    let (mut places, mut table) =
        (String::new(), "| Id | Service | What |\n| --- | --- | --- |\n".to_owned());
    for entry in list.get("providers").and_then(Value::as_array).context("no list of providers")? {
        let (id, name) = (text(entry, "id"), text(entry, "name"));
        let whole = asked(&[id])?;
        fs::write(pages.join(format!("providers/{id}.md")), page(&whole, &golden(id)))?;
        // Writing to a string cannot fail.
        let _ = writeln!(places, "  - [{name}](providers/{id}.md)");
        let _ = writeln!(table, "| [`{id}`](providers/{id}.md) | {name} | {} |", text(entry, "summary"));
    }
    put(&pages.join("SUMMARY.md"), ABOVE, &format!("{ABOVE}{places}"))?;
    put(&pages.join("providers.md"), MARK, &table)
}

fn put(path: &Path, mark: &str, new: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let (before, after) = text.split_once(mark).with_context(|| format!("{}: no {mark}", path.display()))?;
    Ok(fs::write(path, format!("{before}{new}{after}"))?)
}

fn asked(words: &[&str]) -> Result<Value> {
    let binary = run::target().join("debug/m2m");
    let text = run::output(Command::new(binary).arg("providers").args(words).arg("--json"))?;
    serde_json::from_str(&text).context("m2m providers --json")
}

/// The request as the tests have it; empty where the service is asked for none.
fn golden(id: &str) -> String {
    let path = run::root().join(format!("crates/m2m-client/providers/golden/{id}.http"));
    fs::read_to_string(path).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn page(entry: &Value, golden: &str) -> String {
    let id = text(entry, "id");
    let mut page = format!("# {}\n\n{}.\n\n", text(entry, "name"), shown(text(entry, "summary")));
    let _ = writeln!(page, "<{}>\n\nIn the catalogue as `{id}`. {}\n", text(entry, "docs"), facts(entry));
    if !text(entry, "reason").is_empty() {
        let _ = writeln!(page, "{}.\n", shown(text(entry, "reason")));
    }
    table(&mut page, entry);
    methods(&mut page, entry);
    endpoints(&mut page, entry);
    if !golden.is_empty() {
        let _ = writeln!(
            page,
            "## A request\n\nAs the tests have it, with a made-up client.\n\n```http\n{}\n```\n",
            golden.trim_end()
        );
    }
    traps(&mut page, entry);
    hints(&mut page, entry);
    let _ = writeln!(page, "`m2m providers {id}` tells the same, and the command that makes a profile.");
    page
}

fn facts(entry: &Value) -> &'static str {
    match text(entry, "confidence") {
        "read" => "Its facts were read at the source; what was not says *unverified*.",
        _ => "Its facts are from memory and not verified.",
    }
}

fn table(page: &mut String, entry: &Value) {
    let variables = array(entry, "/variables");
    if variables.is_empty() {
        return;
    }
    page.push_str("## Variables\n\n| Name | What | Such as |\n| --- | --- | --- |\n");
    for variable in variables {
        let [name, help, example] = ["name", "help", "example"].map(|key| text(variable, key));
        let _ = writeln!(page, "| `{name}` | {} | `{example}` |", shown(help));
    }
    page.push('\n');
}

fn methods(page: &mut String, entry: &Value) {
    let methods: Vec<&str> = array(entry, "/auth/methods").iter().filter_map(Value::as_str).collect();
    if methods.is_empty() {
        return;
    }
    page.push_str("## Client authentication\n\nThe preferred way first.\n\n");
    for method in methods {
        let _ = writeln!(page, "1. `{method}`");
    }
    page.push('\n');
}

fn endpoints(page: &mut String, entry: &Value) {
    let named = ["issuer", "token", "introspection", "revocation"];
    let found: Vec<(&str, &str)> = named
        .iter()
        .filter_map(|name| Some((*name, entry.pointer(&format!("/endpoints/{name}"))?.as_str()?)))
        .collect();
    if found.is_empty() {
        return;
    }
    page.push_str("## Endpoints\n\n| Endpoint | URL |\n| --- | --- |\n");
    for (name, url) in found {
        let _ = writeln!(page, "| {name} | `{url}` |");
    }
    page.push('\n');
}

fn unverified(entry: &Value, path: &str) -> &'static str {
    let listed = array(entry, "/unverified").iter().filter_map(Value::as_str);
    if listed.into_iter().any(|one| one == path) { " *(unverified)*" } else { "" }
}

fn traps(page: &mut String, entry: &Value) {
    let traps = array(entry, "/traps");
    if traps.is_empty() {
        return;
    }
    page.push_str("## Traps\n\n");
    for (index, trap) in traps.iter().enumerate() {
        let mark = unverified(entry, &format!("traps:{index}"));
        let _ = writeln!(page, "- {}{mark}", shown(text(trap, "text")));
    }
    page.push('\n');
}

fn hints(page: &mut String, entry: &Value) {
    let hints = array(entry, "/hints");
    if hints.is_empty() {
        return;
    }
    page.push_str("## What its errors mean\n\n| It says | Because | What to do |\n| --- | --- | --- |\n");
    for (index, hint) in hints.iter().enumerate() {
        let mut said = Vec::new();
        if let Some(status) = hint.get("status").and_then(Value::as_u64) {
            said.push(status.to_string());
        }
        for key in ["code", "contains"] {
            if let Some(text) = hint.get(key).and_then(Value::as_str) {
                said.push(format!("`{text}`"));
            }
        }
        let mark = unverified(entry, &format!("hints:{index}"));
        let [cause, fix] = ["cause", "fix"].map(|key| shown(text(hint, key)));
        let _ = writeln!(page, "| {} | {cause} | {fix}{mark} |", said.join(", "));
    }
    page.push('\n');
}

/// Text of the catalogue as Markdown: angle brackets, bars and stars are themselves.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    for c in text.chars() {
        code ^= c == '`';
        match c {
            '<' if !code => out.push_str("&lt;"),
            '|' | '*' | '_' | '[' if !code => out.extend(['\\', c]),
            '|' => out.push_str("\\|"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{page, shown};
    use serde_json::json;

    #[test]
    fn a_page_has_what_the_entry_has() {
        let entry = json!({
            "id": "x", "name": "X", "summary": "a service", "docs": "https://x.example", "confidence": "read",
            "unverified": ["traps:1"],
            "variables": [{"name": "domain", "help": "a|b", "example": "x.example"}],
            "auth": {"methods": ["client_secret_post"]},
            "endpoints": {"token": "https://{domain}/token"},
            "traps": [{"text": "first"}, {"text": "<second>"}],
            "hints": [{"status": 401, "code": "access_denied", "cause": "wrong", "fix": "mend it"}],
        });
        let page = page(&entry, "POST x\n");
        for text in [
            "# X\n\na service.\n\n<https://x.example>",
            "| `domain` | a\\|b | `x.example` |",
            "1. `client_secret_post`",
            "| token | `https://{domain}/token` |",
            "```http\nPOST x\n```",
            "- first\n- &lt;second> *(unverified)*",
            "| 401, `access_denied` | wrong | mend it |",
        ] {
            assert!(page.contains(text), "{text}\n{page}");
        }
        assert_eq!(shown("a_b `c_d` *"), "a\\_b `c_d` \\*");
    }
}
