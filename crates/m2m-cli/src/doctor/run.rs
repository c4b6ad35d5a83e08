//! One run against the server: the way to it, the production engine, certificates, metadata, keys, tries.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Uri};
use m2m_client::provider::Preset;
use m2m_client::{Client, TokenSpec};
use m2m_io::reqwest::ReqwestHttp;
use m2m_io::{HttpClient as _, Limits, Reach};
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod};
use m2m_proto::client_id::ClientId;
use m2m_proto::metadata::well_known;
use m2m_proto::names::metadata as member;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};

use super::facts::{Facts, Handshake, Metadata, ProxyFacts, Reaction, Trouble, Variant};
use super::probe::Probe;
use super::record::{Exchange, Expects, Record, SecretRead};
use super::{Effort, way};
use crate::Surroundings;
use crate::connect;
use crate::connect::credentials::Method;
use crate::connect::observer::Watched;
use crate::settings::Settings;
use crate::settings::field::Field;

/// One run against the server.
pub(super) struct Run<'a> {
    pub(super) settings: &'a Settings,
    pub(super) around: &'a Surroundings,
    pub(super) http: Arc<ReqwestHttp>,
    pub(super) record: &'a Record,
    pub(super) reads: &'a [SecretRead],
    pub(super) server: &'a EndpointUri,
}

