//! The table: one row a rule, facts in, verdict out. Pure.
//!
//! Each row has an id that never changes, where the rule stands, how binding it is, and a function that judges one
//! subject: a verdict, the evidence for it, and what to do where it is missed. What FAPI 2.0 allows is asked of
//! [`SecurityProfile::Fapi2`], which server, client and API go by, so that the table cannot say something else.

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::jose::Algorithm;
use m2m_proto::names::{auth_method, grant_type};
use m2m_proto::security_profile::SecurityProfile;

use super::facts::{ApiFacts, ClientFacts, CredentialFacts, ServerFacts};
use crate::args::admin::Standard;

/// How binding a rule is (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Must,
    Should,
}

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// A fact is missing that would decide.
    Unknown,
    /// There is nothing that it could be about.
    Moot,
}

/// A verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judged {
    verdict: Verdict,
    evidence: String,
    advice: String,
}

fn met(evidence: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Met, evidence: evidence.into(), advice: String::new() }
}

fn moot(evidence: &str) -> Judged {
    Judged { verdict: Verdict::Moot, evidence: evidence.to_owned(), advice: String::new() }
}

fn missed(evidence: impl Into<String>, advice: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Missed, evidence: evidence.into(), advice: advice.into() }
}

fn unknown(evidence: impl Into<String>, advice: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Unknown, evidence: evidence.into(), advice: advice.into() }
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) standard: Standard,
    pub(super) section: &'static str,
    pub(super) level: Level,
    /// What it demands, in our own words.
    pub(super) what: &'static str,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Server(fn(&ServerFacts) -> Judged),
    Client(fn(&ClientFacts) -> Judged),
}

/// A rule applied to one subject.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rule: &'static Rule,
    pub(super) verdict: Verdict,
    pub(super) evidence: String,
    pub(super) advice: String,
}

/// A subject with all that was found.
#[derive(Debug)]
pub(super) struct Assessed {
    /// `server` or `client`.
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) findings: Vec<Found>,
}

/// Applies the rules for servers.
pub(super) fn of_server(facts: &ServerFacts, standards: &[Standard]) -> Assessed {
    let judge = |rule: &Rule| match rule.judge {
        Judge::Server(judge) => Some(judge(facts)),
        Judge::Client(_) => None,
    };
    Assessed { kind: "server", id: facts.issuer.clone(), findings: apply(standards, judge) }
}

/// Applies the rules for clients.
pub(super) fn of_client(facts: &ClientFacts, standards: &[Standard]) -> Assessed {
    let judge = |rule: &Rule| match rule.judge {
        Judge::Server(_) => None,
        Judge::Client(judge) => Some(judge(facts)),
    };
    Assessed { kind: "client", id: facts.id.clone(), findings: apply(standards, judge) }
}

fn apply(standards: &[Standard], judge: impl Fn(&Rule) -> Option<Judged>) -> Vec<Found> {
    let chosen = RULES.iter().filter(|rule| standards.contains(&rule.standard));
    chosen
        .filter_map(|rule| {
            let Judged { verdict, evidence, advice } = judge(rule)?;
            Some(Found { rule, verdict, evidence, advice })
        })
        .collect()
}

const fn rule(
    (id, standard, section, level): (&'static str, Standard, &'static str, Level),
    what: &'static str,
    judge: Judge,
) -> Rule {
    Rule { id, standard, section, level, what, judge }
}

use Judge::{Client, Server};
use Level::{Must, Should};
use Standard::{Fapi2, Oauth21, Rfc9700};

