//! The system's keyring, through the program that comes with it: `secret-tool` (libsecret) on Linux, `security` on
//! macOS. An entry is found by two attributes, `service` = `m2m` and its name.
//!
//! Enforces: a secret passes by standard input and output, never in an argument; the program is looked for in absolute
//! entries of `PATH` only, for a relative one (`./node_modules/.bin`) is whatever repository one stands in.

use m2m_io::Clock;
use m2m_proto::secret::{SecretBytes, SecretString};

use super::env::Environment;
use super::program::{self, Failed};
use crate::exit::Failure;

const SERVICE: &str = "m2m";
const MACOS: bool = cfg!(target_os = "macos");

/// The program that prints the secret of an entry.
pub(crate) fn lookup_command(name: &str) -> Vec<&str> {
    if MACOS {
        ["security", "find-generic-password", "-s", SERVICE, "-a", name, "-w"].to_vec()
    } else {
        ["secret-tool", "lookup", "service", SERVICE, "name", name].to_vec()
    }
}

/// The secret of an entry.
///
/// # Errors
/// Exit 4: no such entry, the keyring is locked, or its program is not installed.
pub(crate) async fn lookup(
    name: &str,
    environment: &Environment,
    clock: &dyn Clock,
) -> Result<SecretBytes, Failure> {
    let printed = match located(&lookup_command(name), environment) {
        Ok(argv) => program::output(&argv, clock).await,
        Err(failed) => Err(failed),
    };
    printed.map_err(|failed| match failed {
        Failed::Status(status) if status.code().is_some() => {
            failure(name, "there is no such entry, or the keyring is locked").hint(format!(
                "put it there: {}",
                if MACOS {
                    format!("security add-generic-password -s {SERVICE} -a {name} -w")
                } else {
                    format!("secret-tool store --label='m2m {name}' service {SERVICE} name {name}")
                }
            ))
        }
        failed => broken(name, &failed),
    })
}

/// Makes or replaces an entry. The name holds letters, digits, `-`, `_` and `.` only.
///
/// # Errors
/// Exit 4: the keyring refuses, or its program is not installed.
pub(crate) async fn store(
    name: &str,
    secret: &SecretString,
    environment: &Environment,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let label = format!("--label=m2m {name}");
    let (argv, fed): (&[&str], _) = if MACOS {
        // Its own command line comes by standard input too; hexadecimal needs no quotes.
        let line = format!(
            "add-generic-password -U -s {SERVICE} -a {name} -X {}\n",
            hexadecimal(secret.expose().as_bytes())
        );
        (&["security", "-i"], SecretString::new(line))
    } else {
        (&["secret-tool", "store", &label, "service", SERVICE, "name", name], secret.clone())
    };
    let stored = match located(argv, environment) {
        Ok(argv) => program::feed(&argv, &fed, clock).await,
        Err(failed) => Err(failed),
    };
    stored.map(drop).map_err(|failed| broken(name, &failed))
}

/// Removes an entry.
///
/// # Errors
/// Exit 4: the keyring refuses, or its program is not installed.
pub(crate) async fn remove(name: &str, environment: &Environment, clock: &dyn Clock) -> Result<(), Failure> {
    let argv = if MACOS {
        ["security", "delete-generic-password", "-s", SERVICE, "-a", name].to_vec()
    } else {
        ["secret-tool", "clear", "service", SERVICE, "name", name].to_vec()
    };
    let removed = match located(&argv, environment) {
        Ok(argv) => program::output(&argv, clock).await,
        Err(failed) => Err(failed),
    };
    removed.map(drop).map_err(|failed| broken(name, &failed))
}

/// The command with its program by its whole path.
fn located(argv: &[&str], environment: &Environment) -> Result<Vec<String>, Failed> {
    let mut argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    let program = argv.first_mut().ok_or(Failed::Empty)?;
    let path = environment.text("PATH").unwrap_or_default();
    let places = std::env::split_paths(path).filter(|place| place.is_absolute());
    let found = places.map(|place| place.join(&*program)).find(|file| file.is_file());
    let found = found.ok_or_else(|| Failed::System(std::io::ErrorKind::NotFound.into()))?;
    *program = found.to_string_lossy().into_owned();
    Ok(argv)
}

fn broken(name: &str, failed: &Failed) -> Failure {
    if !failed.is_absent() {
        return failure(name, &failed.to_string());
    }
    if MACOS {
        return failure(name, "the program security is not on the path").hint("it is in /usr/bin of macOS");
    }
    failure(name, "the program secret-tool is not installed").hint(
        "install libsecret-tools (Debian, Ubuntu) or libsecret (Fedora, Arch); or name the secret by { file } or \
         { env }",
    )
}

fn failure(name: &str, why: &str) -> Failure {
    Failure::secret(format!("keyring entry {name}: {why}"))
}

/// Two digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _cannot_fail = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository must not bring the keyring along.
    #[test]
    fn programs_are_looked_for_in_absolute_places_only() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("tool"), "").unwrap();
        let at = |path: &str| located(&["tool", "a"], &Environment::of([("PATH", path)]));
        let here = place.path().to_str().unwrap();
        assert_eq!(at(&format!("/nowhere:{here}")).unwrap(), [format!("{here}/tool"), "a".to_owned()]);
        let relative =
            std::env::current_dir().unwrap().ancestors().skip(1).map(|_| "../").collect::<String>();
        for path in [String::new(), "/nowhere".to_owned(), format!("{relative}{here}"), ".".to_owned()] {
            assert!(at(&path).unwrap_err().is_absent(), "{path}");
        }
    }

    #[test]
    fn hexadecimal_has_two_digits_for_each_byte() {
        assert_eq!(hexadecimal(&[0, 10, 255]), "000aff");
    }
}
