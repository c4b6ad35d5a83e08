//! Runs the blocks of a page as somebody who follows it would.
//!
//! One shell (`bash -eu`) in a directory of its own, with `m2m` on the path, an empty home and nothing else. What differs
//! from a reader's machine: ports on 127.0.0.1 that the page names are others, so that pages run beside each other, and
//! after a block the shell waits until the files and listeners are there that the block's background commands promise.
//!
//! - `COMMAND # exits 12`: this exit code is expected, and no other.
//! - `COMMAND # prints TEXT`: standard output has TEXT in it.
//! - `<!-- guide: file NAME -->` above a block: the block is that file.
//! - `<!-- guide: server -->` above the first block: `m2m serve --dev` runs and its variables are set, as the page's
//!   words ask for.
//! - whatever is still running at the end is killed with its process group.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use m2m_testkit::{binary, peers};

use super::page::{self, Block, Page};

/// Programs besides bash and coreutils that pages use.
const PROGRAMS: &[&str] = &["curl", "jq", "openssl", "python3"];

const SECONDS: &str = "120";

/// What `m2m` is on the path: the binary, on ports of this page.
const WRAPPER: &str = r#"#!/bin/sh
case " $* " in
    *" --help "* | *" --listen "*) ;;
    " serve "*) set -- "$@" --listen 127.0.0.1:SERVE ;;
    " gateway "*) set -- "$@" --listen 127.0.0.1:GATEWAY ;;
esac
exec BINARY "$@"
"#;

const SERVER: &str = "m2m serve --dev --env-file dev.env > /dev/null 2>&1 &\n";

