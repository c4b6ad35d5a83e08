//! A token as input: from `--token-file` or standard input. Never from the command line, which every user of the
//! machine can read.

use std::io::{IsTerminal as _, Read as _};

use m2m_io::file::{MAX_SECRET_BYTES, read_secret_file};
use m2m_proto::secret::SecretString;
use m2m_proto::token::AccessToken;

use crate::args::TokenInput;
use crate::exit::Failure;

/// The token as text, without surrounding white space; `None` when there is nothing on standard input or a person
/// sits at it.
///
/// # Errors
/// Exit 4: the file cannot be read, is not text, or holds more than 64 KiB.
pub(crate) fn read_optional(input: &TokenInput) -> Result<Option<SecretString>, Failure> {
    let text = match &input.token_file {
        Some(path) => {
            let failed =
                |why| Failure::secret(format!("cannot read the token from {}: {why}", path.display()));
            let file = read_secret_file(path).map_err(|error| failed(error.to_string()))?;
            String::from_utf8(file.secret.expose().clone()).map_err(|_| failed("not text".to_owned()))?
        }
        None if std::io::stdin().is_terminal() => return Ok(None),
        None => {
            let failed =
                |why: &str| Failure::secret(format!("cannot read the token from standard input: {why}"));
            let mut text = String::with_capacity(16 * 1024);
            let mut stdin = std::io::stdin().lock().take(MAX_SECRET_BYTES + 1);
            stdin.read_to_string(&mut text).map_err(|error| failed(&error.to_string()))?;
            if text.len() as u64 > MAX_SECRET_BYTES {
                return Err(failed("more than 64 KiB"));
            }
            text
        }
    };
    let trimmed = text.trim();
    Ok((!trimmed.is_empty()).then(|| SecretString::from(trimmed)))
}

/// The token as text.
///
/// # Errors
/// As [`read_optional`]; exit 2 when there is none.
pub(crate) fn read(input: &TokenInput) -> Result<SecretString, Failure> {
    read_optional(input)?.ok_or_else(|| {
        Failure::usage("no token on standard input").hint("pipe one in: m2m token | …; or --token-file FILE")
    })
}

/// The token as something to send.
///
/// # Errors
/// As [`read`]; exit 2 when it cannot be an access token.
pub(crate) fn parse(text: &SecretString) -> Result<AccessToken, Failure> {
    AccessToken::parse(text.expose())
        .map_err(|error| Failure::usage(format!("this is no access token: {error}")))
}
