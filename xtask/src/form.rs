//! The example `examples/react-form`, built in `target/peers/react-form` for the test that fills it in: its packages
//! at the versions of the lock file, then Vite. The source tree stays clean.

use crate::peers::{NODE, Runtime, copy_all, install};
use crate::run;
use anyhow::Result;
use std::fs;
use std::process::Command;

/// Its name among the peers.
const NAME: &str = "react-form";
/// The oldest Node.js that Vite runs on.
const OLDEST: (u32, u32) = (20, 19);

/// Builds the form where it can be built and filled in, and returns its name; says why on stdout where it cannot.
pub(crate) fn build() -> Result<Option<&'static str>> {
    if let Some(lack) = lacks(&NODE) {
        println!("skipped: {NAME} needs {lack}");
        return Ok(None);
    }
    let source = run::root().join("examples").join(NAME);
    let home = run::target().join("peers").join(NAME);
    for directory in ["src", "test"] {
        // What is no longer in the source must not be tested.
        let _absent = fs::remove_dir_all(home.join(directory));
        copy_all(&source.join(directory), &home.join(directory))?;
    }
    install(&NODE, NAME, &source, &home)?;
    run::succeed(Command::new("npm").current_dir(&home).args([
        "run",
        "--silent",
        "build",
        "--",
        "--logLevel=error",
    ]))?;
    Ok(Some(NAME))
}

fn lacks(node: &Runtime) -> Option<String> {
    let no_browser = || "chromium".to_owned();
    node.lacks(OLDEST).or_else(|| (!run::works(Command::new("chromium").arg("--version"))).then(no_browser))
}

#[cfg(test)]
mod tests {
    use crate::run;

    #[test]
    fn the_lock_file_names_no_registry() {
        let lock = run::root().join("examples").join(super::NAME).join("package-lock.json");
        let text = std::fs::read_to_string(lock).unwrap();
        assert!(text.contains("\"integrity\"") && !text.contains("\"resolved\""));
    }
}
