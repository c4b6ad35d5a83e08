//! The commands of docs/federation.md, run against a server with the settings that the page gives it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::place::binary;

const PAGE: &str = include_str!("../../../../docs/federation.md");

/// The blocks of one language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    // Every second part is the inside of a block, its language before the first line end.
    let inside = PAGE.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    inside.filter(move |(of, _)| *of == language).map(|(_, block)| block)
}

/// Every command of the page, in its order: a line that is not indented begins one. What is asked of a server by name
/// is not for this one.
fn commands() -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in blocks("sh,elsewhere").flat_map(str::lines) {
        match (line.starts_with(' '), commands.last_mut()) {
            (false, _) => commands.push(line.to_owned()),
            (true, Some(before)) => {
                before.push('\n');
                before.push_str(line);
            }
            (true, None) => panic!("{line} belongs to no command"),
        }
    }
    commands.retain(|command| !command.contains(" request PATCH "));
    commands
}

#[test]
fn the_commands_of_the_federation_page_run() {
    let directory = tempfile::tempdir().unwrap();
    let settings = blocks("toml").find(|block| block.starts_with("issuer_files")).unwrap();
    let file = directory.path().join("m2m-server.toml");
    std::fs::write(&file, format!("database = \"sqlite:m2m.db\"\n{settings}\n")).unwrap();
    let mut server = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&file)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.take_while(|line| !line.starts_with("ready ")).count() > 0);
    std::fs::write(directory.path().join("token"), "a.b.c").unwrap();
    let run = |command: &str| {
        let own = "m2m() { command m2m --config m2m.db.admin.toml \"$@\"; }";
        let output = Command::new("sh")
            .args(["-c", &format!("{own}\n{command}")])
            .current_dir(directory.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", binary().parent().unwrap().display()))
            .env("HOME", directory.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let mut failures = Vec::new();
    let first = "m2m admin api create https://orders.example --scope orders:read".to_owned();
    for command in std::iter::once(first).chain(commands()) {
        // What is no token is refused, and the page says with which code.
        let expected = if command.contains("explain") { 11 } else { 0 };
        let (exit, said) = run(&command);
        if exit != Some(expected) {
            failures.push(format!("{command}\n{exit:?} {said}"));
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(commands().len() > 10, "the commands of the page are found");
}
