//! `m2m admin credential …`: how each instance of a client proves who it is.
//!
//! Enforces: a secret that the server made is printed once, by [`made`], and reaches no note, no error and no file of
//! ours; on a pipe it stands alone on its line, so that `> FILE` keeps just that. A repeat under the same idempotency
//! key has no secret to print, and that is a failure on a pipe: an empty file would look like one.

pub(super) mod overlap;

use http::StatusCode;
use m2m_proto::time::UnixTime;
use serde_json::{Map, Value};

use super::client::withdrawn;
use super::http::{Answer, Call, Caller, object_path};
use super::shown::{self, text, when};
use super::table::Table;
use super::typed::Members;
use super::{condition, confirm, material, moment};
use crate::Surroundings;
use crate::args::admin::{
    CredentialCommand, CredentialCreate, CredentialMethod, CredentialRotate, MaterialFlags, WorkloadFlags,
};
use crate::exit::{Exit, Failure};
use crate::output::{Reader, Stream};

const COLLECTION: &str = "credentials";
const SECRET: &str = "client_secret";

/// The order in which a person wants the members.
const ORDER: &[&str] = &[
    "id",
    "client_id",
    "label",
    "method",
    "algs",
    SECRET,
    "issuer",
    "external_subject",
    "conditions",
    "overlaps",
    "status",
    "not_before",
    "expires_at",
    "last_used_at",
    "last_used_address",
    "replaces",
    "replaced_by",
    "safe_to_remove",
    "safe_to_remove_because",
    "accepted_audience",
    "accepted_typ",
    "created_at",
    "version",
];

pub(super) async fn run(command: &CredentialCommand, around: &Surroundings) -> Result<Exit, Failure> {
    match command {
        CredentialCommand::Create(typed) => create(typed, around).await?,
        CredentialCommand::List(typed) => list(typed.client.as_deref(), around).await?,
        CredentialCommand::Show(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            shown::object(&Caller::open(around).await?.get(path).await?, ORDER, around)?;
        }
        CredentialCommand::Rotate(typed) => rotate(typed, around).await?,
        CredentialCommand::Revoke(typed) => {
            let path = object_path(COLLECTION, &typed.id, "/revoke")?;
            confirm::ask(typed.confirmation, &format!("revoke credential {} for good?", typed.id), around)?;
            let call = Call::of(http::Method::POST, path);
            let answer = Caller::open(around).await?.send(call).await?.object;
            let label = text(&answer, "label");
            let of =
                format!("credential {} ({label}) of {} is revoked", typed.id, text(&answer, "client_id"));
            withdrawn(&of, &answer, around)?;
        }
    }
    Ok(Exit::Ok)
}

async fn create(typed: &CredentialCreate, around: &Surroundings) -> Result<(), Failure> {
    let path = object_path("clients", &typed.client, "/credentials")?;
    let body = Value::Object(ordered(typed)?);
    let mut call = Call::post(path, body);
    call.idempotency_key.clone_from(&typed.idempotency_key);
    let answer = Caller::open(around).await?.send(call).await?;
    made(&answer, around)
}

async fn rotate(typed: &CredentialRotate, around: &Surroundings) -> Result<(), Failure> {
    let path = object_path(COLLECTION, &typed.id, "/rotate")?;
    let overlap = moment::seconds("--overlap", &typed.overlap, "24h")?;
    let mut body = Members::new();
    body.insert("overlap".to_owned(), Value::from(overlap));
    put_material(&mut body, &typed.material)?;
    put_life(&mut body, typed.expires_in.as_deref())?;
    let answer = Caller::open(around).await?.send(Call::post(path, Value::Object(body))).await?;
    made(&answer, around)?;
    if around.output.reader() == Reader::Person {
        let (label, client) = (text(&answer.object, "label"), text(&answer.object, "client_id"));
        let words = moment::span(overlap);
        around
            .output
            .note(&format!("roll it out to {label}; credential {} works for {words} more", typed.id));
        around
            .output
            .note(&format!("m2m admin credential list {client} shows when that one is safe to remove"));
    }
    Ok(())
}

