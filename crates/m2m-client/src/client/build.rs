//! From settings to a client: what can be judged is judged, nothing is sent.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{HttpClient, RemoteMetadata, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::security_profile::FAPI2_ALGORITHMS;
use m2m_proto::token::{ParameterPlace, TokenRequest};
use m2m_proto::uri::EndpointUri;

use super::{Inner, profile};
use crate::cache::{CacheSettings, Identity, Rotation, TokenCache};
use crate::config::{ClientBuilder, ServerKind, Tuning};
use crate::credentials::{Credentials, HttpFactory, Transport};
use crate::dialect::{ClientIdParameter, SecretInUrl};
use crate::dpop::DpopSigner;
use crate::error::Error;
use crate::exchange::{Directory, Exchange};
use crate::mint::TokenMinter;
use crate::signed_answer::AnswerSigner;
use crate::store::{TokenStore, Vault};

pub(super) fn inner(mut settings: ClientBuilder) -> Result<Inner, Error> {
    check(&settings)?;
    let mut credentials =
        settings.credentials.take().ok_or_else(|| Error::misconfigured("credentials are missing"))?;
    let client_id = match settings.client_id.take() {
        Some(client_id) => client_id,
        None if credentials.method().is_none() && !settings.grant.is_signed() => {
            nobody(&mut settings.tuning)?
        }
        None => return Err(Error::misconfigured("client_id is missing")),
    };
    credentials.check()?;
    profile::check(&settings, &credentials).map_err(|outside| Error::misconfigured(outside.to_string()))?;
    let accepted = accepted(&settings.tuning);
    credentials.accept(&accepted);
    settings.grant.accept(&accepted);
    let (clock, random) = (Arc::clone(&settings.clock), Arc::clone(&settings.random));
    let dpop = DpopSigner::new(&settings.dpop, Arc::clone(&clock), Arc::clone(&random))?.map(Arc::new);
    let identity = identity(&settings, &client_id, &credentials, dpop.as_deref());
    let cache_settings = cache_settings(&settings, &credentials);
    let (transport, plain) = transport(&credentials, settings.http, settings.http_factory)?;
    let directory = match settings.server.0 {
        ServerKind::Endpoints(endpoints) => Directory::Configured(endpoints),
        ServerKind::Issuer(issuer) => {
            Directory::Discovered(RemoteMetadata::new(issuer, Arc::clone(&plain), Arc::clone(&clock)))
        }
    };
    let signer = match (&directory, settings.signed_introspection) {
        (_, false) => None,
        (Directory::Discovered(metadata), true) => {
            Some(AnswerSigner::new(metadata.clone(), plain, Arc::clone(&clock)))
        }
        (Directory::Configured(_), true) => {
            return Err(Error::misconfigured(
                "signed introspection needs the issuer, whose metadata name its keys",
            ));
        }
    };
    let exchange = Arc::new(Exchange {
        client_id,
        credentials,
        transport,
        directory,
        introspection: settings.introspection,
        revocation: settings.revocation,
        signer,
        dpop,
        grant: settings.grant,
        tuning: settings.tuning,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        label: settings.spec.label.clone(),
    });
    let vault = settings.store.map(|store| vault(store, &exchange, &cache_settings));
    let minter = Arc::new(TokenMinter::new(Arc::clone(&exchange), vault.clone()));
    let cache = TokenCache::new(minter, clock, random, cache_settings);
    Ok(Inner { exchange, cache, vault, identity, spec: settings.spec, destinations: settings.destinations })
}

/// The algorithms of assertions, the preferred one first; empty: whatever the key can do.
fn accepted(tuning: &Tuning) -> Vec<Algorithm> {
    let (profile, known) = (tuning.security_profile, &tuning.dialect.assertion.algorithms);
    match known.is_empty() && profile.restricts() {
        true => FAPI2_ALGORITHMS.to_vec(),
        false => profile.allowed(known),
    }
}

/// What tokens of this client are kept under, besides what is asked for.
fn identity(
    settings: &ClientBuilder,
    client_id: &ClientId,
    credentials: &Credentials,
    dpop: Option<&DpopSigner>,
) -> Identity {
    Identity {
        server: settings.server.identity().to_owned(),
        client_id: client_id.as_str().to_owned(),
        method: credentials.method_name().to_owned(),
        credential: credentials.thumbprint().or_else(|| settings.grant.thumbprint()).unwrap_or_default(),
        binding: dpop.map(|dpop| dpop.thumbprint().to_owned()).unwrap_or_default(),
        grant: settings.grant.name().to_owned(),
        dialect: settings.tuning.dialect.identity.clone(),
        assertion_audience: settings.tuning.assertion_audience.to_string(),
    }
}

