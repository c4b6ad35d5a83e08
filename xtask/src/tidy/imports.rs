//! Who may import whom inside a crate, and where the outside world may be touched.
//! Crate walls are Cargo's; `manifests.rs` holds their table.

use super::Finding;
use super::source::Source;

/// A word that may stand in some places only.
struct Rule {
    /// Crates it holds for; empty means all but xtask and the testkit.
    packages: &'static [&'static str],
    /// Paths below `src/` it holds for (prefixes); empty means the whole crate.
    within: &'static [&'static str],
    /// What is refused, as it stands in code.
    words: &'static [&'static str],
    /// `crate/path` prefixes where it is at home.
    homes: &'static [&'static str],
    reason: &'static str,
}

const ROLES: &[&str] = &["m2m-io", "m2m-client", "m2m-resource-server", "m2m-authorization-server"];
const FOUNDATION: &[&str] =
    &["time.rs", "secret", "text.rs", "form", "json", "uri", "names.rs", "scope", "client_id.rs"];

const RULES: &[Rule] = &[
    Rule {
        packages: &["m2m-proto"],
        within: &[],
        words: &[
            "std::net",
            "std::fs",
            "std::env",
            "std::thread",
            "std::process",
            "std::io",
            "SystemTime",
            "Instant",
            "tokio",
            "tracing",
            "log",
            "metrics",
            "core::net",
        ],
        homes: &["m2m-proto/client_auth/mutual_tls", "m2m-proto/uri"],
        reason: "proto performs no I/O, reads no clock, logs nothing",
    },
    Rule {
        packages: &["m2m-proto"],
        within: &["client_auth/mutual_tls", "uri"], // an address in a name is a value
        words: &[
            "std::fs",
            "std::env",
            "std::thread",
            "std::process",
            "std::io",
            "SystemTime",
            "Instant",
            "tokio",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
        ],
        homes: &[],
        reason: "proto performs no I/O, reads no clock",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["aws_lc_rs"],
        homes: &["m2m-proto/jose/crypto"],
        reason: "the crypto library is reached through proto's jose/crypto.rs",
    },
    Rule {
        packages: &["m2m-proto"],
        within: &["jose"],
        words: &[
            "crate::form",
            "crate::uri",
            "crate::scope",
            "crate::client_id",
            "crate::error",
            "crate::metadata",
            "crate::client_auth",
            "crate::token",
            "crate::dpop",
            "crate::grant",
            "crate::introspection",
            "crate::revocation",
            "crate::seal",
        ],
        homes: &[],
        reason: "jose imports time, secret, json, text and names only, so that it can be taken out",
    },
    Rule {
        packages: &["m2m-proto"],
        within: FOUNDATION,
        words: &[
            "crate::jose",
            "crate::error",
            "crate::metadata",
            "crate::client_auth",
            "crate::token",
            "crate::dpop",
            "crate::grant",
            "crate::introspection",
            "crate::revocation",
            "crate::seal",
        ],
        homes: &[],
        reason: "the foundation of proto imports only itself",
    },
    Rule {
        packages: &["m2m-proto"],
        within: &["dpop"],
        words: &["crate::client_auth"],
        homes: &[],
        reason: "dpop and client_auth share nothing sideways; a shared need goes down into jose",
    },
    Rule {
        packages: &["m2m-proto"],
        within: &["client_auth"],
        words: &["crate::dpop"],
        homes: &[],
        reason: "dpop and client_auth share nothing sideways; a shared need goes down into jose",
    },
    Rule {
        packages: ROLES,
        within: &[],
        words: &[
            "axum",
            "hyper",
            "hyper_util",
            "tower",
            "tower_layer",
            "tower_service",
            "reqwest",
            "reqwest_middleware",
        ],
        homes: &[
            "m2m-io/reqwest",
            "m2m-client/layer",
            "m2m-client/reqwest",
            "m2m-resource-server/layer",
            "m2m-resource-server/grpc",
            "m2m-resource-server/axum",
            "m2m-authorization-server/endpoints/",
            "m2m-authorization-server/server",
        ],
        reason: "only endpoints, server, layer, grpc, axum and reqwest know an HTTP framework",
    },
    Rule {
        packages: ROLES,
        within: &["policy", "cache/slot", "remote/slot", "keys/rotation"],
        words: &["tokio", "async", ".await", "Future", "futures_util", "BoxFuture"],
        homes: &[],
        reason: "a decision is a pure function of facts and time",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["SystemTime::now", "Instant::now", "clock_gettime"],
        homes: &["m2m-io/clock"],
        reason: "time is a parameter; the one reader is m2m_io::SystemClock",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["time::sleep", "thread::sleep", "time::timeout", "time::interval"],
        homes: &["m2m-io/clock"],
        reason: "waiting goes through Clock::sleep, so that tests move time",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["getrandom", "SystemRandom", "OsRng", "rand"],
        homes: &["m2m-io/random", "m2m-proto/jose/crypto"], // ECDSA and PSS draw their own
        reason: "randomness is a parameter; the one source is m2m_io::OsRandom",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["env::var", "env::vars", "env::var_os", "env::vars_os", "env::set_var", "env::remove_var"],
        homes: &["m2m-cli/settings", "m2m-client/credentials/env"],
        reason: "settings are values; the one reader is m2m-cli/src/settings",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["tokio::spawn", "task::spawn", "task::spawn_blocking", "thread::spawn", "JoinSet"],
        homes: &["m2m-io/task"],
        reason: "a task has a name and stops at shutdown: m2m_io::task",
    },
    Rule {
        packages: ROLES,
        within: &[],
        words: &["std::fs", "tokio::fs", "fs::read", "fs::write", "fs::read_to_string", "File::open"],
        homes: &["m2m-io/file"],
        reason: "files are touched in m2m-io/src/file.rs",
    },
    Rule {
        packages: ROLES,
        within: &[],
        words: &["TcpStream", "TcpListener", "UdpSocket", "lookup_host", "ToSocketAddrs"],
        homes: &["m2m-io/reqwest", "m2m-io/egress"],
        reason: "libraries open no sockets; the binary listens and m2m-io connects",
    },
    Rule {
        packages: &[],
        within: &[],
        words: &["process::exit"],
        homes: &[],
        reason: "skips destructors; return an exit code from main",
    },
];

