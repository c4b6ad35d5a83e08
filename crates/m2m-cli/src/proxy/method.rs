//! The method of a rule: one that is registered.
//!
//! Enforces: a misspelt method is refused, with the nearest one: a rule for `GETT` would hold for nothing, and another
//! one would decide in its place. Programs that have methods of their own are covered by `*`.

use http::Method;

use crate::settings::field::nearest;

/// The HTTP Method Registry (RFC 9110 §16.1), without `PRI`, which no request has; besides, QUERY, which is on its way
/// there, and PURGE, which caches have.
const REGISTERED: [&str; 40] = [
    "acl",
    "baseline-control",
    "bind",
    "checkin",
    "checkout",
    "connect",
    "copy",
    "delete",
    "get",
    "head",
    "label",
    "link",
    "lock",
    "merge",
    "mkactivity",
    "mkcalendar",
    "mkcol",
    "mkredirectref",
    "mkworkspace",
    "move",
    "options",
    "orderpatch",
    "patch",
    "post",
    "propfind",
    "proppatch",
    "put",
    "query",
    "rebind",
    "report",
    "search",
    "trace",
    "unbind",
    "uncheckout",
    "unlink",
    "unlock",
    "update",
    "updateredirectref",
    "version-control",
    "purge",
];

/// Reads the name of a method.
///
/// # Errors
/// That it is none, and the nearest one.
pub(super) fn parse(name: &str) -> Result<Method, String> {
    let is_known = REGISTERED.iter().any(|known| known.to_ascii_uppercase() == name);
    if let Some(method) = Method::from_bytes(name.as_bytes()).ok().filter(|_| is_known) {
        return Ok(method);
    }
    match nearest(name, REGISTERED.into_iter()) {
        Some(meant) => Err(format!("{name:?} is no method; did you mean {}", meant.to_ascii_uppercase())),
        None => Err(format!("{name:?} is no method")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_method_is_told_what_it_means() {
        let check = |name: &str, expect: Result<&str, &str>| {
            let found = parse(name);
            assert_eq!(found.as_ref().map(Method::as_str).map_err(String::as_str), expect);
        };
        check("GET", Ok("GET"));
        check("PROPFIND", Ok("PROPFIND"));
        check("VERSION-CONTROL", Ok("VERSION-CONTROL"));
        check("GETT", Err("\"GETT\" is no method; did you mean GET"));
        check("get", Err("\"get\" is no method; did you mean GET"));
        check("PSOT", Err("\"PSOT\" is no method; did you mean POST"));
        check("DELTE", Err("\"DELTE\" is no method; did you mean DELETE"));
        check("/orders", Err("\"/orders\" is no method"));
        check("", Err("\"\" is no method"));
    }

    #[test]
    fn every_registered_name_is_one() {
        for name in REGISTERED {
            assert!(parse(&name.to_ascii_uppercase()).is_ok(), "{name}");
        }
    }
}