fn cache_settings(settings: &ClientBuilder, credentials: &Credentials) -> CacheSettings {
    CacheSettings {
        refresh_lead: settings.tuning.refresh_lead,
        reject_floor: settings.tuning.reject_floor,
        mint_deadline: settings.tuning.mint_deadline,
        max_keys: settings.tuning.max_keys,
        rotation: if credentials.uses_certificate() { Rotation::Drop } else { Rotation::Keep },
        label: settings.spec.label.clone(),
    }
}

fn vault(store: Arc<dyn TokenStore>, exchange: &Exchange, cache: &CacheSettings) -> Vault {
    // Four operations at most, and half of the deadline for the lock.
    let patience = cache.mint_deadline / 10;
    let (clock, random) = (Arc::clone(&exchange.clock), Arc::clone(&exchange.random));
    Vault::new(store, clock, random, patience, cache.label.clone())
}

/// A client that no request names: the service goes by where it is, or by the
/// token that it shows.
fn nobody(tuning: &mut Tuning) -> Result<ClientId, Error> {
    Arc::make_mut(&mut tuning.dialect).client_id = ClientIdParameter::Never;
    ClientId::parse("nobody").map_err(|_| Error::internal("a name that is none"))
}

/// The HTTP client for requests that authenticate, and the one for discovery,
/// which needs no certificate.
fn transport(
    credentials: &Credentials,
    given: Option<Arc<dyn HttpClient>>,
    factory: Option<HttpFactory>,
) -> Result<(Transport, Arc<dyn HttpClient>), Error> {
    if let Some(http) = given {
        return Ok((Transport::Fixed(Arc::clone(&http)), http));
    }
    let factory = factory.unwrap_or_else(default_http);
    let plain = factory.make(None)?;
    let transport = match credentials.certificate_source() {
        Some(source) => Transport::rotating(Arc::clone(source), factory),
        None => Transport::Fixed(Arc::clone(&plain)),
    };
    Ok((transport, plain))
}

/// reqwest with the system's roots.
fn default_http() -> HttpFactory {
    HttpFactory::new(|certificate| {
        let mut builder = ReqwestHttp::builder();
        if let Some(certificate) = certificate {
            builder = builder.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(builder.build()?))
    })
}

/// A secret goes into a URL only where the service is known to take it there.
fn check_url(settings: &ClientBuilder) -> Result<(), Error> {
    let dialect = &settings.tuning.dialect;
    let post = settings.credentials.as_ref().and_then(Credentials::method)
        == Some(ClientAuthMethod::ClientSecretPost);
    let in_url = dialect.request.place == ParameterPlace::Query;
    if in_url && post && dialect.secret_in_url == SecretInUrl::Refused {
        return Err(Error::misconfigured(
            "this service takes parameters in the URL, and a secret does not belong there",
        ));
    }
    Ok(())
}

/// Settings that can be judged without doing anything.
fn check(settings: &ClientBuilder) -> Result<(), Error> {
    let plain = settings.tuning.plain_http;
    let transport = |what: &str, endpoint: &EndpointUri| {
        endpoint.check_transport(plain).map_err(|error| Error::misconfigured(format!("{what}: {error}")))
    };
    match &settings.server.0 {
        ServerKind::Issuer(issuer) => transport("issuer", issuer.endpoint())?,
        ServerKind::Endpoints(endpoints) => {
            if settings.tuning.dialect.plain_endpoint.as_deref() != Some(endpoints.token.as_str()) {
                transport("token endpoint", &endpoints.token)?;
            }
            endpoints.introspection.iter().try_for_each(|uri| transport("introspection endpoint", uri))?;
            endpoints.revocation.iter().try_for_each(|uri| transport("revocation endpoint", uri))?;
        }
    }
    settings.introspection.iter().try_for_each(|uri| transport("introspection endpoint", uri))?;
    settings.revocation.iter().try_for_each(|uri| transport("revocation endpoint", uri))?;
    let dialect = &settings.tuning.dialect;
    for (name, _) in &settings.spec.params {
        TokenRequest::check_extra(name).map_err(|error| Error::misconfigured(error.to_string()))?;
        if dialect.secret_param.as_ref() == Some(name) {
            return Err(Error::misconfigured(format!(
                "{name} is the client secret of this service, not a parameter"
            )));
        }
    }
    check_url(settings)?;
    let longest = settings.tuning.dialect.assertion.longest_seconds.min(3600);
    if settings.tuning.assertion_lifetime > Duration::from_secs(longest) {
        return Err(Error::misconfigured(format!("an assertion lives {longest} seconds at most")));
    }
    Ok(())
}
