//! What `packaging/` ships: judged by the tools of its kind, and started.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use m2m_testkit::{binary, peers};

const HADOLINT: &str = "venv/bin/hadolint";
const PYTHON: &str = "venv/bin/python";
/// What the last stage of the Dockerfile has besides the binary: glibc and the unwinder.
const IMAGE_LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(packaging(name)).unwrap()
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
    output
}

#[test]
fn hadolint_has_nothing_to_say_about_the_dockerfile() {
    let Some(home) = peers::fetched("packaging", HADOLINT) else { return };
    succeeds(Command::new(home.join(HADOLINT)).arg(packaging("Dockerfile")));
}

#[test]
fn manifests_are_what_kubernetes_takes() {
    let Some(home) = peers::fetched("packaging", PYTHON) else { return };
    let mut judge = Command::new(home.join(PYTHON));
    judge.arg(home.join("judge.py")).arg("kubernetes");
    succeeds(
        judge.args(["server.yaml", "gateway-sidecar.yaml"].map(|name| packaging("kubernetes").join(name))),
    );
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() {
    let Some(program) = peers::installed("systemd-analyze", &["systemd-analyze"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("m2m.service");
    // It asks whether the program is there, too.
    let here =
        text("systemd/m2m.service").replace("/usr/local/bin/m2m", &binary::m2m().display().to_string());
    fs::write(&unit, here).unwrap();
    let output = succeeds(Command::new(&program).arg("verify").arg(&unit));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    // Of 100, where an ordinary unit has 96.
    succeeds(Command::new(&program).args(["security", "--offline=true", "--threshold=15"]).arg(&unit));
}

/// The libraries that the binary asks for, by name, and where they are here.
fn libraries() -> Vec<(String, PathBuf)> {
    let output = succeeds(Command::new("ldd").arg(binary::m2m()));
    let said = String::from_utf8(output.stdout).unwrap();
    let place = |line: &str| {
        let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
        Some((line.split_whitespace().next()?.to_owned(), PathBuf::from(path)))
    };
    said.lines().filter_map(place).collect()
}

/// A root directory with the binary, these libraries and nothing else.
fn bare_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let put = |from: &Path, to: &Path| {
        let to = root.path().join(to.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    for (name, path) in libraries() {
        assert!(IMAGE_LIBRARIES.iter().any(|known| name.contains(known)), "{name} is not in the image");
        put(&path, &path);
    }
    put(&binary::m2m(), Path::new("/m2m"));
    root
}

/// A command in there, as nobody in particular.
fn inside(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("chroot");
    command.arg("--userspec=65532:65532").arg(root).arg("/m2m").args(arguments).env_clear();
    command
}

#[test]
fn the_binary_runs_where_there_is_nothing_but_glibc() {
    let root = bare_root();
    let mut version = inside(root.path(), &["--version"]);
    let Ok(output) = version.output() else { return eprintln!("skipped: no chroot here") };
    if !output.status.success() && !output.stderr.starts_with(b"m2m") {
        return eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(output.stdout.starts_with(b"m2m "), "{output:?}");
    succeeds(&mut inside(root.path(), &["providers"]));
    drop(ready(inside(root.path(), &["serve", "--dev", "--listen", "127.0.0.1:0"])));
}

/// A process that said `ready`; killed when dropped.
struct Ready(Child);

impl Drop for Ready {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn ready(mut command: Command) -> Ready {
    let mut process = Ready(command.stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("ready ")), "{command:?} is not ready");
    process
}

/// The file that a ConfigMap holds under this name.
fn config_map(manifest: &str, name: &str) -> String {
    let manifest = text(manifest);
    let (_, rest) = manifest.split_once(&format!("  {name}: |\n")).unwrap();
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or_default())).collect()
}

/// Settings with places of this machine.
fn placed(settings: &str, places: &[(&str, &str)]) -> String {
    places.iter().fold(settings.to_owned(), |settings, (there, here)| {
        assert!(settings.contains(there), "{there} is not in {settings}");
        settings.replace(there, here)
    })
}

const ANY_PORT: &str = "127.0.0.1:0";

fn start(verb: &str, directory: &Path, name: &str, settings: &str) {
    let path = directory.join(name);
    fs::write(&path, settings).unwrap();
    let mut command = Command::new(binary::m2m());
    command.arg(verb).arg("--config").arg(path).current_dir(directory).env_clear().env("HOME", directory);
    drop(ready(command));
}

#[test]
fn a_server_starts_with_the_settings_that_are_shipped() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let places = [
        ("0.0.0.0:8400", ANY_PORT),
        ("127.0.0.1:9400", ANY_PORT),
        ("/var/lib/m2m/m2m.db", &here.join("m2m.db").display().to_string()),
    ];
    start("serve", here, "m2m-server.toml", &placed(&text("m2m-server.toml"), &places));
}

#[test]
fn a_server_starts_with_the_settings_of_its_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let database = format!("sqlite:{}", here.join("m2m.db").display());
    let mut init = Command::new(binary::m2m());
    init.args(["admin", "init", "--issuer", "https://login.example.com", "--database", &database]);
    init.args(["--sealing-key-file", "sealing.key", "--out", "admin.toml"]).current_dir(here);
    succeeds(init.env_clear().env("HOME", here));
    fs::write(here.join("database-url"), &database).unwrap();
    let places = [
        ("0.0.0.0:8400", ANY_PORT),
        ("0.0.0.0:9400", ANY_PORT),
        ("/run/secrets/m2m", here.to_str().unwrap()),
    ];
    let settings = config_map("kubernetes/server.yaml", "m2m-server.toml");
    start("serve", here, "m2m-server.toml", &placed(&settings, &places));
}

#[test]
fn a_gateway_starts_with_the_settings_of_its_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let settings = config_map("kubernetes/gateway-sidecar.yaml", "m2m.toml");
    let places = [("0.0.0.0:8480", ANY_PORT), ("0.0.0.0:9480", ANY_PORT)];
    start("gateway", directory.path(), "m2m.toml", &placed(&settings, &places));
}
