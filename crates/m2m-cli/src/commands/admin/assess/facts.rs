//! What is judged: the server as its metadata and key set show it, each client as the admin API shows it.
//!
//! Reading is tolerant: a member that an older server does not have is a fact that is not known, never one that is fine.

use bytes::Bytes;
use http::Request;
use m2m_io::{Limits, RemoteMetadata};
use m2m_proto::error::Endpoint;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::metadata::server::ServerMetadata;
use m2m_proto::uri::{Issuer, PlainHttp};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

use super::super::http::{Caller, object_path};
use super::super::shown::text;
use super::super::typed::texts_of;
use crate::Surroundings;
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::settings::field::Field;

/// Everything that is judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) server: ServerFacts,
    pub(super) clients: Vec<ClientFacts>,
}

/// What the server says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ServerFacts {
    pub(super) issuer: String,
    /// https, or on this machine.
    pub(super) is_encrypted: bool,
    pub(super) methods: Vec<String>,
    pub(super) assertion_algorithms: Vec<String>,
    pub(super) proof_algorithms: Vec<String>,
    pub(super) binds_to_certificates: bool,
    pub(super) grant_types: Vec<String>,
    /// Of the published keys, each once.
    pub(super) key_algorithms: Vec<String>,
}

/// A client, with what it may use and how it proves who it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClientFacts {
    pub(super) id: String,
    /// `none`, `dpop`, `mtls`.
    pub(super) constraint: String,
    /// Those that can be used now.
    pub(super) credentials: Vec<CredentialFacts>,
    pub(super) apis: Vec<ApiFacts>,
    /// `API SCOPE`, granted and never used.
    pub(super) unused: Vec<String>,
}

/// A credential.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CredentialFacts {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) method: String,
    /// What its keys can sign with; `None` where they are not known here.
    pub(super) algorithms: Option<Vec<String>>,
    /// Whether its assertions may name the token endpoint; `None` where the server does not say.
    pub(super) takes_endpoint_audience: Option<bool>,
}

/// An API that a client may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ApiFacts {
    pub(super) identifier: String,
    /// `none`, `dpop`, `mtls`.
    pub(super) constraint: String,
    /// What signs its tokens; `None` where they are sealed.
    pub(super) algorithm: Option<String>,
}

/// Asks for all of it.
///
/// # Errors
/// As [`Caller::get`]; exit 5 and 10: metadata or keys cannot be had.
pub(super) async fn gather(
    caller: &Caller,
    only: &[String],
    around: &Surroundings,
) -> Result<Facts, Failure> {
    let server = server(around).await?;
    let apis = caller.list("/apis", &[]).await?;
    let apis: Vec<ApiFacts> = apis.iter().filter_map(Value::as_object).map(api).collect();
    let ids = match only {
        [] => all_ids(caller).await?,
        only => only.to_vec(),
    };
    let mut all = match only {
        [] => by_client(caller.list("/credentials", &[]).await?),
        _ => HashMap::new(),
    };
    let mut clients = Vec::with_capacity(ids.len());
    for id in ids {
        let shown = caller.get(object_path("clients", &id, "")?).await?;
        let credentials = match only {
            [] => all.remove(&id).unwrap_or_default(),
            _ => caller.list(&object_path("clients", &id, "/credentials")?, &[]).await?,
        };
        clients.push(client(&shown, &in_order(credentials), &apis));
    }
    Ok(Facts { server, clients })
}

/// The oldest first, whichever list they are from.
fn in_order(mut credentials: Vec<Value>) -> Vec<Value> {
    let place = |one: &Value| {
        let member = |name| one.get(name);
        (
            member("created_at").and_then(Value::as_u64),
            member("id").and_then(Value::as_str).map(str::to_owned),
        )
    };
    credentials.sort_by_cached_key(place);
    credentials
}

