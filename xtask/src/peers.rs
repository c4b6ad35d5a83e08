//! `cargo xtask peers`: fetches what the black-box tests talk to into
//! `target/peers`, at the versions that the committed lock files name.
//!
//! A peer is a row of [`PEERS`] and a directory below `crates/m2m-testkit/peers`. The form that a test fills in is
//! built beside them ([`form`]).

use crate::form;
use crate::run;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The peers, and the oldest version of what runs them.
const PEERS: &[Peer] = &[
    // calls `crypto.hash` and `URL.parse`
    Peer { name: "oidc-provider", runtime: &NODE, oldest: (20, 0) },
    // says so in its package.json
    Peer { name: "oauth2-mock-server", runtime: &NODE, oldest: (20, 19) },
    // undici wants 20.18.1, and says so in its package.json
    Peer { name: "openid-client", runtime: &NODE, oldest: (20, 19) },
    // playwright-core says so in its package.json; drives the Chromium that looks at the consoles
    Peer { name: "browser", runtime: &NODE, oldest: (20, 19) },
    // joserfc, which Authlib is built on, says so in its metadata
    Peer { name: "authlib", runtime: &PYTHON, oldest: (3, 11) },
    // express-oauth2-jwt-bearer says so in its package.json
    Peer { name: "key-set-node", runtime: &NODE, oldest: (20, 2) },
    // cryptography asks for less; the same for all that is Python
    Peer { name: "pyjwt", runtime: &PYTHON, oldest: (3, 11) },
    // kubernetes-validate asks for it; hadolint's wheel is the binary, for Linux and macOS
    #[cfg(unix)]
    Peer { name: "packaging", runtime: &PYTHON, oldest: (3, 10) },
    // says so in its metadata
    Peer { name: "schemathesis", runtime: &PYTHON, oldest: (3, 10) },
    // its wheel is the binary, for these systems and Windows, where no test starts it
    #[cfg(any(target_os = "linux", all(target_os = "macos", target_arch = "aarch64")))]
    Peer { name: "envoy", runtime: &PYTHON, oldest: (3, 10) },
];

/// Shows that the tests find nginx: in `PATH`, or where Debian puts it.
pub(crate) const NGINX: &[&str] = &["sh", "-c", "command -v nginx || ls /usr/sbin/nginx"];

/// Shows that the tests find Caddy.
pub(crate) const CADDY: &[&str] = &["caddy", "version"];

/// Shows that the tests find a PostgreSQL: in `PATH`, or where Debian puts it.
pub(crate) const POSTGRES: &[&str] =
    &["sh", "-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"];

pub(crate) const NODE: Runtime = Runtime {
    program: "node",
    also: ("npm", &["npm", "--version"]),
    lock: "package-lock.json",
    installed: "node_modules",
    install: install_node,
};

const PYTHON: Runtime = Runtime {
    program: "python3",
    // Debian has it apart.
    also: ("venv", &["python3", "-c", "import ensurepip, venv"]),
    lock: "requirements.txt",
    installed: "venv",
    install: install_python,
};

struct Peer {
    name: &'static str,
    runtime: &'static Runtime,
    /// Major and minor.
    oldest: (u32, u32),
}

/// What runs a peer, and how its packages get there.
pub(crate) struct Runtime {
    program: &'static str,
    /// What else it takes, and the command that shows that it is there.
    also: (&'static str, &'static [&'static str]),
    /// The file that pins versions and hashes.
    lock: &'static str,
    /// The directory that the packages go to.
    installed: &'static str,
    install: fn(&Path) -> Result<()>,
}

/// Fetches every peer that can run here and returns their names; says why on stdout
/// where one cannot.
pub(crate) fn fetch() -> Result<Vec<&'static str>> {
    let mut ready = Vec::new();
    for peer in PEERS {
        match peer.runtime.lacks(peer.oldest) {
            Some(lack) => println!("skipped: peer {} needs {lack}", peer.name),
            None => {
                peer.fetch().with_context(|| format!("cannot fetch {}", peer.name))?;
                ready.push(peer.name);
            }
        }
    }
    ready.extend(form::build().context("cannot build react-form")?);
    ready.extend(installed());
    Ok(ready)
}

/// Nothing to fetch: the tests start what is installed.
fn installed() -> impl Iterator<Item = &'static str> {
    let works = |probe: &[&str]| {
        probe
            .split_first()
            .is_some_and(|(program, arguments)| run::works(Command::new(program).args(arguments)))
    };
    let all = [("postgres", POSTGRES, "PostgreSQL"), ("nginx", NGINX, "nginx"), ("caddy", CADDY, "Caddy")];
    all.into_iter().filter_map(move |(name, probe, what)| {
        let found = works(probe);
        if !found {
            println!("skipped: peer {name} needs {what}");
        }
        found.then_some(name)
    })
}