/// Every rule on every line of production code.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.holds_for(source)) {
        for (number, line) in source.production_lines() {
            if let Some(word) = rule.words.iter().find(|word| stands_in(line, word)) {
                findings.push(Finding::at(source, number, format!("{word}: {}", rule.reason)));
            }
        }
    }
    findings.extend(grouped_imports(source));
    findings
}

impl Rule {
    fn holds_for(&self, source: &Source) -> bool {
        let (package, Some(inside)) = (source.package(), source.inside()) else { return false };
        let exempt = matches!(package, "xtask" | "m2m-testkit");
        let named = if self.packages.is_empty() { !exempt } else { self.packages.contains(&package) };
        let place = format!("{package}/{inside}");
        named
            && (self.within.is_empty() || self.within.iter().any(|prefix| is_below(inside, prefix)))
            && !self.homes.iter().any(|home| is_below(&place, home))
    }
}

/// `jose` covers `jose.rs` and `jose/…`, not `joseph.rs`.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| {
        prefix.ends_with('/') || prefix.ends_with(".rs") || rest == ".rs" || rest.starts_with('/')
    })
}

/// Whether the word stands alone. A crate's name counts only as the start of a path:
/// `rand` is in `rand::rng()`, but not in `operand`, `self.rand` or `let rand = 1`.
fn stands_in(line: &str, word: &str) -> bool {
    let crate_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '_') && word != "async";
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        let glued = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if (before.ends_with(glued) && !word.starts_with('.')) || after.starts_with(glued) {
            return false;
        }
        let path_start =
            !before.ends_with("::") && (after.starts_with("::") || before.trim_end().ends_with("use"));
        !crate_name || path_start
    })
}

