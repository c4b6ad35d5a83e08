//! The endpoints of our server beside their limits and beside npm `oidc-provider`.
//!
//! Each server is a process of its own on the first core ([`process`]), asked from the
//! second ([`load`]). Ours is in [`ours`], the limits are in [`floor`].
//!
//! No claim yet: opaque tokens (`token-opaque`), which our server does not issue.

mod floor;
mod load;
mod oidc_provider;
mod ours;
mod process;
mod request;
mod serve;
mod size;
mod start;

use crate::report::Report;
use anyhow::{Context as _, Result, anyhow};
use load::{Requests, Side, answer, answers, compare};
use m2m_proto::client_auth::assertion::{AssertionAudience, ClientAssertion};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::time::UnixTime;
use m2m_proto::uri::Issuer;
use process::Process;
use request::Caller;
use serde_json::{Value, json};
use std::time::SystemTime;

pub use load::Cost;
pub use serve::run as serve;

/// The hidden first argument of the processes that serve.
pub const SUBCOMMAND: &str = "server";

/// What tokens are signed with here.
const ALGORITHMS: [(&str, Algorithm); 3] =
    [("rs256", Algorithm::Rs256), ("es256", Algorithm::Es256), ("eddsa", Algorithm::EdDsa)];

const SECRET_BAR: f64 = 0.9;
const ASSERTION_BAR: f64 = 0.85;
const INTROSPECTION_BAR: f64 = 0.85;
const REPEATED_BAR: f64 = 0.8;

/// Single-use requests of one round: more than any round can use.
const POOL: usize = 2_000;

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    start::run(report, &filter)?;
    size::run(report, &filter)?;
    let mut pair = None;
    for (name, _) in ALGORITHMS {
        let claim = format!("token-secret-{name}");
        if filter(&claim) {
            let pair = Pair::once(&mut pair)?;
            report.measure(|report| pair.secret(report, &claim, name))?;
        }
    }
    for (claim, measure) in CLAIMS {
        if filter(claim) {
            let pair = Pair::once(&mut pair)?;
            report.measure(|report| measure(pair, report, claim))?;
        }
    }
    oidc_provider::run(report, &filter, &mut pair)
}

