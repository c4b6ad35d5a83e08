//! One command's page, from the definition that `--help` is made of.
//!
//! What stands below the options in `--help` is here too: examples line by line, tables as they are, sentences filled.

use clap::builder::PossibleValue;
use clap::{Arg, Command};

use super::roff::{Inline, Page};
use super::sections;

/// The page of a command that was built; the root has what holds for all of them.
pub(super) fn of(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    let name = name(command);
    let version = format!("m2m {}", env!("CARGO_PKG_VERSION"));
    let mut page = Page::titled(&name, &version);
    page.section("name");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.inline(&[Inline::Roman(&name), Inline::Roman(" - "), Inline::Roman(&about)]);
    page.section("synopsis");
    page.lines(&synopsis(&usage));
    if let Some(long) = command.get_long_about() {
        page.section("description");
        page.text(&long.to_string());
    }
    commands(&mut page, command);
    arguments(&mut page, command);
    after(&mut page, command);
    if is_root(command) {
        sections::write(&mut page);
    }
    see_also(&mut page, &name);
    page.finish()
}

/// `m2m-admin-client`
pub(super) fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}

fn is_root(command: &Command) -> bool {
    !name(command).contains('-')
}

fn synopsis(usage: &str) -> String {
    let usage = usage.trim().trim_start_matches("Usage:");
    let lines: Vec<&str> = usage.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // A usage that was broken by hand goes on below.
    lines.join("\n    ")
}

fn commands(page: &mut Page, command: &Command) {
    let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set()).peekable();
    if inner.peek().is_some() {
        page.section("commands");
    }
    for inner in inner {
        page.term(&[Inline::Bold(&name(inner)), Inline::Roman("(1)")]);
        page.text(&inner.get_about().map(ToString::to_string).unwrap_or_default());
    }
}

fn arguments(page: &mut Page, command: &Command) {
    let shown = |argument: &&Arg| !argument.is_hide_set();
    let mut sections: Vec<(String, Vec<&Arg>)> = Vec::new();
    for argument in command.get_arguments().filter(shown) {
        let own = if argument.is_positional() { "arguments" } else { "options" };
        let heading = argument.get_help_heading().unwrap_or(own);
        match sections.iter_mut().find(|(known, _)| known == heading) {
            Some((_, members)) => members.push(argument),
            None => sections.push((heading.to_owned(), vec![argument])),
        }
    }
    // What belongs to every command stands last.
    sections.sort_by_key(|(heading, _)| heading == "Everywhere");
    for (heading, members) in sections {
        page.section(&heading);
        for argument in members {
            self::argument(page, argument);
        }
    }
}

fn argument(page: &mut Page, argument: &Arg) {
    let value = value(argument);
    let mut term = Vec::new();
    let (short, long) = (
        argument.get_short().map(|short| format!("-{short}")),
        argument.get_long().map(|long| format!("--{long}")),
    );
    let flags = [short.as_deref(), long.as_deref()];
    for (at, flag) in flags.into_iter().flatten().enumerate() {
        if at > 0 {
            term.push(Inline::Roman(", "));
        }
        term.push(Inline::Bold(flag));
    }
    let optional = argument.get_num_args().is_some_and(|number| number.min_values() == 0);
    let between = match (argument.is_positional(), argument.is_require_equals_set(), optional) {
        (true, ..) => ["", ""],
        (_, true, true) => ["[=", "]"],
        (_, true, false) => ["=", ""],
        _ => [" ", ""],
    };
    if let Some(value) = &value {
        term.extend([Inline::Roman(between[0]), Inline::Italic(value), Inline::Roman(between[1])]);
    }
    page.term(&term);
    help(page, argument);
}

fn value(argument: &Arg) -> Option<String> {
    let takes = argument.get_num_args().is_some_and(|number| number.takes_values());
    let names = argument.get_value_names().map(|names| names.join(" "));
    let name = || names.unwrap_or_else(|| argument.get_id().as_str().to_uppercase());
    (argument.is_positional() || takes).then(name)
}

fn help(page: &mut Page, argument: &Arg) {
    let text = argument.get_long_help().or_else(|| argument.get_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    for (at, paragraph) in text.split("\n\n").enumerate() {
        if at > 0 {
            page.indented_paragraph();
        }
        page.text(paragraph);
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && value(argument).is_some() && !argument.is_hide_default_value_set() {
        page.text(&format!("[default: {}]", defaults.join(" ")));
    }
    let values = argument.get_possible_values();
    let values: Vec<&PossibleValue> = values.iter().filter(|value| !value.is_hide_set()).collect();
    if values.is_empty() || argument.is_hide_possible_values_set() || value(argument).is_none() {
        return;
    }
    page.indented_paragraph();
    if values.iter().all(|value| value.get_help().is_none()) {
        let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        return page.text(&format!("One of {}", names.join(", ")));
    }
    page.text("One of");
    for value in values {
        page.indented_paragraph();
        let help = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
        page.inline(&[Inline::Bold(value.get_name()), Inline::Roman(&help)]);
    }
}

/// What stands below the options.
fn after(page: &mut Page, command: &Command) {
    let Some(text) = command.get_after_long_help().or_else(|| command.get_after_help()) else { return };
    let text = text.to_string();
    let mut noted = false;
    for paragraph in text.split("\n\n") {
        if let Some(lines) =
            ["Examples:\n", "Example:\n"].iter().find_map(|title| paragraph.strip_prefix(title))
        {
            page.section("examples");
            page.preformatted(&lines.lines().map(dedented).collect::<Vec<_>>().join("\n"));
        } else if is_root(command) && paragraph.starts_with("Exit codes:") {
            // The page has a section of them.
        } else {
            if noted {
                page.paragraph();
            } else {
                page.section("notes");
            }
            noted = true;
            if is_prose(paragraph) { page.text(paragraph) } else { page.preformatted(paragraph) }
        }
    }
}

fn dedented(line: &str) -> &str {
    line.strip_prefix("  ").unwrap_or(line)
}

/// Sentences, and no table: nothing is indented or set apart by blanks.
fn is_prose(paragraph: &str) -> bool {
    !paragraph.lines().any(|line| line.starts_with(' ') || line.contains("  "))
}

fn see_also(page: &mut Page, name: &str) {
    let Some((above, _)) = name.rsplit_once('-') else { return };
    page.section("see also");
    page.inline(&[Inline::Bold(above), Inline::Roman("(1)")]);
}