/// Runs the blocks of a page.
pub(super) fn page(path: &str) {
    let page = page::read(path);
    let used =
        |program: &&&str| page.blocks.iter().any(|block| block.is_run() && names(&block.text, program));
    for program in PROGRAMS.iter().filter(used).chain(&["bash"]) {
        if peers::installed(program, &[program]).is_none() {
            return;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    for name in ["home", "bin", "page"] {
        fs::create_dir(place(name)).unwrap();
    }
    let ports = ports(&page);
    write_wrapper(&place("bin/m2m"), &ports);
    fs::write(place("script"), script(&page, &ports)).unwrap();
    let mut shell = Command::new("timeout")
        .args(["--foreground", SECONDS, "bash", "-eu"])
        .arg(place("script"))
        .current_dir(place("page"))
        .env_clear()
        .env("HOME", place("home"))
        .env("PATH", format!("{}:/usr/bin:/bin", place("bin").display()))
        .stdin(Stdio::null())
        .stdout(File::create(place("out")).unwrap())
        .stderr(File::create(place("err")).unwrap())
        .process_group(0)
        .spawn()
        .unwrap();
    let status = shell.wait().unwrap();
    let group = format!("kill -KILL -- -{} 2>/dev/null", shell.id());
    let _nobody_left = Command::new("bash").args(["-c", &group]).status();
    let said = |name: &str| String::from_utf8_lossy(&fs::read(place(name)).unwrap()).into_owned();
    assert!(status.success(), "{path}: {status}\n{}\n{}", said("out"), said("err"));
}

fn names(text: &str, program: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == program)
}

fn write_wrapper(path: &Path, ports: &BTreeMap<String, u16>) {
    let text = WRAPPER
        .replace("SERVE", &ports["8400"].to_string())
        .replace("GATEWAY", &ports["8480"].to_string())
        .replace("BINARY", &binary::m2m().display().to_string());
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A free port for each that the page names on this machine, and for those that `m2m` takes by itself.
fn ports(page: &Page) -> BTreeMap<String, u16> {
    let mut named = vec!["8400".to_owned(), "8480".to_owned()];
    for block in page.blocks.iter().filter(|block| is_used(block)) {
        for rest in block.text.split("127.0.0.1:").skip(1) {
            named.push(rest.chars().take_while(char::is_ascii_digit).collect());
        }
    }
    named.retain(|port| !matches!(port.as_str(), "" | "0"));
    // All are held at once, so that no two get the same one.
    let held: BTreeMap<String, TcpListener> =
        named.into_iter().map(|port| (port, TcpListener::bind("127.0.0.1:0").unwrap())).collect();
    held.iter().map(|(port, listener)| (port.clone(), listener.local_addr().unwrap().port())).collect()
}

fn is_used(block: &Block) -> bool {
    block.is_run() || block.directive.as_deref().is_some_and(|directive| directive.starts_with("file "))
}

fn script(page: &Page, ports: &BTreeMap<String, u16>) -> String {
    let mut script = WORDS.to_owned();
    // Files are there from the start, wherever on the page they are shown.
    for block in &page.blocks {
        let text = on_ports(&block.text, ports);
        if let Some(name) = block.directive.as_deref().and_then(|said| said.strip_prefix("file ")) {
            // Writing to a string cannot fail.
            let _ = writeln!(script, "cat > '{name}' <<'THE_END_OF_THE_BLOCK'\n{text}THE_END_OF_THE_BLOCK");
        }
    }
    for block in page.blocks.iter().filter(|block| block.is_run()) {
        let text = on_ports(&block.text, ports);
        // Writing to a string cannot fail.
        let _ = writeln!(script, "echo '== {}:{}' >&2", page.path, block.line);
        if block.directive.as_deref() == Some("server") {
            script.push_str(SERVER);
            script.push_str(&settled(SERVER, ports));
            script.push_str("set -a; . ./dev.env; set +a\n");
        }
        script.push_str(&with_checks(&text));
        script.push_str(&settled(&text, ports));
    }
    script
}

/// The text with the page's own ports in place of those that it names.
fn on_ports(text: &str, ports: &BTreeMap<String, u16>) -> String {
    // The mark keeps a port that was put in from being taken for one that the page names.
    let mut text = text.to_owned();
    for (named, real) in ports {
        for before in ["127.0.0.1:", "http.server "] {
            text = text.replace(&format!("{before}{named}"), &format!("{before}\u{1}{real}"));
        }
    }
    text.replace('\u{1}', "")
}

/// `COMMAND # exits N` and `COMMAND # prints TEXT` become checks. A command is a line, with those that it is continued on.
fn with_checks(text: &str) -> String {
    let mut out = String::new();
    let mut command = String::new();
    for line in text.lines() {
        command.extend([line, "\n"]);
        if line.ends_with('\\') {
            continue;
        }
        // Writing to a string cannot fail.
        if let Some((run, code)) = command.rsplit_once("# exits ") {
            let _ =
                writeln!(out, "code=0\n{} || code=$?\nexpected {} \"$code\"", run.trim_end(), code.trim());
        } else if let Some((run, said)) = command.rsplit_once("# prints ") {
            let _ = writeln!(out, "said=$({})\nexpected '{}' \"$said\"", run.trim_end(), said.trim());
        } else {
            out.push_str(&command);
        }
        command.clear();
    }
    out + &command
}

/// For [`with_checks`]: the second text has the first one in it. For [`settled`]: somebody listens at this port, and a
/// server of ours is ready there.
const WORDS: &str = r#"expected() {
    case $2 in *"$1"*) ;; *) echo "expected $1, found $2" >&2; exit 1 ;; esac
}
listens() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
answers() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1"; printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3; read -r line <&3
     [[ $line == *" 200 "* ]]) 2>/dev/null
}
"#;

/// Waits for what commands in the background promise: the file of `--env-file`, and listeners.
fn settled(text: &str, ports: &BTreeMap<String, u16>) -> String {
    let mut out = String::new();
    let joined = text.replace("\\\n", " ");
    for command in joined.lines().filter(|line| line.trim_end().ends_with('&')) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |word: &str| words.iter().position(|one| *one == word).and_then(|at| words.get(at + 1));
        if let Some(file) = after("--env-file") {
            let _ = writeln!(out, "until [ -e {file} ]; do sleep 0.05; done");
        }
        let probe = match words.as_slice() {
            ["m2m", "serve", "&"] => Some(("answers", ports["8400"])),
            ["m2m", "gateway", ..] => Some(("listens", ports["8480"])),
            _ => after("http.server").and_then(|port| Some(("listens", port.parse().ok()?))),
        };
        if let Some((probe, port)) = probe {
            let _ = writeln!(out, "until {probe} {port}; do sleep 0.05; done");
        }
    }
    out
}

#[test]
fn what_is_expected_is_checked() {
    let run = |text: &str| {
        let script = WORDS.to_owned() + &with_checks(text);
        Command::new("bash").args(["-euc", &script]).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(run("false # exits 1\ntrue\n"));
    assert!(run("sh -c \\\n  'exit 12' # exits 12\n"));
    assert!(!run("true # exits 1\n"));
    assert!(!run("false\ntrue\n"));
    assert!(run("echo a b c # prints b\n"));
    assert!(!run("echo a b c # prints d\n"));
}
