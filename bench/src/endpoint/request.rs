//! Request bytes, made before the clock runs.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// How the caller authenticates.
#[derive(Clone, Copy)]
pub enum Caller<'a> {
    /// `client_secret_basic`, by the `id` and `secret` that a server told. Neither has a
    /// character that would need encoding.
    Secret(&'a Value),
    /// In the body, or not at all.
    Body,
}

/// A form, posted to `path`.
pub fn post(path: &str, caller: Caller<'_>, form: &str) -> Vec<u8> {
    let authorization = match caller {
        Caller::Body => String::new(),
        Caller::Secret(client) => {
            let text = |name: &str| client[name].as_str().unwrap_or_default();
            let pair = BASE64_STANDARD.encode(format!("{}:{}", text("id"), text("secret")));
            format!("Authorization: Basic {pair}\r\n")
        }
    };
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n{authorization}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// Asks for a token.
pub const TOKEN: &str = "grant_type=client_credentials&scope=orders%3Aread";

/// Asks for a token with a client assertion.
pub fn assertion(jwt: &str) -> String {
    format!(
        "{TOKEN}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={jwt}"
    )
}

/// Asks about a token.
pub fn introspection(token: &str) -> String {
    format!("token={token}")
}