impl Peer {
    fn fetch(&self) -> Result<()> {
        let source = run::root().join("crates/m2m-testkit/peers").join(self.name);
        let home = run::target().join("peers").join(self.name);
        install(self.runtime, self.name, &source, &home)
    }
}

/// Copies the files of the source directory and fetches the packages of its lock file.
pub(crate) fn install(runtime: &Runtime, name: &str, source: &Path, home: &Path) -> Result<()> {
    copy_all(source, home)?;
    // Written last, so that what was interrupted starts again.
    let done = home.join("installed.lock");
    let lock = source.join(runtime.lock);
    if same(&lock, &done) && home.join(runtime.installed).is_dir() {
        println!("{name}: fetched before");
        return Ok(());
    }
    (runtime.install)(home)?;
    copy(&lock, &done)?;
    println!("{name}: fetched");
    Ok(())
}

impl Runtime {
    /// What is missing, for people; `None` if nothing is.
    pub(crate) fn lacks(&self, oldest: (u32, u32)) -> Option<String> {
        let (also, [program, arguments @ ..]) = self.also else { return None };
        let text = run::output(Command::new(self.program).arg("--version")).ok();
        let found = text.as_deref().and_then(version);
        if found.is_some_and(|found| found >= oldest) && run::works(Command::new(program).args(arguments)) {
            return None;
        }
        let found = found.map_or("none".to_owned(), |(major, minor)| format!("{major}.{minor}"));
        let (major, minor) = oldest;
        Some(format!("{} {major}.{minor} or newer with {also}, found {found}", self.program))
    }
}

/// The version in `v20.19.1` or `Python 3.11.7`.
fn version(text: &str) -> Option<(u32, u32)> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = digits.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn install_node(home: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.current_dir(home).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    run::succeed(&mut npm)
}

/// `--only-binary`: a source package would run its build script here.
fn install_python(home: &Path) -> Result<()> {
    let mut venv = Command::new("python3");
    run::succeed(venv.current_dir(home).args(["-m", "venv", "--clear", "venv"]))?;
    let mut pip = Command::new(home.join(PYTHON_IN_VENV));
    pip.current_dir(home).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:"]);
    run::succeed(pip.args(["--requirement", "requirements.txt"]))
}

const PYTHON_IN_VENV: &str = if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" };

/// The files of a directory; not what is below its directories.
pub(crate) fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            continue;
        }
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::{PEERS, version};
    use crate::run;

    #[test]
    fn versions_are_read_as_their_programs_print_them() {
        for (text, expect) in [
            ("v20.19.1\n", Some((20, 19))),
            ("Python 3.11.7\n", Some((3, 11))),
            ("v24", None),
            ("no such thing", None),
        ] {
            assert_eq!(version(text), expect, "{text:?}");
        }
    }

    #[test]
    fn every_peer_has_its_sources_and_its_lock_file() {
        let directory = run::root().join("crates/m2m-testkit/peers");
        let mut rows: Vec<_> = PEERS.iter().map(|peer| peer.name.to_owned()).collect();
        for peer in PEERS {
            let lock = std::fs::read_to_string(directory.join(peer.name).join(peer.runtime.lock)).unwrap();
            let named = lock.lines().find(|line| line.contains("\"resolved\"") || line.starts_with('-'));
            assert_eq!(named, None, "{} names the registry of one machine", peer.name);
        }
        let entries = std::fs::read_dir(directory).unwrap();
        let mut found: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        rows.sort();
        found.sort();
        assert_eq!(rows, found);
    }
}
