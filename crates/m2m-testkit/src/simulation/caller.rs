//! The callers: programs with a client of their own that call the APIs now and then, and one that tries whatever token
//! it ever saw.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use m2m_client::{Client, Credentials, Dpop, Error, KeySource, SecretSource, Server, Token, TokenSpec};
use m2m_io::{BoxFuture, Clock as _};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::token::AccessToken;
use m2m_proto::uri::{Issuer, Origin};
use m2m_resource_server::Reason;

use super::api::{Api, bearer};
use super::chance::{Chance, stream};
use super::clock::PartyClock;
use super::ledger::CLOCK_ERROR;
use super::network::PartyHttp;
use super::world::{NODES, World};
use super::{API, ISSUER, tap};
use crate::{FixedKeys, SeededRandom};

/// A secret that its owner replaces while the program runs, as a mounted file is.
#[derive(Debug)]
pub(super) struct Rotating {
    secret: Mutex<SecretString>,
    version: AtomicU64,
}

impl Rotating {
    pub(super) fn new(secret: SecretString) -> Arc<Self> {
        Arc::new(Self { secret: Mutex::new(secret), version: AtomicU64::new(1) })
    }

    pub(super) fn replace(&self, secret: SecretString) {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret;
        self.version.fetch_add(1, Ordering::Relaxed);
    }
}

impl SecretSource for Rotating {
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        let secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(std::future::ready(Ok(secret)))
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// How a caller proves who it is.
pub(super) enum Proof {
    /// A secret, sent with the request.
    Secret(Arc<Rotating>),
    /// Assertions under a key.
    Key,
    /// Assertions under a key, and tokens bound to another.
    KeyAndDpop,
}

/// A client as this party has it.
pub(super) fn client(world: &World, name: &str, number: u8, proof: &Proof, only: Option<&str>) -> Client {
    let party = only.map_or_else(|| name.to_owned(), |node| format!("{name} at {node}"));
    let span = u64::try_from(CLOCK_ERROR.as_millis()).unwrap_or_default();
    let off = i64::try_from(stream(world.seed, name) % (2 * span)).unwrap_or_default();
    let off = match proof {
        // A proof may be 10 s ahead of whoever checks it, and the clock of one API is 9 s behind.
        Proof::KeyAndDpop => -off / 4,
        _ => off - i64::try_from(span).unwrap_or_default(),
    };
    let http = PartyHttp::new(&world.network, world.seed, &party, number);
    let http = only.map_or_else(|| http.clone(), |node| http.at(node));
    let credentials = match proof {
        Proof::Secret(secret) => {
            Credentials::secret(Arc::clone(secret) as _, None, ClientAuthMethod::ClientSecretBasic)
        }
        Proof::Key | Proof::KeyAndDpop => {
            Credentials::key(KeySource::fixed(Arc::new(FixedKeys::signing(Algorithm::EdDsa))))
        }
    };
    let builder = Client::builder(Server::issuer(Issuer::parse(ISSUER).expect("an issuer")))
        .client_id(ClientId::parse(name).expect("a client id"))
        .credentials(credentials)
        .scope(Scope::parse("orders:read").expect("a scope"))
        .audience(API)
        .destination(Origin::parse(API).expect("an origin"))
        .clock(Arc::new(PartyClock::new(&world.time, off)))
        .random(Arc::new(SeededRandom::new(stream(world.seed, &format!("random of {party}")))))
        .http(Arc::new(http));
    let builder = match proof {
        Proof::KeyAndDpop => builder.dpop(Dpop::Key(Arc::new(FixedKeys::signing(Algorithm::Es256)))),
        _ => builder,
    };
    builder.build().expect("a client")
}

/// A program that calls the APIs.
pub(super) struct Caller {
    pub(super) world: Arc<World>,
    pub(super) name: String,
    pub(super) client: Client,
    /// How often it gives its token back after use, of a hundred times.
    pub(super) gives_back: u64,
    /// It stays to the end.
    pub(super) stays: bool,
    /// It asks for a new token each time, as programs without a cache do.
    pub(super) hasty: bool,
}

impl Caller {
    /// Calls for as long as it is polled.
    pub(super) async fn run(self) {
        let chance = Chance::new(self.world.seed, &format!("caller {}", self.name));
        let _first = self.world.time.sleep(chance.millis(0, 3000)).await;
        loop {
            if self.world.is_calm() && !self.stays {
                return;
            }
            let asked = self.world.now();
            match self.call(&chance).await {
                Ok(()) => self.world.ledger().served(&self.name, asked),
                Err(why) => {
                    self.note(&why);
                    self.world.ledger().refused(&self.name, asked, &why);
                }
            }
            let pause = if self.world.is_calm() { (4000, 7000) } else { (1500, 4000) };
            self.world.time.sleep(chance.millis(pause.0, pause.1)).await;
        }
    }