/// Prints a credential that was just made, its secret once.
fn made(answer: &Answer, around: &Surroundings) -> Result<(), Failure> {
    overlap::warn(&answer.object, around);
    let (object, output) = (&answer.object, &around.output);
    if output.reader() == Reader::Program {
        return output.json(&Value::Object(object.clone()));
    }
    let secret = object.get(SECRET).and_then(Value::as_str);
    let name = format!("credential {} ({})", text(object, "id"), text(object, "label"));
    let of_client = format!("of {}", text(object, "client_id"));
    match (secret, output.stdout()) {
        (Some(secret), Stream::Pipe) => {
            output.result(secret)?;
            output.note(&format!("the secret of {name} {of_client}; it cannot be read again"));
        }
        (Some(_), Stream::Terminal) => {
            shown::object(object, ORDER, around)?;
            output.note("keep client_secret now: it cannot be read again");
        }
        (None, _) if has_secret(object) && answer.status == StatusCode::OK => {
            let message = format!("{name} {of_client} was made before; its secret cannot be read again");
            return Err(Failure::of(Exit::RequestRefused, "refused", message)
                .hint(format!("if the secret is lost: m2m admin credential rotate {}", text(object, "id"))));
        }
        (None, _) => shown::object(object, ORDER, around)?,
    }
    Ok(())
}

/// Whether its method has a secret, shown or not.
fn has_secret(object: &Map<String, Value>) -> bool {
    let methods = [CredentialMethod::ClientSecret, CredentialMethod::ClientSecretJwt];
    methods.iter().any(|method| method.as_str() == text(object, "method"))
}

async fn list(client: Option<&str>, around: &Surroundings) -> Result<(), Failure> {
    let path = match client {
        Some(client) => object_path("clients", client, "/credentials")?,
        None => "/credentials".to_owned(),
    };
    let mut credentials = Caller::open(around).await?.list(&path, &[]).await?;
    if client.is_none() {
        let place = |one: &Value| {
            let one = one.as_object();
            (
                one.map(|one| text(one, "client_id").to_owned()),
                one.and_then(|one| shown::number(one, "created_at")),
            )
        };
        credentials.sort_by_cached_key(place);
    }
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Array(credentials));
    }
    let now = around.clock.wall();
    let rows =
        credentials.iter().filter_map(Value::as_object).map(|credential| (credential, row(credential, now)));
    match client {
        Some(client) => {
            let mut table = Table::of(COLUMNS);
            table.rows.extend(rows.map(|(_, row)| row));
            let nothing =
                format!("{client} has no credential; m2m admin credential create {client} makes one");
            table.write(&nothing, &around.output)
        }
        None => {
            let [id, label, method, status, ends, used, safe] = COLUMNS;
            let mut table = Table::of(["CLIENT", id, label, method, status, ends, used, safe]);
            table.rows.extend(rows.map(|(credential, [id, label, method, status, ends, used, safe])| {
                [text(credential, "client_id").to_owned(), id, label, method, status, ends, used, safe]
            }));
            table.write(
                "no client has a credential; m2m admin credential create CLIENT makes one",
                &around.output,
            )
        }
    }
}

const COLUMNS: [&str; 7] = ["ID", "LABEL", "METHOD", "STATUS", "EXPIRES", "LAST USED", "SAFE TO REMOVE"];

fn row(credential: &Map<String, Value>, now: UnixTime) -> [String; 7] {
    let used = shown::number(credential, "last_used_at");
    let safe = if credential.get("safe_to_remove") == Some(&Value::Bool(true)) { "yes" } else { "no" };
    let because = text(credential, "safe_to_remove_because");
    [
        text(credential, "id").to_owned(),
        text(credential, "label").to_owned(),
        proof(credential),
        text(credential, "status").to_owned(),
        when(credential, "expires_at"),
        used.map_or_else(|| "never".to_owned(), |at| moment::relative(at, now)),
        if because.is_empty() { safe.to_owned() } else { format!("{safe}: {because}") },
    ]
}

/// The method; of an imported secret that was never used also how the other server hashed it.
fn proof(credential: &Map<String, Value>) -> String {
    match (text(credential, "method"), text(credential, "imported_hash")) {
        (method, "" | "keyed") => method.to_owned(),
        (method, hash) => format!("{method} ({hash})"),
    }
}