/// Every rule, by text and subject.
pub(super) static RULES: [Rule; 23] = [
    rule(("OAUTH21-S1", Oauth21, "1.5", Must), "the server speaks TLS", Server(encrypted)),
    rule(("OAUTH21-S2", Oauth21, "10", Must), "no password grant and no implicit grant", Server(grants)),
    rule(("OAUTH21-S3", Oauth21, "2.4.1", Must), "a secret may be sent in the body", Server(body_secrets)),
    rule(("OAUTH21-C1", Oauth21, "2.4", Must), "the client authenticates", Client(authenticates)),
    rule(
        ("OAUTH21-C2", Oauth21, "2.4", Should),
        "by a key or a certificate, not by a secret",
        Client(asymmetric),
    ),
    rule(("OAUTH21-C3", Oauth21, "1.4.3", Should), "its tokens are bound to it", Client(bound)),
    rule(("RFC9700-S1", Rfc9700, "2.4", Must), "no password grant", Server(grants)),
    rule(("RFC9700-S2", Rfc9700, "2.6", Should), "the server publishes metadata", Server(discovered)),
    rule(
        ("RFC9700-S3", Rfc9700, "2.2.1", Should),
        "the server can bind tokens to their holders",
        Server(binds),
    ),
    rule(
        ("RFC9700-C1", Rfc9700, "2.5", Should),
        "the client authenticates by key or certificate",
        Client(asymmetric),
    ),
    rule(("RFC9700-C2", Rfc9700, "2.2.1", Should), "its tokens are bound to it", Client(bound)),
    rule(("RFC9700-C3", Rfc9700, "2.3", Should), "it is granted no more than it uses", Client(least)),
    rule(
        ("RFC9700-C4", Rfc9700, "update, RFC 10070", Must),
        "its assertions are for the issuer alone",
        Client(audience),
    ),
    rule(("FAPI2-S1", Fapi2, "5.3.2.1", Must), "the server publishes metadata", Server(discovered)),
    rule(("FAPI2-S2", Fapi2, "5.2.1", Must), "the server speaks TLS", Server(encrypted)),
    rule(("FAPI2-S3", Fapi2, "5.3.2.1", Must), "keys and certificates alone authenticate", Server(methods)),
    rule(
        ("FAPI2-S4", Fapi2, "5.4.1", Must),
        "PS256, ES256 and EdDSA alone sign, everywhere",
        Server(algorithms),
    ),
    rule(("FAPI2-S5", Fapi2, "5.3.2.1", Must), "the server can bind tokens to their holders", Server(binds)),
    rule(
        ("FAPI2-C1", Fapi2, "5.3.2.1", Must),
        "a key or a certificate authenticates the client",
        Client(asymmetric),
    ),
    rule(("FAPI2-C2", Fapi2, "5.4.1", Must), "its keys can sign with PS256, ES256 or EdDSA", Client(keys)),
    rule(("FAPI2-C3", Fapi2, "5.3.2.1", Must), "its assertions are for the issuer alone", Client(audience)),
    rule(
        ("FAPI2-C4", Fapi2, "5.3.2.1", Must),
        "its tokens are bound to it, and cannot be otherwise",
        Client(bound),
    ),
    rule(
        ("FAPI2-C5", Fapi2, "5.4.1", Must),
        "its tokens are signed with PS256, ES256 or EdDSA",
        Client(tokens),
    ),
];

const SWITCH: &str = "when no client misses a rule: security_profile = \"fapi2\" in the file of m2m serve";

fn encrypted(server: &ServerFacts) -> Judged {
    match server.is_encrypted {
        true => met(format!("{} is https, or on this machine", server.issuer)),
        false => missed(
            format!("{} is plain HTTP", server.issuer),
            "give m2m serve a certificate (tls_cert, tls_key), or end TLS in front of it",
        ),
    }
}

fn grants(server: &ServerFacts) -> Judged {
    let forbidden = |name: &&String| [grant_type::PASSWORD, grant_type::IMPLICIT].contains(&name.as_str());
    let found: Vec<&str> = server.grant_types.iter().filter(forbidden).map(String::as_str).collect();
    match found.as_slice() {
        [] => met("metadata list neither"),
        found => missed(
            format!("metadata list {}", found.join(", ")),
            "this is no server of m2m: switch them off there",
        ),
    }
}

