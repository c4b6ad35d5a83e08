//! From the world to [`Facts`]: settings, secrets, the way to the server, one run of the production engine, the
//! server's keys. Judges nothing.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Uri};
use m2m_client::provider::Preset;
use m2m_client::{Client, TokenSpec};
use m2m_io::file::{Exposure, TrailingNewline};
use m2m_io::reqwest::ReqwestHttp;
use m2m_io::{HttpClient as _, Limits, Reach};
use m2m_proto::client_auth::mutual_tls::validity;
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::metadata::well_known;
use m2m_proto::names::metadata as member;
use m2m_proto::secret::SecretBytes;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::facts::{
    Around, Asked, Binding, CertificateFacts, Facts, Handshake, Known, Metadata, ProxyFacts, Scheme,
    SecretFacts, Server, Trouble, Variant,
};
use super::probe::Probe;
use super::record::{Dictionary, Exchange, Expects, Readable, Record, SecretRead};
use super::{Effort, way};
use crate::Surroundings;
use crate::args::ProfileFlags;
use crate::connect;
use crate::connect::credentials::{self, Method};
use crate::connect::observer::Watched;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;
use crate::settings::value::Origin as From;

/// Everything that can be seen. No failure ends it: what cannot be seen stays empty.
pub(super) async fn facts(flags: &ProfileFlags, effort: Effort, around: &Surroundings) -> Facts {
    let mut facts = Facts { now: around.clock.wall(), ..Facts::default() };
    let settings = match connect::settings(flags, around) {
        Ok(settings) => settings,
        Err(failure) => {
            facts.settings.unresolved = Some(failure);
            return facts;
        }
    };
    facts.settings = asked(&settings);
    facts.files = files(&settings);
    let expects = Expects::Tokens(dictionary(&settings));
    let record = Record::new(expects);
    let client = connect::observed_client(&settings, around, Arc::<Record>::clone(&record)).await;
    let reads = record.reads();
    secrets(&settings, &reads, &mut facts);
    let server = settings.text(Field::Issuer).or(settings.text(Field::TokenUrl));
    let server = server.and_then(|text| EndpointUri::parse(text).ok());
    facts.server = server.as_ref().map(|uri| self::server(uri.origin()));
    match (client, server, connect::reqwest_http(&settings)) {
        (Ok(client), Some(uri), Ok(http)) => {
            let run = Run { settings: &settings, around, http, record: &record, reads: &reads, server: &uri };
            run.go(&client, effort, &mut facts).await;
        }
        // Its own key makes its tokens; nobody is asked.
        (Ok(client), None, Ok(_)) => facts.outcome = Some(outcome(&client).await),
        (Err(failure), ..) | (_, _, Err(failure)) => facts.settings.unusable = Some(failure),
    }
    facts.now = around.clock.wall();
    facts
}

async fn outcome(client: &Client) -> Result<(), Trouble> {
    let token = client.token(&TokenSpec::default()).await;
    token.map(drop).map_err(|error| Trouble::of(&error))
}

/// How the service calls the members of its answer.
fn dictionary(settings: &Settings) -> Dictionary {
    let off = settings.text(Field::Inspect) == Some("off");
    let tokens = if off { Readable::Nothing } else { Readable::Jwt };
    let Some(preset) = settings.preset() else { return Dictionary { tokens, ..Dictionary::default() } };
    let response = &preset.provider().response;
    Dictionary {
        token: response.token.clone(),
        expires_in: response.expires_in.clone(),
        unit: response.unit.into(),
        expires_at: response.expires_at.clone(),
        quota: preset.provider().quota.headers.clone(),
        tokens: if response.opaque { Readable::Nothing } else { tokens },
    }
}