/// `use crate::{…}` would hide modules from the rules above.
fn grouped_imports(source: &Source) -> Vec<Finding> {
    let outside = source.package() != "m2m-proto";
    let lines = source.production_lines().filter(|(_, line)| !outside && line.contains("use crate::{"));
    let text = "one `use crate::module::…` a module, so that the import rules can read it";
    lines.map(|(number, _)| Finding::at(source, number, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::{check, stands_in};
    use crate::tidy::source::Source;

    #[track_caller]
    fn finds(path: &str, line: &str, count: usize) {
        let found = check(&Source::parse(&format!("crates/{path}"), line.to_owned()));
        assert_eq!(found.len(), count, "{path}: {line}: {found:?}");
    }

    #[test]
    fn proto_is_walled_off_from_the_world() {
        for bad in [
            "use std::net::TcpStream;",
            "use std::time::SystemTime;",
            "let a = std::env::args();",
            "use tokio::sync::Mutex;",
            "use aws_lc_rs::digest;",
        ] {
            finds("m2m-proto/src/form.rs", bad, 1);
        }
        finds("m2m-proto/src/form.rs", "use std::time::Duration;", 0);
        finds("m2m-proto/src/form.rs", "// use std::net::TcpStream;", 0);
        finds("m2m-proto/src/jose/crypto.rs", "use aws_lc_rs::digest;", 0);
        finds("m2m-proto/src/uri.rs", "use std::net::IpAddr;", 0);
        finds("m2m-proto/src/uri.rs", "use std::net::TcpStream;", 1);
    }

    #[test]
    fn modules_of_proto_import_downwards() {
        finds("m2m-proto/src/jose/jws.rs", "use crate::token::AccessToken;", 1);
        finds("m2m-proto/src/jose/jws.rs", "use crate::json::parse_object;", 0);
        finds("m2m-proto/src/dpop/proof.rs", "use crate::client_auth::Presented;", 1);
        finds("m2m-proto/src/client_auth/mod.rs", "let x = crate::dpop::proof();", 1);
        finds("m2m-proto/src/form.rs", "use crate::jose::jws;", 1);
        finds("m2m-proto/src/dpop/proof.rs", "use crate::{jose, client_auth};", 1);
    }

    #[test]
    fn frameworks_and_runtimes_stay_at_the_edges() {
        finds("m2m-authorization-server/src/mint.rs", "use axum::Router;", 1);
        finds("m2m-authorization-server/src/endpoints/token.rs", "use axum::Router;", 0);
        finds("m2m-client/src/cache/mod.rs", "let c = reqwest::Client::new();", 1);
        finds("m2m-client/src/lib.rs", "mod reqwest;", 0);
        finds("m2m-authorization-server/src/policy.rs", "pub async fn decide() {}", 1);
        finds("m2m-client/src/cache/slot.rs", "use tokio::sync::Notify;", 1);
        finds("m2m-client/src/cache/mod.rs", "use tokio::sync::Notify;", 0);
    }

    #[test]
    fn the_world_has_one_door_each() {
        for bad in [
            "let t = SystemTime::now();",
            "getrandom::fill(&mut b);",
            "std::env::var(name)",
            "tokio::spawn(f)",
            "std::process::exit(1)",
            "std::fs::read(p)",
            "use std::net::TcpListener;",
            "tokio::time::sleep(d)",
        ] {
            finds("m2m-client/src/cache/mod.rs", bad, 1);
        }
        finds("m2m-io/src/clock.rs", "let t = SystemTime::now();", 0);
        finds("m2m-cli/src/settings/mod.rs", "std::env::var(name)", 0);
        finds("m2m-io/src/task.rs", "tokio::spawn(f)", 0);
        finds("m2m-client/src/a.rs", "#[cfg(test)]\nmod tests {\n  tokio::spawn(f)\n}", 0);
    }

    #[test]
    fn words_stand_alone() {
        assert!(stands_in("use rand::Rng;", "rand"));
        assert!(stands_in("use tower::{Layer, Service};", "tower"));
        for line in
            ["let operand = 1;", "self.rand.fill()", "let rand = 1;", "crate::reqwest::x", "random::fill()"]
        {
            assert!(!stands_in(line, "rand") && !stands_in(line, "reqwest"), "{line}");
        }
    }
}