fn body_secrets(server: &ServerFacts) -> Judged {
    let has = |name: &str| server.methods.iter().any(|method| method == name);
    match (has(auth_method::CLIENT_SECRET_POST), has(auth_method::CLIENT_SECRET_BASIC)) {
        (true, _) => met("metadata list client_secret_post"),
        (false, false) => moot("the server takes no secret that is sent"),
        (false, true) => missed("metadata list client_secret_basic alone", "offer client_secret_post too"),
    }
}

fn discovered(_: &ServerFacts) -> Judged {
    met("they were read at the well-known place")
}

fn binds(server: &ServerFacts) -> Judged {
    let mut ways = Vec::new();
    if !server.proof_algorithms.is_empty() {
        ways.push("DPoP");
    }
    if server.binds_to_certificates {
        ways.push("certificates");
    }
    match ways.as_slice() {
        [] => missed(
            "metadata offer neither DPoP nor certificates",
            "this is no server of m2m: ask for either there",
        ),
        ways => met(format!("metadata offer {}", ways.join(" and "))),
    }
}

fn methods(server: &ServerFacts) -> Judged {
    let outside: Vec<&str> =
        server.methods.iter().map(String::as_str).filter(|name| !allows_method(name)).collect();
    match outside.as_slice() {
        [] => met(format!("metadata list {}", server.methods.join(", "))),
        outside => missed(format!("metadata list {}", outside.join(", ")), SWITCH),
    }
}

fn algorithms(server: &ServerFacts) -> Judged {
    let lists = [
        ("assertions", &server.assertion_algorithms),
        ("proofs", &server.proof_algorithms),
        ("keys", &server.key_algorithms),
    ];
    let outside: Vec<String> = lists
        .into_iter()
        .filter_map(|(what, list)| {
            let outside = outside(list);
            (!outside.is_empty()).then(|| format!("{what}: {}", outside.join(" ")))
        })
        .collect();
    match outside.as_slice() {
        [] => met("metadata and key set have no other"),
        outside => missed(outside.join("; "), SWITCH),
    }
}

/// Which of these FAPI 2.0 does not allow.
fn outside(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).filter(|name| !allows(name)).collect()
}

fn allows(name: &str) -> bool {
    Algorithm::parse(name).is_some_and(|algorithm| SecurityProfile::Fapi2.algorithm(algorithm).is_ok())
}

fn allows_method(name: &str) -> bool {
    ClientAuthMethod::parse(name).is_some_and(|method| SecurityProfile::Fapi2.method(method).is_ok())
}

/// `ID (label)`.
fn named(credential: &CredentialFacts) -> String {
    format!("{} ({})", credential.id, credential.label)
}

fn list<'a>(credentials: impl Iterator<Item = &'a CredentialFacts>) -> String {
    credentials.map(named).collect::<Vec<_>>().join(", ")
}

const NO_CREDENTIAL: &str = "it has no credential that can be used";

fn authenticates(client: &ClientFacts) -> Judged {
    match client.credentials.len() {
        0 => moot(NO_CREDENTIAL),
        count => met(format!("{count} of its credentials can be used, and each authenticates")),
    }
}

/// Every credential: as long as one is a secret, whoever has it is the client.
fn asymmetric(client: &ClientFacts) -> Judged {
    if client.credentials.is_empty() {
        return moot(NO_CREDENTIAL);
    }
    let secrets: Vec<&CredentialFacts> =
        client.credentials.iter().filter(|credential| !allows_method(&credential.method)).collect();
    match secrets.first() {
        None => met(format!("by {}", list(client.credentials.iter()))),
        Some(first) => missed(
            format!("a secret: {}", list(secrets.iter().copied())),
            format!(
                "m2m keygen; m2m admin credential create {} --label {} --public-key-file FILE; when the instance uses \
                 it: m2m admin credential revoke {}",
                client.id, first.label, first.id
            ),
        ),
    }
}

