//! A pasted secret, judged before it is held: a secret without white space around it, a private key that can be used.

use m2m_proto::secret::SecretString;

use crate::connect::credentials::parse_key;
use crate::settings::field::Field;

/// The longest secret, in bytes; as everywhere.
const LONGEST_SECRET: usize = 64 * 1024;

/// What was pasted, if it can be a credential of that kind.
///
/// # Errors
/// Why it cannot be; nothing of it is repeated.
pub(super) fn judged(field: Field, text: &str) -> Result<SecretString, String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.len() > LONGEST_SECRET {
        return Err("more than 64 KiB".to_owned());
    }
    let secret = SecretString::from(text);
    if field != Field::ClientSecret && field != Field::NextClientSecret {
        if text.contains("PUBLIC KEY") || text.contains("BEGIN CERTIFICATE") {
            return Err("that is public; the private key is needed".to_owned());
        }
        return parse_key(&secret, None)
            .map(|_| secret)
            .map_err(|why| format!("no usable private key: {why}"));
    }
    if text.trim() != text {
        return Err("it begins or ends with white space; paste it without".to_owned());
    }
    if text.contains(char::is_control) {
        return Err("it holds a line end or another control character".to_owned());
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_judged() {
        let judge = |field, text: &str| judged(field, text).map(|secret| secret.expose().clone());
        assert_eq!(judge(Field::ClientSecret, "hunter2\r\n"), Ok("hunter2".to_owned()));
        for wrong in [" hunter2", "hunter2 ", "hun\nter2", &"x".repeat(LONGEST_SECRET + 1)] {
            let why = judge(Field::ClientSecret, wrong).unwrap_err();
            assert!(!why.contains("hun"), "{why}");
        }
        let public = "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----";
        assert!(judge(Field::PrivateKey, public).unwrap_err().contains("public"));
        assert!(judge(Field::PrivateKey, "canary").unwrap_err().contains("no usable private key"));
    }
}