fn asked(settings: &Settings) -> Asked {
    let set = Field::ALL.iter().filter(|field| settings.origin(**field) != From::Default);
    let mut sources: Vec<String> =
        set.map(|field| format!("{field} from {}", settings.origin(*field))).collect();
    if let Some(profile) = settings.profile() {
        sources.insert(0, format!("profile {profile}"));
    }
    let bound = settings.text(Field::Dpop).is_some() || settings.secret(Field::Dpop).is_some();
    let audiences = settings.text(Field::Audience).map(str::to_owned).into_iter();
    let audiences: Vec<String> = audiences.chain(settings.list(Field::Resource).iter().cloned()).collect();
    let named = settings.list(Field::Destinations);
    Asked {
        sources,
        issuer: settings.text(Field::Issuer).map(str::to_owned),
        method: credentials::method(settings).ok(),
        service: settings.preset().map(service),
        assertion_audience: settings.text(Field::AssertionAudience).map(str::to_owned),
        scopes: settings.list(Field::Scopes).to_vec(),
        destinations: if named.is_empty() { origins(&audiences) } else { named.to_vec() },
        audiences,
        fallback: settings.time(Field::FallbackLifetime).map(|life| life.as_secs()),
        binding: if bound { Binding::Dpop } else { Binding::None },
        ..Asked::default()
    }
}

fn service(preset: &Preset) -> Known {
    Known {
        name: preset.provider().name.clone(),
        methods: preset.methods().to_vec(),
        lifetime: preset.lifetime().map(|life| life.as_secs()),
    }
}

/// As the client does it: the origins of audiences and resources that are URLs.
fn origins(audiences: &[String]) -> Vec<String> {
    let parsed = audiences.iter().filter_map(|text| EndpointUri::parse(text).ok());
    parsed.map(|uri| uri.origin().to_string()).collect()
}

fn server(origin: &Origin) -> Server {
    Server {
        origin: origin.to_string(),
        host: origin.host().to_owned(),
        scheme: if origin.is_https() { Scheme::Https } else { Scheme::Http },
    }
}

/// Files that hold secrets; a certificate is none.
fn files(settings: &Settings) -> Vec<(String, Exposure)> {
    let references = Field::ALL.iter().filter(|field| **field != Field::Certificate);
    let paths = references.filter_map(|field| match settings.secret(*field)? {
        SecretReference::File(path) => Some(path),
        _ => None,
    });
    paths.filter_map(|path| Some((path.display().to_string(), exposure(path)?))).collect()
}

#[cfg(unix)]
fn exposure(path: &Path) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt as _;
    // The mode of a pipe says nothing about who can read it.
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(match metadata.mode() {
        mode if mode & 0o004 != 0 => Exposure::Everybody,
        mode if mode & 0o040 != 0 => Exposure::Group,
        _ => Exposure::Private,
    })
}

#[cfg(not(unix))]
fn exposure(_: &Path) -> Option<Exposure> {
    None
}

/// What there is to know of secrets, keys and certificates without keeping them.
fn secrets(settings: &Settings, reads: &[SecretRead], facts: &mut Facts) {
    let algorithm = credentials::algorithm(settings).ok().flatten();
    let place = |field| settings.secret(field).map(ToString::to_string).unwrap_or_default();
    for read in reads {
        facts.read.push(format!("{} from {}", read.field, place(read.field)));
        match read.field {
            Field::ClientSecret | Field::NextClientSecret => {
                facts.secrets.push(of_secret(read, place(read.field)));
                if facts.settings.method == Some(Method::Registered(ClientAuthMethod::ClientSecretJwt)) {
                    let algorithm = algorithm.unwrap_or(Algorithm::Hs256);
                    facts.settings.algorithm = Some(algorithm.to_string());
                    let bytes = SecretBytes::from(read.secret.expose().as_bytes());
                    let key = SigningKey::hmac(&bytes, algorithm).map_err(|error| error.to_string());
                    facts.keys.push((read.field, key.map(|_| algorithm.to_string())));
                }
            }
            Field::PrivateKey | Field::Dpop => {
                let wanted = algorithm.filter(|_| read.field == Field::PrivateKey);
                let key = credentials::parse_key(&read.secret, wanted);
                if let (Field::PrivateKey, Ok(key)) = (read.field, &key) {
                    facts.settings.algorithm = Some(key.algorithm().to_string());
                }
                facts.keys.push((read.field, key.map(|key| key.algorithm().to_string())));
            }
            Field::Certificate => {
                let der = CertificateDer::from_pem_slice(read.secret.expose().as_bytes());
                let validity = der.ok().and_then(|der| validity(&der));
                facts.certificate = Some(CertificateFacts { place: place(read.field), validity });
            }
            _ => {}
        }
    }
}