type Claim = (&'static str, fn(&Pair, &mut Report, &str) -> Result<()>);

const CLAIMS: [Claim; 4] = [
    ("token-private-key-jwt", Pair::assertion),
    ("introspect-jwt", Pair::introspection),
    ("introspect-repeated", Pair::repeated),
    ("load-generator", Pair::generator),
];

/// Our server and its limits, running.
struct Pair {
    ours: Process,
    floor: Process,
    /// What the client of assertions signs with.
    key: SigningKey,
}

impl Pair {
    fn once(pair: &mut Option<Self>) -> Result<&Self> {
        if pair.is_none() {
            *pair = Some(Self::start()?);
        }
        pair.as_ref().context("just started")
    }

    fn start() -> Result<Self> {
        let key = SigningKey::generate(Algorithm::Es256).map_err(|error| anyhow!("{error}"))?;
        let jwks: Value = serde_json::from_slice(&JwkSet::encode([key.verifying_key().as_ref()]))?;
        let ours = Process::of_ours("ours", &json!({ "clients": 0, "jwks": jwks }))?;
        let mut setup = json!({ "reader": ours.said("/reader")? });
        for (name, _) in ALGORITHMS {
            let mut client = ours.said(&format!("/{name}"))?.clone();
            client["token"] = token(&answer(&ours, &token_request(&client))?)?.into();
            setup[name] = client;
        }
        let form = request::introspection(setup["es256"]["token"].as_str().unwrap_or_default());
        let told = answer(&ours, &reading(&ours, &form)?)?;
        setup["introspection"] = String::from_utf8(told)?.into();
        Ok(Self { floor: Process::of_ours("floor", &setup)?, ours, key })
    }

    fn secret(&self, report: &mut Report, claim: &str, name: &str) -> Result<()> {
        let client = self.ours.said(&format!("/{name}"))?;
        let limit = request::post(&format!("/token/{name}"), Caller::Secret(client), request::TOKEN);
        self.beside(report, claim, SECRET_BAR, (vec![token_request(client)], vec![limit]))
    }

    /// Every request needs an assertion of its own, so they are signed before each round.
    fn assertion(&self, report: &mut Report, claim: &str) -> Result<()> {
        let path = format!("{}/token", ours::ENDPOINTS);
        let requests = Box::new(|| self.signed_requests(&path, POOL).map(Requests::once));
        let limit = self.signed_requests("/assertion", 1)?;
        let sides = [Side { server: &self.ours, requests }, Side::repeated(&self.floor, limit)];
        report.endpoint(claim, compare(sides)?, ASSERTION_BAR);
        Ok(())
    }

    fn signed_requests(&self, path: &str, count: usize) -> Result<Vec<Vec<u8>>> {
        let client = ClientId::parse("svc-signer")?;
        let audience = AssertionAudience::Issuer(Issuer::parse(self.ours.text("/issuer")?)?);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let now = UnixTime::from_seconds(since.as_secs());
        let one = |number: usize| {
            // Fresh: no two rounds begin at the same nanosecond.
            let jti = format!("{:032x}-{number:05}", since.as_nanos());
            let jwt = ClientAssertion::new(&client, &audience, &jti, now).build(&self.key)?;
            Ok(request::post(path, Caller::Body, &request::assertion(&jwt)))
        };
        (0..count).map(one).collect()
    }

    /// Every token is asked about once, so that no memory of earlier answers can help.
    fn introspection(&self, report: &mut Report, claim: &str) -> Result<()> {
        let client = self.ours.said("/es256")?;
        let requests = Box::new(|| {
            let tokens = answers(&self.ours, vec![token_request(client); POOL])?;
            let each = tokens.iter().map(|body| reading(&self.ours, &request::introspection(&token(body)?)));
            Ok(Requests::once(each.collect::<Result<_>>()?))
        });
        // As different as ours: a processor learns to verify one signature that comes again and again.
        let limits =
            (0..POOL).map(|_| self.limit_of_reading("/introspect/verified")).collect::<Result<_>>()?;
        let sides = [Side { server: &self.ours, requests }, Side::repeated(&self.floor, limits)];
        report.endpoint(claim, compare(sides)?, INTROSPECTION_BAR);
        Ok(())
    }

    fn repeated(&self, report: &mut Report, claim: &str) -> Result<()> {
        let own = token(&answer(&self.ours, &token_request(self.ours.said("/es256")?))?)?;
        let ours = reading(&self.ours, &request::introspection(&own))?;
        let limit = self.limit_of_reading("/introspect")?;
        self.beside(report, claim, REPEATED_BAR, (vec![ours], vec![limit]))
    }

    fn limit_of_reading(&self, path: &str) -> Result<Vec<u8>> {
        let sample = request::post("/introspect/token", Caller::Body, "");
        let form = request::introspection(&token(&answer(&self.floor, &sample)?)?);
        Ok(request::post(path, Caller::Secret(self.ours.said("/reader")?), &form))
    }

    fn beside(
        &self,
        report: &mut Report,
        claim: &str,
        bar: f64,
        (ours, limit): (Vec<Vec<u8>>, Vec<Vec<u8>>),
    ) -> Result<()> {
        let allocated =
            [(&self.ours, &ours), (&self.floor, &limit)].map(|(server, all)| allocations(server, all));
        let sides = [Side::repeated(&self.ours, ours), Side::repeated(&self.floor, limit)];
        report.endpoint(claim, compare(sides)?, bar);
        if let [Ok(ours), Ok(limit)] = allocated {
            report.note(&format!("{claim}: {ours} allocations a request, the limit {limit}"));
        }
        Ok(())
    }

    /// No claim: a load generator that is no faster than the servers would measure itself.
    fn generator(&self, report: &mut Report, claim: &str) -> Result<()> {
        let constant = request::post("/constant", Caller::Body, request::TOKEN);
        let [cost] = compare([Side::repeated(&self.floor, vec![constant])])?;
        report.note(&format!("{claim}: {:.0}/s of a constant answer", cost.rate));
        Ok(())
    }
}

fn token_request(client: &Value) -> Vec<u8> {
    request::post(&format!("{}/token", ours::ENDPOINTS), Caller::Secret(client), request::TOKEN)
}

/// A request of the resource server.
fn reading(ours: &Process, form: &str) -> Result<Vec<u8>> {
    let reader = Caller::Secret(ours.said("/reader")?);
    Ok(request::post(&format!("{}/introspect", ours::ENDPOINTS), reader, form))
}

/// The token in the answer of a token endpoint.
fn token(body: &[u8]) -> Result<String> {
    let body: Value = serde_json::from_slice(body)?;
    body["access_token"].as_str().map(str::to_owned).with_context(|| format!("no token in {body}"))
}

/// Allocations of one request, on average.
fn allocations(server: &Process, requests: &[Vec<u8>]) -> Result<u64> {
    const REQUESTS: usize = 1_000;
    let count = || -> Result<u64> {
        let get = format!("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", serve::ALLOCATIONS);
        Ok(String::from_utf8(answer(server, get.as_bytes())?)?.parse()?)
    };
    let before = count()?;
    let idle = count()? - before;
    let before = count()?;
    answers(server, requests.iter().cycle().take(REQUESTS).cloned().collect())?;
    let many = count()? - before;
    Ok(many.saturating_sub(2 * idle) / REQUESTS as u64)
}
