//! A directory of its own, a server of its own, and the environment that `--env-file` gives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::servers::Servers;

/// Where a transcript runs.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    server: Child,
    _servers: Servers,
}

impl Place {
    /// Starts `m2m serve --dev` and waits for its environment file.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir_all(home.join("code/.git")).unwrap();
        let env_file = directory.path().join("dev.env");
        let server = Command::new(binary())
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file"])
            .arg(&env_file)
            .env_clear()
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let servers = Servers::start();
        let mut place = Self { directory, variables: BTreeMap::new(), server, _servers: servers };
        place.variables = exports(&wait_for(&env_file));
        place.variables.extend(place._servers.variables());
        place.set("HOME", &home.to_string_lossy());
        place.set("EXAMPLES", concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
        place.set("EXPORTS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/exports"));
        place
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// The working directory: a repository below `$HOME`.
    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("home/code")
    }

    /// Variables of the shell and of expected text.
    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Runs a line of shell: exit code, standard output, standard error.
    pub(crate) fn shell(&self, line: &str) -> (i32, String, String) {
        let path = format!("{}:/usr/bin:/bin", binary().parent().unwrap().display());
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.work())
            .env_clear()
            .envs(&self.variables)
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_m2m"))
}

/// The text of a file that another process renames into place.
#[expect(clippy::disallowed_methods, reason = "waits for another process, which has no clock to move")]
pub(crate) fn wait_for(path: &Path) -> String {
    for _ in 0..500 {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} did not appear", path.display());
}

/// The variables of `export NAME='value'` lines.
pub(crate) fn exports(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}
