//! The system's keyring, through the program that comes with it: `secret-tool` (libsecret) on Linux, `security` on
//! macOS. An entry is found by two attributes, `service` = `m2m` and its name.
//!
//! Enforces: a secret passes by standard input and output, never in an argument.

use m2m_io::Clock;
use m2m_proto::secret::{SecretBytes, SecretString};

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
pub(crate) async fn lookup(name: &str, clock: &dyn Clock) -> Result<SecretBytes, Failure> {
    program::output(&lookup_command(name), clock).await.map_err(|failed| match failed {
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
pub(crate) async fn store(name: &str, secret: &SecretString, clock: &dyn Clock) -> Result<(), Failure> {
    let stored = if MACOS {
        // Its own command line comes by standard input too; hexadecimal needs no quotes.
        let line = format!(
            "add-generic-password -U -s {SERVICE} -a {name} -X {}\n",
            hexadecimal(secret.expose().as_bytes())
        );
        program::feed(&["security", "-i"], &SecretString::new(line), clock).await
    } else {
        let label = format!("--label=m2m {name}");
        let argv = ["secret-tool", "store", &label, "service", SERVICE, "name", name];
        program::feed(&argv, secret, clock).await
    };
    stored.map(drop).map_err(|failed| broken(name, &failed))
}

/// Removes an entry.
///
/// # Errors
/// Exit 4: the keyring refuses, or its program is not installed.
pub(crate) async fn remove(name: &str, clock: &dyn Clock) -> Result<(), Failure> {
    let argv = if MACOS {
        ["security", "delete-generic-password", "-s", SERVICE, "-a", name].to_vec()
    } else {
        ["secret-tool", "clear", "service", SERVICE, "name", name].to_vec()
    };
    program::output(&argv, clock).await.map(drop).map_err(|failed| broken(name, &failed))
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

    #[test]
    fn hexadecimal_has_two_digits_for_each_byte() {
        assert_eq!(hexadecimal(&[0, 10, 255]), "000aff");
    }
}