fn keys(client: &ClientFacts) -> Judged {
    let own =
        || client.credentials.iter().filter(|credential| credential.method == auth_method::PRIVATE_KEY_JWT);
    let cannot = |credential: &&CredentialFacts| {
        credential.algorithms.as_ref().is_some_and(|algorithms| !algorithms.iter().any(|name| allows(name)))
    };
    let wrong: Vec<&CredentialFacts> = own().filter(cannot).collect();
    if let Some(first) = wrong.first() {
        let signs = first.algorithms.as_deref().unwrap_or_default().join(" ");
        return missed(
            format!("{} can sign with {signs} only", list(wrong.iter().copied())),
            format!(
                "m2m keygen --alg ES256; m2m admin credential rotate {} --public-key-file FILE",
                first.id
            ),
        );
    }
    let unseen: Vec<&CredentialFacts> = own().filter(|credential| credential.algorithms.is_none()).collect();
    match (own().count(), unseen.as_slice()) {
        (0, _) => moot("it has no key"),
        (_, []) => met(format!("by {}", list(own()))),
        (_, unseen) => unknown(
            format!("the keys of {} are where the client publishes them", list(unseen.iter().copied())),
            "look at the alg of the keys there",
        ),
    }
}

fn audience(client: &ClientFacts) -> Judged {
    let signs = |credential: &&CredentialFacts| {
        [auth_method::PRIVATE_KEY_JWT, auth_method::CLIENT_SECRET_JWT].contains(&credential.method.as_str())
    };
    let own = || client.credentials.iter().filter(signs);
    let wrong: Vec<&CredentialFacts> =
        own().filter(|credential| credential.takes_endpoint_audience == Some(true)).collect();
    if let Some(first) = wrong.first() {
        return missed(
            format!("{} may name the token endpoint", list(wrong.iter().copied())),
            format!(
                "let the client send the issuer as aud, a string; then make the credential anew without \
                 --accept-token-endpoint-audience and revoke {}",
                first.id
            ),
        );
    }
    match (own().count(), own().any(|credential| credential.takes_endpoint_audience.is_none())) {
        (0, _) => moot("it signs no assertions"),
        (_, true) => unknown("this server does not say which audience it takes", "update the server"),
        (_, false) => met("no other audience is taken"),
    }
}

/// By registration: of the client, or of every API that it may use.
fn bound(client: &ClientFacts) -> Judged {
    let demands = |constraint: &str| ["dpop", "mtls"].contains(&constraint);
    if demands(&client.constraint) {
        return met(format!("sender_constraint of the client is {}", client.constraint));
    }
    let open: Vec<&str> = client
        .apis
        .iter()
        .filter(|api| !demands(&api.constraint))
        .map(|api| api.identifier.as_str())
        .collect();
    match (client.apis.len(), open.as_slice()) {
        (0, _) => moot("it is granted nothing"),
        (_, []) => met("sender_constraint of every API that it may use is dpop or mtls"),
        (_, open) => missed(
            format!("neither the client demands it, nor {}", open.join(", ")),
            format!(
                "let the client send proofs (dpop in its profile) or show a certificate; then m2m admin client update \
                 {} --sender-constraint dpop, or mtls",
                client.id
            ),
        ),
    }
}

fn least(client: &ClientFacts) -> Judged {
    match client.unused.as_slice() {
        [] => met("it has used all that it is granted"),
        unused => missed(
            format!("never used: {}", unused.join(", ")),
            format!("if that is not to come: m2m admin client update {} --grant API=SCOPE,…", client.id),
        ),
    }
}

fn tokens(client: &ClientFacts) -> Judged {
    let is_outside = |api: &&ApiFacts| api.algorithm.as_ref().is_some_and(|name| !allows(name));
    let wrong: Vec<&ApiFacts> = client.apis.iter().filter(is_outside).collect();
    match (client.apis.len(), wrong.first()) {
        (0, _) => moot("it is granted nothing"),
        (_, None) => met("by registration of every API that it may use"),
        (_, Some(first)) => {
            let named = |api: &&ApiFacts| {
                format!("{} by {}", api.identifier, api.algorithm.as_deref().unwrap_or("-"))
            };
            missed(
                wrong.iter().map(named).collect::<Vec<_>>().join(", "),
                format!("m2m admin api update {} --alg ES256", first.identifier),
            )
        }
    }
}

#[cfg(test)]
mod tests;