    fn note(&self, what: &str) {
        self.world.journal.write(&self.name, what);
    }

    async fn call(&self, chance: &Chance) -> Result<(), String> {
        let spec = TokenSpec::default();
        let token = match self.hasty {
            true => self.client.renew(&spec).await,
            false => self.client.token(&spec).await,
        };
        let token = token.map_err(|error| format!("no token: {}", error.kind().as_str()))?;
        let apis = self.world.apis();
        for api in &apis {
            self.ask(api, &token, chance).await?;
        }
        if chance.percent(self.gives_back) && !self.world.is_calm() {
            self.give_back(&token).await;
        }
        Ok(())
    }

    async fn ask(&self, api: &Arc<Api>, token: &Arc<Token>, chance: &Chance) -> Result<(), String> {
        let spec = TokenSpec::default();
        let uri = Uri::from_static("https://orders.example/orders");
        let mut headers = HeaderMap::new();
        let attached = self.client.attach(&spec, token, &Method::GET, &uri, &mut headers);
        attached.map_err(|error| format!("not attached: {}", error.kind().as_str()))?;
        self.world.time.sleep(chance.millis(1, 20)).await;
        let called = api.call(&self.world, &headers).await;
        if chance.percent(15) {
            // The network delivers the request a second time, perhaps later.
            self.world.time.sleep(chance.millis(0, 5000)).await;
            let again = api.call(&self.world, &headers).await;
            self.note(&format!("the same again at {}: {}", api.name, word(again.as_ref().err())));
        }
        self.note(&format!("{}: {}", api.name, word(called.as_ref().err())));
        called.map_err(|reason| {
            if reason.code().is_some() {
                self.client.reject(token);
            }
            format!("{} refuses: {}", api.name, word(Some(&reason)))
        })
    }

    async fn give_back(&self, token: &Token) {
        let text = token.access_token().expose();
        let revoked = self.client.revoke(token.access_token()).await;
        let jti = tap::claim(text, "jti").unwrap_or_default();
        self.note(&format!("gives back {jti}: {}", if revoked.is_ok() { "done" } else { "not sure" }));
        if revoked.is_ok() {
            let now = self.world.now();
            self.world.ledger().given_back(&jti, now);
        }
    }
}

/// A word for a reason, without what is random in it.
fn word(reason: Option<&Reason>) -> &'static str {
    match reason {
        None => "served",
        Some(Reason::Unavailable(_)) => "unavailable",
        Some(Reason::Withdrawn) => "withdrawn",
        Some(Reason::Inactive) => "inactive",
        Some(Reason::UnknownKey) => "unknown key",
        Some(Reason::ProofReplayed) => "replayed",
        Some(Reason::Proof(_)) => "bad proof",
        Some(Reason::Token(_)) => "bad token",
        Some(_) => "refused",
    }
}

/// Somebody with a copy of every token, who shows them to the APIs and asks each node about them.
pub(super) async fn thief(world: Arc<World>, asking: Arc<Rotating>) {
    let asking = Proof::Secret(asking);
    let chance = Chance::new(world.seed, "thief");
    let clients = NODES.map(|node| client(&world, "orders", 9, &asking, Some(node)));
    loop {
        let pause = if world.is_calm() { 4 } else { 1 };
        world.time.sleep(chance.millis(300, 900) * pause).await;
        let loot = world.ledger().loot(world.time.wall(), Duration::from_secs(60), &chance);
        let Some(token) = loot else { continue };
        let apis = world.apis();
        if let Some(api) = chance.pick(&apis).filter(|_| !token.bound) {
            let called = api.call(&world, &bearer(&token.text)).await;
            world
                .journal
                .write("thief", &format!("{} at {}: {}", token.jti, api.name, word(called.err().as_ref())));
        }
        let place = usize::try_from(chance.below(3)).unwrap_or_default();
        let (Some(node), Some(client)) = (NODES.get(place), clients.get(place)) else { continue };
        let (asked, good_since) = (world.now(), world.links.good_since(node, "database"));
        let Ok(text) = AccessToken::parse(&token.text) else { continue };
        let told = client.introspect(&text).await;
        let active = told.is_ok_and(|told| told.is_active());
        world.journal.write("thief", &format!("{} active at {node}: {active}", token.jti));
        if active {
            world.ledger().told_active(node, &token.jti, asked, good_since);
        }
    }
}

/// How long one attempt of the operator waits for another.
pub(super) const A_SECOND: Duration = Duration::from_secs(1);