/// The body of a new credential.
fn ordered(typed: &CredentialCreate) -> Result<Members, Failure> {
    let method = method(typed)?;
    let mut members = Members::new();
    members.insert("label".to_owned(), Value::from(typed.label.as_str()));
    members.insert("method".to_owned(), Value::from(method.as_str()));
    put_material(&mut members, &typed.material)?;
    put_workload(&mut members, &typed.workload)?;
    put_life(&mut members, typed.expires_in.as_deref())?;
    if let Some(time) = &typed.not_before {
        members.insert("not_before".to_owned(), Value::from(moment::at("--not-before", time)?));
    }
    if let Some(accepted) = typed.secret_use {
        members.insert("secret_use".to_owned(), Value::from(accepted.as_str()));
    }
    for (name, on) in [
        ("accept_token_endpoint_audience", typed.accept_token_endpoint_audience),
        ("accept_untyped_assertion", typed.accept_untyped_assertion),
    ] {
        if on {
            members.insert(name.to_owned(), Value::Bool(true));
        }
    }
    Ok(members)
}

fn put_workload(members: &mut Members, typed: &WorkloadFlags) -> Result<(), Failure> {
    for (name, text) in [("issuer", &typed.issuer), ("external_subject", &typed.external_subject)] {
        if let Some(text) = text {
            members.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    if !typed.condition.is_empty() {
        members.insert("conditions".to_owned(), condition::all(&typed.condition)?);
    }
    Ok(())
}

fn put_life(members: &mut Members, span: Option<&str>) -> Result<(), Failure> {
    if let Some(span) = span {
        members.insert("expires_in".to_owned(), Value::from(moment::seconds("--expires-in", span, "90d")?));
    }
    Ok(())
}

fn put_material(members: &mut Members, typed: &MaterialFlags) -> Result<(), Failure> {
    if let Some(path) = &typed.public_key_file {
        members.insert("jwks".to_owned(), material::public_keys(path)?);
    }
    if let Some(path) = &typed.certificate_file {
        members.insert("certificate".to_owned(), Value::from(material::certificate(path)?));
    }
    for (name, text) in [
        ("jwks_uri", &typed.jwks_url),
        ("subject", &typed.subject),
        ("subject_dns", &typed.subject_dns),
        ("subject_uri", &typed.subject_uri),
        ("subject_ip", &typed.subject_ip),
        ("subject_email", &typed.subject_email),
    ] {
        if let Some(text) = text {
            members.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    Ok(())
}

/// The method that was typed, or what the flags lead to.
fn method(typed: &CredentialCreate) -> Result<CredentialMethod, Failure> {
    use CredentialMethod as M;
    let material = &typed.material;
    let names = [
        &material.subject,
        &material.subject_dns,
        &material.subject_uri,
        &material.subject_ip,
        &material.subject_email,
    ];
    let led_to = if material.public_key_file.is_some() || material.jwks_url.is_some() {
        Some(M::PrivateKeyJwt)
    } else if material.certificate_file.is_some() {
        Some(M::SelfSignedTlsClientAuth)
    } else if typed.workload.issuer.is_some() {
        Some(M::Federated)
    } else {
        names.iter().any(|name| name.is_some()).then_some(M::TlsClientAuth)
    };
    let demands = |method: M| match method {
        M::ClientSecret | M::ClientSecretJwt => None,
        M::PrivateKeyJwt => Some("--public-key-file FILE or --jwks-url URL"),
        M::TlsClientAuth => Some("--subject DN, --subject-dns NAME or another name of the certificate"),
        M::SelfSignedTlsClientAuth => Some("--certificate-file FILE"),
        M::Federated => Some("--issuer ID --external-subject SUBJECT"),
    };
    match (typed.method, led_to) {
        (None, led_to) => Ok(led_to.unwrap_or(M::ClientSecret)),
        (Some(method), led_to) if demands(method).is_none() && led_to.is_none() => Ok(method),
        (Some(method), Some(led_to)) if method == led_to => Ok(method),
        (Some(method), _) => Err(match demands(method) {
            Some(flags) => Failure::usage(format!("{} goes with {flags}", method.as_str()))
                .hint(format!("for example --method {} {flags}", method.as_str())),
            None => Failure::usage(format!("{} has neither key nor certificate", method.as_str()))
                .hint("leave --method out: it follows from the key or the certificate"),
        }),
    }
}

#[cfg(test)]
mod tests;
