//! The catalogue as a page for people: `docs/troubleshooting.md`.

use std::fmt::Write as _;

use super::catalogue::{Cause, TABLE};

const HEAD: &str = "\
<!-- Made of crates/m2m-cli/src/doctor/catalogue.rs by UPDATE_GOLDEN=1 cargo test -p m2m-cli troubleshooting -->
# Troubleshooting

```text
m2m doctor              looks at everything below, with the settings that m2m token would use
m2m doctor -p NAME      of this profile
m2m doctor --json       {\"checks\":[{\"id\",\"status\",\"evidence\",\"cause\",\"fix\"}],\"first\":\"ID\"}
m2m doctor --probe      also tries other methods and spellings of a refused secret
```

It asks for one token, as `m2m token` does, and keeps none. The checks run from causes to
effects; start with the first that fails (`first`). `--probe` sends more logins, which
the server may count as failed ones and lock the client; it is never the default.

## Exit codes

`m2m` prints `m2m: error:` and, where it knows one, `m2m: hint:`. The exit code
says whose turn it is; `--json` puts the same on the last line of stderr. The doctor
ends with the code of its first failure, and with 0 when there are warnings only.

| Exit | Kind | First thing to look at |
| --- | --- | --- |
| 2 | usage | `m2m COMMAND --help` |
| 3 | configuration | the named setting; every value says where it came from |
| 4 | secret unavailable | the file, variable or command that holds the secret |
| 5 | unreachable | host name, port, proxy (`HTTPS_PROXY`, `NO_PROXY`), or the server is down |
| 6 | TLS | the server's certificate; `--ca-file` for a private authority |
| 7 | client refused | client id, secret or key, and the authentication method |
| 8 | request refused | scope, audience or resource that the server does not grant |
| 9 | rate limited | wait as long as `Retry-After` says |
| 10 | malformed answer | what answered is not a token endpoint: a portal, a proxy, a wrong path |
| 11 | verification failed | issuer, audience, clock, or the token is not what it says |
| 12 | inactive or expired | ask for a new token |
| 13 | changes | `m2m admin apply --plan` and `import … --plan`: there is something to do |
| 14 | a MUST is missed | `m2m admin assess`: what it says to do |
| 22 | API status | `m2m request --fail`: the API answered 400 or above |
| 70 | our bug | please report it |

## invalid_client

The usual reasons, in the order in which the doctor looks: white space around the secret
(`secret.trailing_newline`), a secret stored in its percent-encoded form
(`secret.double_encoded`), another authentication method than the server wants
(`auth.method`), clocks that differ (`clock.offset`, for keys). What it cannot see from
outside:

- The server does not decode Basic credentials (RFC 6749 §2.3.1). Symptom: secrets
  with `+`, `/`, `%` or `:` fail, others work. Try `--basic-encoding raw`, or let
  `m2m doctor --probe` try it.
- `private_key_jwt`: the server expects its token endpoint as audience instead of
  its issuer. Try `--assertion-audience token_endpoint`, or the very text it wants.
- The secret is simply another one, or has been rotated.

## 401 from the API although the token is fresh

`m2m inspect` shows the claims, unverified: compare `aud` with the API's own
identifier and `iss` with the issuer it trusts. `m2m verify --issuer URL --audience
AUD` makes the check that an API makes and says which one fails.

## The checks
";

/// The page.
pub fn text() -> String {
    let mut page = HEAD.to_owned();
    for row in TABLE {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n### {}\n\nLooks at: {} ({}).\n", row.id, row.what, row.reason);
        for cause in row.causes.iter().filter(|cause| !is_told_by_the_run(cause)) {
            let _ = write!(page, "\n- {}.\n  → {}\n", sentence(cause.cause), sentence(cause.fix));
        }
    }
    page
}

/// The exit codes of the page: number, kind, and the first thing to look at.
pub fn exits() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let ok = ("0", "ok", "what was asked is done");
    let rows = HEAD.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.trim_end_matches('|').split(" | ").map(str::trim);
        let code = cells.next().filter(|code| code.parse::<u8>().is_ok())?;
        Some((code, cells.next()?, cells.next()?))
    });
    std::iter::once(ok).chain(rows)
}

/// A text that is nothing but what the run says.
fn is_told_by_the_run(cause: &Cause) -> bool {
    cause.cause == "<problem>"
}

/// Capital first letter, unless it is of something in backticks; blanks as words in capitals. Angle brackets would be
/// markup.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", letters.as_str());
    let mut parts = text.split('<');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('>') {
            Some((blank, rest)) => out.extend([blank.to_uppercase().as_str(), rest]),
            None => out.extend(["&lt;", part]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how a person asks for the page to be written")]
    fn troubleshooting_is_what_the_doctor_knows() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/troubleshooting.md");
        if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
            std::fs::write(&path, text()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text(), "UPDATE_GOLDEN=1 writes the page anew");
    }

    #[test]
    fn exit_codes_are_read_off_the_page() {
        let rows: Vec<_> = exits().collect();
        assert_eq!(rows.len(), 16);
        assert_eq!(
            rows[6],
            ("7", "client refused", "client id, secret or key, and the authentication method")
        );
    }

    #[test]
    fn blanks_become_words() {
        assert_eq!(sentence("set it to one of <methods>, now"), "Set it to one of METHODS, now");
        assert_eq!(sentence("`chmod 600 <path>`"), "`chmod 600 PATH`");
        assert_eq!(sentence("a < b"), "A &lt; b");
    }
}
