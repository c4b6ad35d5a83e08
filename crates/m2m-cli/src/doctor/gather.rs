//! From the world to [`Facts`]: settings, secrets, one run against the server. Judges nothing.

use std::sync::Arc;

use m2m_client::Inspect;
use m2m_client::provider::Preset;
use m2m_proto::uri::{EndpointUri, Origin};

use super::Effort;
use super::answer::{Dictionary, Readable};
use super::facts::{Asked, Binding, Facts, Known, Scheme, Server};
use super::record::{Expects, Record};
use super::run::{Run, outcome};
use super::secrets::{files, secrets};
use crate::Surroundings;
use crate::args::ProfileFlags;
use crate::connect;
use crate::connect::credentials;
use crate::settings::Settings;
use crate::settings::field::Field;
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
    record.hidden().clean(&mut facts);
    facts.now = around.clock.wall();
    facts
}

/// How the service calls the members of its answer.
fn dictionary(settings: &Settings) -> Dictionary {
    let off = settings.text(Field::Inspect).and_then(Inspect::parse) == Some(Inspect::Off);
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
