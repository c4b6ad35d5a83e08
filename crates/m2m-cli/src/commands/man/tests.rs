use std::collections::BTreeMap;
use std::process::{Command as Process, Stdio};

use super::*;

/// Every page by name, and the definition that it is made of.
fn pages() -> BTreeMap<String, (String, Command)> {
    fn add(command: &mut Command, pages: &mut BTreeMap<String, (String, Command)>) {
        pages.insert(page::name(command), (page::of(command), command.clone()));
        for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
            add(inner, pages);
        }
    }
    let (mut root, mut pages) = (Cli::command(), BTreeMap::new());
    root.build();
    add(&mut root, &mut pages);
    pages
}

#[test]
fn every_command_has_a_page_with_its_options_and_examples() {
    let pages = pages();
    for name in ["m2m", "m2m-token", "m2m-admin-client-create", "m2m-profile-export", "m2m-man"] {
        assert!(pages.contains_key(name), "{name}");
    }
    for (name, (page, command)) in &pages {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("\\fB\\-\\-{}", long.replace('-', "\\-"))), "{name} {long}");
            }
        }
        let examples = command.get_after_help().is_some_and(|help| help.to_string().starts_with("Example"));
        assert_eq!(page.contains(".SH \"EXAMPLES\"\n.EX\n"), examples, "{name}");
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            assert!(pages.contains_key(&page::name(inner)), "{name} {}", inner.get_name());
        }
    }
}

#[test]
fn the_first_page_tells_exit_codes_variables_and_files() {
    let pages = pages();
    let (page, _) = &pages["m2m"];
    for text in [
        ".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR",
        "\\fB7\\fR  client refused",
        "\\fB70\\fR",
        ".SH \"ENVIRONMENT\"",
        "\\fBM2M_ISSUER\\fR",
        "\\fBNO_COLOR\\fR",
        ".SH \"FILES\"",
        "m2m.toml",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
    assert!(!page.contains("Exit codes:"), "told once");
}

/// Lines of examples come out of the formatter as they went in.
#[test]
fn pages_are_formatted_without_a_warning() {
    let groff = |arguments: &[&str], page: &str| {
        let mut child = Process::new("groff")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), page.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Some((text(output.stdout), text(output.stderr)))
    };
    for (name, (page, command)) in pages() {
        let Some((out, err)) = groff(&["-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=100n"], &page) else {
            eprintln!("skipped: groff is not installed");
            return;
        };
        assert_eq!(err, "", "{name}");
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.split("\n\n").find_map(|paragraph| {
            paragraph.strip_prefix("Examples:\n").or_else(|| paragraph.strip_prefix("Example:\n"))
        });
        for line in examples.unwrap_or_default().lines() {
            assert!(out.lines().any(|printed| printed == line), "{name}: {line}\n{out}");
        }
    }
}

#[test]
fn a_command_is_named_by_its_words() {
    let mut root = Cli::command();
    root.build();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let found = |root: &mut Command, text| find(root, &words(text)).map(|command| page::name(command));
    assert_eq!(found(&mut root, "").as_deref(), Ok("m2m"));
    assert_eq!(found(&mut root, "admin client create").as_deref(), Ok("m2m-admin-client-create"));
    let failure = found(&mut root, "admin clint").unwrap_err();
    assert_eq!((failure.exit(), failure.message()), (Exit::Usage, "m2m admin has no command clint"));
}