fn of_secret(read: &SecretRead, place: String) -> SecretFacts {
    let text = read.secret.expose();
    let around = if text.chars().any(char::is_control) {
        Around::Control
    } else if text.trim().len() != text.len() {
        Around::Spaces
    } else if read.newline == TrailingNewline::Removed {
        Around::LineEnd
    } else {
        Around::Nothing
    };
    SecretFacts { field: read.field, place, around, escapes: escapes(text) }
}

/// How many `%XX` a text holds; none if a percent sign stands for itself somewhere.
fn escapes(text: &str) -> usize {
    let mut parts = text.split('%').skip(1);
    let is_escape =
        |part: &str| part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if parts.clone().all(is_escape) { parts.by_ref().count() } else { 0 }
}

/// One run against the server.
struct Run<'a> {
    settings: &'a Settings,
    around: &'a Surroundings,
    http: Arc<ReqwestHttp>,
    record: &'a Record,
    reads: &'a [SecretRead],
    server: &'a EndpointUri,
}

impl Run<'_> {
    async fn go(&self, client: &Client, effort: Effort, facts: &mut Facts) {
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
        let (reaction, _) = way::tunnel(self.around.clock.as_ref(), &hop, origin).await;
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
        use ClientAuthMethod::{ClientSecretBasic, ClientSecretPost};
        // Of a service of the catalogue it is known how it is spoken to.
        let method = match facts.settings.method.filter(|_| facts.settings.service.is_none()) {
            Some(Method::Registered(method @ (ClientSecretBasic | ClientSecretPost))) => Some(method),
            _ => None,
        };
        let secret = self.reads.iter().find(|read| read.field == Field::ClientSecret);
        let client_id = self.settings.text(Field::ClientId).and_then(|id| ClientId::parse(id).ok());
        let (Some(method), Some(secret), Some(client_id), true) =
            (method, secret, client_id, facts.client_is_refused())
        else {
            return Vec::new();
        };
        let raw = self.settings.text(Field::BasicEncoding) == Some("raw");
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

#[cfg(test)]
mod tests {
    use m2m_proto::secret::SecretString;

    use super::*;

    #[test]
    fn what_stands_around_a_secret() {
        let check = |text: &str, newline, around| {
            let read = SecretRead { field: Field::ClientSecret, newline, secret: SecretString::from(text) };
            assert_eq!(of_secret(&read, String::new()).around, around, "{text:?}");
        };
        check("s", TrailingNewline::Absent, Around::Nothing);
        check("s", TrailingNewline::Removed, Around::LineEnd);
        check("s\n", TrailingNewline::Removed, Around::Control);
        check("s\r", TrailingNewline::Absent, Around::Control);
        check("s ", TrailingNewline::Removed, Around::Spaces);
        check(" s", TrailingNewline::Absent, Around::Spaces);
        check("s t", TrailingNewline::Absent, Around::Nothing);
    }

    #[test]
    fn escapes_are_counted_where_all_percent_signs_begin_one() {
        let check = |text, expect| assert_eq!(escapes(text), expect, "{text}");
        check("p%40ss%2Fword", 2);
        check("p%40ss%2fword", 2);
        check("p@ss/word", 0);
        check("100%", 0);
        check("%zz%40", 0);
        check("%4", 0);
    }
}