impl Run<'_> {
    pub(super) async fn go(&self, client: &Client, effort: Effort, facts: &mut Facts) {
        self.way(facts).await;
        facts.outcome = Some(outcome(client).await);
        facts.exchanges = self.record.exchanges();
        facts.metadata = match &facts.settings.issuer {
            Some(issuer) => metadata(&facts.exchanges, issuer),
            None => self.beside().await,
        };
        self.handshakes(facts).await;
        facts.keys_fetch = self.keys(facts).await;
        if effort == Effort::Probe {
            facts.probes = Some(self.probes(facts).await);
        }
    }

    /// Proxy, name, connection.
    async fn way(&self, facts: &mut Facts) {
        let clock = self.around.clock.as_ref();
        let origin = self.server.origin();
        if let Some(hop) = self.http.proxy_of(self.server.uri()) {
            let (reaction, _) = way::tunnel(clock, &hop, origin).await;
            let url = hop.uri.to_string().trim_end_matches('/').to_owned();
            facts.proxy = Some(ProxyFacts { url, variable: self.variable(origin), reaction });
            return;
        }
        facts.bypassed = self.bypassed().await;
        let addresses = way::addresses(clock, origin).await;
        if let Ok(found) = &addresses {
            let connected = way::connect(clock, found, origin.port()).await;
            facts.connection = Some(connected.map(|(_, address)| address));
        }
        facts.addresses = Some(addresses);
    }

    /// Nothing to this machine goes through a proxy; a broken one is worth a word all the same.
    async fn bypassed(&self) -> Option<ProxyFacts> {
        let origin = self.server.origin();
        let elsewhere = Origin::parse(&format!("{}://elsewhere.invalid", origin.scheme())).ok()?;
        let hop = self.http.proxy_of(&elsewhere.to_string().parse().ok()?)?;
        // Who listens there is asked for nothing: the server's name and the proxy's password are none of its business.
        let (clock, proxy) = (self.around.clock.as_ref(), Origin::of(&hop.uri).ok()?);
        let reached = match way::addresses(clock, &proxy).await {
            Ok(found) => way::connect(clock, &found, proxy.port()).await.map(drop),
            Err(reason) => Err(reason),
        };
        let reaction = reached.map_or_else(Reaction::Unreachable, |()| Reaction::NotAsked);
        let url = hop.uri.to_string().trim_end_matches('/').to_owned();
        Some(ProxyFacts { url, variable: self.variable(origin), reaction })
    }

    /// The variable that names the proxy; each has a form in lower case too.
    fn variable(&self, origin: &Origin) -> &'static str {
        let names = match origin.is_https() {
            true => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
            false => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        };
        names.into_iter().find(|name| self.around.environment.is_set(name)).unwrap_or("the environment")
    }

    /// The certificates of the servers that were asked.
    async fn handshakes(&self, facts: &mut Facts) {
        let asked = facts.token_request().and_then(|exchange| exchange.url.parse::<Uri>().ok());
        let mut origins = vec![self.server.origin().clone()];
        origins.extend(asked.and_then(|uri| Origin::of(&uri).ok()));
        origins.dedup();
        let clock = self.around.clock.as_ref();
        for origin in origins.iter().filter(|origin| origin.is_https()) {
            let url = origin.to_string().parse::<Uri>().ok();
            let stream = match url.and_then(|url| self.http.proxy_of(&url)) {
                Some(hop) => way::tunnel(clock, &hop, origin).await.1,
                None => match way::addresses(clock, origin).await {
                    Ok(found) => {
                        way::connect(clock, &found, origin.port()).await.ok().map(|(stream, _)| stream)
                    }
                    Err(_) => None,
                },
            };
            let Some(stream) = stream else { continue };
            let validities = way::certificates(clock, stream, origin).await;
            facts.handshakes.push(Handshake { origin: origin.to_string(), validities });
        }
    }

    /// A server whose token URL is configured may publish metadata all the same; it counts if it names that URL.
    async fn beside(&self) -> Option<Metadata> {
        let issuer = Issuer::parse(&self.server.origin().to_string()).ok()?;
        let known = self.settings.preset().map(Preset::discovery_urls).unwrap_or_default();
        let known = known.iter().filter_map(|url| EndpointUri::parse(url).ok());
        for url in known.chain(well_known::urls(&issuer)) {
            let Some(fetched) = self.get(&url, Reach::Configured).await else { continue };
            let answer = fetched.answer().filter(|answer| answer.status.is_success());
            let document = answer.and_then(|answer| answer.document()).cloned();
            let names = |members: &serde_json::Map<String, serde_json::Value>| {
                members.get(member::TOKEN_ENDPOINT).and_then(|url| url.as_str()) == Some(self.server.as_str())
            };
            if let Some(members) = document.filter(names) {
                return Some(Metadata { url: fetched.url, members });
            }
        }
        None
    }

    /// The server's keys, as an API would fetch them.
    async fn keys(&self, facts: &Facts) -> Option<Exchange> {
        let believed = facts.token_request().is_some();
        let url = facts.stated(member::JWKS_URI).filter(|_| believed)?;
        let url = EndpointUri::parse(url).ok()?;
        self.get(&url, Reach::Discovered { origin: self.server.origin().clone() }).await
    }

    async fn get(&self, url: &EndpointUri, reach: Reach) -> Option<Exchange> {
        let record = Record::new(Expects::Documents);
        let (http, clock) = (Arc::<ReqwestHttp>::clone(&self.http), Arc::clone(&self.around.clock));
        let http = Watched::over(http, clock, Arc::<Record>::clone(&record));
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url.uri().clone();
        let limits = Limits { timeout: connect::timeout(self.settings), reach, ..Limits::default() };
        // The record has it, whatever it is.
        let _recorded = http.send(request, &limits).await;
        record.exchanges().pop()
    }

    async fn probes(&self, facts: &Facts) -> Vec<Variant> {
        use ClientAuthMethod::{ClientSecretBasic, ClientSecretJwt, ClientSecretPost};
        // Of a service of the catalogue it is known how it is spoken to.
        let method = match facts.settings.method.filter(|_| facts.settings.service.is_none()) {
            Some(Method::Registered(method @ (ClientSecretBasic | ClientSecretPost | ClientSecretJwt))) => {
                Some(method)
            }
            _ => None,
        };
        let secret = self.reads.iter().find(|read| read.field == Field::ClientSecret);
        let client_id = self.settings.text(Field::ClientId).and_then(|id| ClientId::parse(id).ok());
        let (Some(method), Some(secret), Some(client_id), true) =
            (method, secret, client_id, facts.client_is_refused())
        else {
            return Vec::new();
        };
        let raw = self.settings.text(Field::BasicEncoding).and_then(BasicEncoding::parse)
            == Some(BasicEncoding::Raw);
        let probe = Probe {
            settings: self.settings,
            around: self.around,
            client_id: &client_id,
            secret: secret.secret.expose(),
            method,
            encoding: if raw { BasicEncoding::Raw } else { BasicEncoding::Form },
        };
        probe.run().await
    }
}

/// Whether there is a token.
pub(super) async fn outcome(client: &Client) -> Result<(), Trouble> {
    let token = client.token(&TokenSpec::default()).await;
    token.map(drop).map_err(|error| Trouble::of(&error))
}

/// The document that the engine used, or the first that it looked at.
fn metadata(exchanges: &[Exchange], issuer: &str) -> Option<Metadata> {
    let found = || {
        exchanges.iter().filter(|exchange| !exchange.is_token_request()).filter_map(|exchange| {
            let answer = exchange.answer().filter(|answer| answer.status.is_success())?;
            Some(Metadata { url: exchange.url.clone(), members: answer.document()?.clone() })
        })
    };
    let fits =
        |found: &Metadata| found.members.get(member::ISSUER).and_then(|named| named.as_str()) == Some(issuer);
    found().find(fits).or_else(|| found().next())
}
