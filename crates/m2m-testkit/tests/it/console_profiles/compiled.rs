//! Copied Rust, compiled and run: by the compiler that built this test, against the crates that were built for it.
//!
//! A crate is built several times, once for each set of features. The builds that belong together are those whose
//! names stand in each other: a library names those that it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Asks for one token and prints how long it is.
const MAIN: &str = r#"
mod copied { include!("copied.rs"); }
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = runtime.block_on(async {
        let client = copied::client().unwrap();
        client.token(&m2m_client::TokenSpec::default()).await.unwrap()
    });
    println!("{}", token.access_token().expose().len());
}
"#;

/// Compiles the code and runs it with these variables.
///
/// # Panics
///
/// If it does not compile.
pub(super) fn run(code: &str, directory: &Path, variables: &[(String, String)]) -> Output {
    fs::write(directory.join("copied.rs"), code).unwrap();
    fs::write(directory.join("main.rs"), MAIN).unwrap();
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut problem = String::from("m2m-client was not built");
    for client in builds(&libraries, "m2m_client") {
        let mut compiler = Command::new("rustc");
        compiler.args(["--edition", "2024", "main.rs", "-o", "main", "--extern"]);
        compiler.arg(format!("m2m_client={}", client.display())).arg("-L");
        compiler.arg(format!("dependency={}", libraries.display())).current_dir(directory);
        for name in ["m2m_proto", "m2m_io", "tokio"] {
            let needed = builds(&libraries, name).into_iter().find(|build| names(&client, build));
            compiler.args(
                needed.iter().flat_map(|build| ["--extern".into(), format!("{name}={}", build.display())]),
            );
        }
        let output = compiler.output().expect("rustc starts");
        if output.status.success() {
            let mut program = Command::new(directory.join("main"));
            program.env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
            return program.output().unwrap();
        }
        problem = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    panic!("{problem}\n{code}");
}

/// The builds of a crate, the newest first.
fn builds(libraries: &Path, name: &str) -> Vec<PathBuf> {
    let is_it = |path: &PathBuf| {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        file.starts_with(&format!("lib{name}-")) && file.ends_with(".rlib")
    };
    let mut builds: Vec<PathBuf> =
        fs::read_dir(libraries).unwrap().map(|entry| entry.unwrap().path()).filter(is_it).collect();
    builds.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().modified().unwrap()));
    builds
}

/// Whether a library names this build of another.
fn names(library: &Path, needed: &Path) -> bool {
    let stem = needed.file_stem().unwrap().to_str().unwrap();
    let build = stem.rsplit('-').next().unwrap().as_bytes();
    fs::read(library).unwrap().windows(build.len()).any(|window| window == build)
}