fn by_client(credentials: Vec<Value>) -> HashMap<String, Vec<Value>> {
    let mut sorted: HashMap<String, Vec<Value>> = HashMap::new();
    for credential in credentials {
        let id = credential.get("client_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        sorted.entry(id).or_default().push(credential);
    }
    sorted
}

/// Those that are not withdrawn for good, in the order of their names.
async fn all_ids(caller: &Caller) -> Result<Vec<String>, Failure> {
    let clients = caller.list("/clients", &[]).await?;
    let standing =
        clients.iter().filter_map(Value::as_object).filter(|client| text(client, "status") != "revoked");
    let mut ids: Vec<String> = standing.map(|client| text(client, "id").to_owned()).collect();
    ids.sort_unstable();
    Ok(ids)
}

async fn server(around: &Surroundings) -> Result<ServerFacts, Failure> {
    let settings = connect::admin_settings(around)?;
    let issuer = settings.text(Field::Issuer).unwrap_or_default();
    let issuer = Issuer::parse(issuer).map_err(|error| settings.wrong(Field::Issuer, error))?;
    let client = connect::http(&settings)?;
    let remote = RemoteMetadata::new(issuer, Arc::clone(&client), Arc::clone(&around.clock));
    let unreadable = |what: &str| Failure::of(Exit::Malformed, "peer_misbehaved", what.to_owned());
    let metadata = remote.get().await.map_err(|error| {
        Failure::of(Exit::Unreachable, "unreachable", format!("the metadata of the server: {error}"))
    })?;
    let keys = match &metadata.jwks_uri {
        None => Vec::new(),
        Some(url) => {
            let request = Request::get(url.uri().clone())
                .body(Bytes::new())
                .map_err(|error| Failure::internal(error.to_string()))?;
            let limits = Limits { reach: remote.reach(), ..Limits::default() };
            let answer =
                client.send(request, &limits).await.map_err(|error| connect::http_failure(&error))?;
            let set =
                JwkSet::decode(answer.body()).map_err(|_| unreadable("the key set of the server is none"))?;
            algorithms_of(&set)
        }
    };
    Ok(of_metadata(&metadata, keys))
}

fn of_metadata(metadata: &ServerMetadata, key_algorithms: Vec<String>) -> ServerFacts {
    ServerFacts {
        issuer: metadata.issuer.as_str().to_owned(),
        is_encrypted: metadata.issuer.endpoint().check_transport(PlainHttp::LoopbackOnly).is_ok(),
        methods: metadata.auth_methods(Endpoint::Token).map(str::to_owned).collect(),
        assertion_algorithms: metadata.token_endpoint_auth_signing_alg_values_supported.clone(),
        proof_algorithms: metadata.dpop_signing_alg_values_supported.clone(),
        binds_to_certificates: metadata.tls_client_certificate_bound_access_tokens,
        grant_types: metadata.grant_types_supported.clone().unwrap_or_default(),
        key_algorithms,
    }
}

fn algorithms_of(set: &JwkSet) -> Vec<String> {
    let each = |algorithm: &Algorithm| set.keys().iter().any(|key| key.allows(*algorithm));
    Algorithm::ALL
        .iter()
        .filter(|algorithm| each(algorithm))
        .map(|algorithm| algorithm.name().to_owned())
        .collect()
}

fn api(shown: &Map<String, Value>) -> ApiFacts {
    ApiFacts {
        identifier: text(shown, "identifier").to_owned(),
        constraint: text(shown, "sender_constraint").to_owned(),
        algorithm: (text(shown, "format") != "opaque").then(|| text(shown, "alg").to_owned()),
    }
}

fn client(shown: &Map<String, Value>, credentials: &[Value], apis: &[ApiFacts]) -> ClientFacts {
    let objects = |member: &str| {
        let list = shown.get(member).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Value::as_object)
    };
    let granted = |api: &&ApiFacts| objects("grants").any(|grant| text(grant, "api") == api.identifier);
    let unused = objects("unused_scopes").flat_map(|entry| {
        let api = text(entry, "api").to_owned();
        texts_of(entry.get("scopes")).into_iter().map(move |scope| format!("{api} {scope}"))
    });
    ClientFacts {
        id: text(shown, "id").to_owned(),
        constraint: text(shown, "sender_constraint").to_owned(),
        credentials: credentials.iter().filter_map(Value::as_object).filter_map(credential).collect(),
        apis: apis.iter().filter(granted).cloned().collect(),
        unused: unused.collect(),
    }
}

/// A credential that can be used; `None` for one that has ended.
fn credential(shown: &Map<String, Value>) -> Option<CredentialFacts> {
    (text(shown, "status") == "active").then(|| CredentialFacts {
        id: text(shown, "id").to_owned(),
        label: text(shown, "label").to_owned(),
        method: text(shown, "method").to_owned(),
        algorithms: shown.get("algs").filter(|algs| algs.is_array()).map(|algs| texts_of(Some(algs))),
        takes_endpoint_audience: shown
            .get("accepted_audience")
            .and_then(Value::as_str)
            .map(|accepted| accepted != "issuer"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_client_is_read_with_its_apis_and_without_what_has_ended() {
        let apis = [
            json!({"identifier": "a", "alg": "RS256", "format": "jwt", "sender_constraint": "dpop"}),
            json!({"identifier": "b", "alg": "ES256", "format": "opaque", "sender_constraint": "none"}),
        ];
        let apis: Vec<ApiFacts> = apis.into_iter().map(|value| api(&object(&value))).collect();
        assert_eq!(apis[1].algorithm, None);
        let shown = json!({"id": "c", "sender_constraint": "none", "grants": [{"api": "a", "scopes": ["r"]}],
                           "unused_scopes": [{"api": "a", "scopes": ["r", "w"]}]});
        let credentials = [
            json!({"id": "1", "label": "x", "method": "client_secret", "status": "active"}),
            json!({"id": "2", "label": "y", "method": "private_key_jwt", "status": "active", "algs": ["PS256"],
                   "accepted_audience": "issuer_or_token_endpoint"}),
            json!({"id": "3", "label": "z", "method": "client_secret", "status": "revoked"}),
        ];
        let read = client(&object(&shown), &credentials, &apis);
        assert_eq!(read.apis, [apis[0].clone()]);
        assert_eq!(read.unused, ["a r", "a w"]);
        let [secret, key] = read.credentials.as_slice() else { panic!("{read:?}") };
        assert_eq!((secret.algorithms.as_deref(), secret.takes_endpoint_audience), (None, None));
        assert_eq!(
            (key.algorithms.clone(), key.takes_endpoint_audience),
            (Some(vec!["PS256".into()]), Some(true))
        );
    }
}
