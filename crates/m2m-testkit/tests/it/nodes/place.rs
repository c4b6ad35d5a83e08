//! A node of an authorization server on a database, and how to ask it: through its router, without a socket.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use m2m_authorization_server::registry::{
    Api, ApiIdentifier, Client, CredentialId, CredentialSpec, Proof, SecretUse,
};
use m2m_authorization_server::store::sql::{SqlOptions, SqlStore};
use m2m_authorization_server::{ClientAddress, Server, ServerBuilder};
use m2m_io::task::{Task, spawn_detached};
use m2m_io::{BoxFuture, Clock, SystemClock};
use m2m_proto::client_auth::{AssertionAudience, ClientAssertion};
use m2m_proto::client_id::ClientId;
use m2m_proto::dpop::DpopProof;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::names::{header, media_type};
use m2m_proto::scope::Scope;
use m2m_proto::secret::{Secret, SecretBytes};
use m2m_proto::time::UnixTime;
use m2m_proto::uri::Issuer;
use m2m_testkit::FixedKeys;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::ask::{Answer, Ask};
use crate::postgres::query;

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const API: &str = "https://orders.example";
pub(crate) const APP: &str = "app";
pub(crate) const ADMIN: &str = "admin";
pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const REVOKE: &str = "/oauth2/revoke";
pub(crate) const JWKS: &str = "/oauth2/jwks";
pub(crate) const FEED: &str = "/oauth2/revocations";
pub(crate) const STATUS_LIST: &str = "/oauth2/status/0";

/// The longest that anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Real time, which a test can put ahead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead(Arc<AtomicU64>);

impl Ahead {
    pub(crate) fn by(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for Ahead {
    fn wall(&self) -> UnixTime {
        SystemClock.wall().saturating_add(self.ahead())
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + self.ahead()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(duration)
    }
}

/// Asks again and again until it is so, and answers how long that took.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = SystemClock.monotonic();
    loop {
        if is_so().await {
            return SystemClock.monotonic() - began;
        }
        assert!(SystemClock.monotonic() - began < PATIENCE, "not in {PATIENCE:?}: {what}");
        SystemClock.sleep(Duration::from_millis(5)).await;
    }
}

/// How many sessions of the database wait for that sort of thing.
pub(crate) fn waiting(url: &str, what: &str) -> u32 {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = '{what}'");
    query(url, &sql).unwrap().parse().unwrap()
}

/// A change by somebody else that takes so many seconds, in its middle.
pub(crate) async fn slow_change(url: &str, seconds: u32) -> tokio::task::JoinHandle<Result<String, String>> {
    let own = url.to_owned();
    let slow = format!("BEGIN; UPDATE m2m_revision SET latest = latest; SELECT pg_sleep({seconds}); COMMIT");
    let slow = tokio::task::spawn_blocking(move || query(&own, &slow));
    // `pg_sleep` is what waits for a timeout.
    until("the slow change", async || waiting(url, "Timeout") > 0).await;
    slow
}

pub(crate) fn client_id(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

pub(crate) fn identifier(text: &str) -> ApiIdentifier {
    ApiIdentifier::parse(text).unwrap()
}

pub(crate) fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

pub(crate) fn sealing_key(byte: u8) -> SecretBytes {
    Secret::new(vec![byte; 32])
}

/// One node. What it does besides requests ends with it.
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) store: Arc<SqlStore>,
    pub(crate) clock: Ahead,
    background: Option<Task>,
}

impl Node {
    /// A node with its background work.
    pub(crate) async fn start(url: &str) -> Self {
        Self::with(url, |_| {}, |server| server).await
    }

    /// A node with other settings of store and server.
    pub(crate) async fn with(
        url: &str,
        options: impl FnOnce(&mut SqlOptions),
        server: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let mut node = Self::idle(url, options, server).await;
        node.server.prepare().await.unwrap();
        node.background = Some(spawn_detached("node", node.server.background()));
        node
    }

    /// A node that answers requests and does nothing besides; it is not prepared either.
    pub(crate) async fn idle(
        url: &str,
        options: impl FnOnce(&mut SqlOptions),
        server: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let clock = Ahead::default();
        let mut settings = SqlOptions::new(url);
        options(&mut settings);
        let store = Arc::new(SqlStore::open(settings, Arc::new(clock.clone())).await.unwrap());
        let builder = Server::builder(Issuer::parse(ISSUER).unwrap())
            .clock(Arc::new(clock.clone()))
            .store(store.clone())
            .sealing_key(sealing_key(7));
        Self { server: server(builder).build().unwrap(), store, clock, background: None }
    }

    /// Stops the background work, as at shutdown.
    pub(crate) async fn stop_background(&mut self) {
        if let Some(task) = self.background.take() {
            task.abort();
            task.join().await;
        }
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let response = self.server.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, ask: Ask) -> Answer {
        self.send(ask.request(path)).await
    }

    /// What a client with this secret is answered when it asks for a token.
    pub(crate) async fn ask(&self, client: &str, secret: &str) -> Answer {
        self.post(TOKEN, Ask::token().basic(client, secret)).await
    }

    /// A token for [`API`].
    pub(crate) async fn token(&self, parties: &Parties) -> String {
        self.ask(APP, &parties.secret).await.access_token()
    }

    /// What introspection says of a token, asked by its owner.
    pub(crate) async fn introspect(&self, parties: &Parties, token: &str) -> Answer {
        self.post(INTROSPECT, Ask::about(token).basic(APP, &parties.other_secret)).await
    }

    pub(crate) async fn is_active(&self, parties: &Parties, token: &str) -> bool {
        let answer = self.introspect(parties, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["active"].as_bool().unwrap()
    }

    /// A call of the admin API with a body, by an administrator's token.
    pub(crate) async fn administer(&self, token: &str, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(Method::POST).uri(format!("/admin/v1{path}"));
        let request = request
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, media_type::JSON);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Registers the API, its client and an administrator.
    pub(crate) async fn register(&self) -> Parties {
        let admin = self.server.admin();
        let scopes = scope("orders:read orders:write");
        let api = scopes.iter().fold(Api::new(identifier(API)), |api, one| api.scope(one.clone(), ""));
        admin.create_api(api.resource_server(client_id(APP))).await.unwrap();
        admin.create_client(Client::new(client_id(APP)).grant(identifier(API), scopes)).await.unwrap();
        let own_api = identifier(&format!("{ISSUER}/admin/v1"));
        let administrator = Client::new(client_id(ADMIN)).grant(own_api, scope("m2m:read m2m:write"));
        admin.create_client(administrator).await.unwrap();
        let (_, other_secret) = self.secret(APP).await;
        let (_, admin_secret) = self.secret(ADMIN).await;
        let set = JwkSet::decode(&FixedKeys::set(&[Algorithm::EdDsa])).unwrap();
        let spec = CredentialSpec::new(client_id(APP), "key", Proof::PublicKeys(set));
        admin.create_credential(spec).await.unwrap();
        // The last one: who knows it knows all of them.
        let (credential, secret) = self.secret(APP).await;
        Parties { secret, credential, other_secret, admin_secret, key: FixedKeys::signing(Algorithm::EdDsa) }
    }

    pub(crate) async fn secret(&self, client: &str) -> (CredentialId, String) {
        let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
        let spec = CredentialSpec::new(client_id(client), "test", proof);
        let made = self.server.admin().create_credential(spec).await.unwrap();
        (made.id, made.client_secret.unwrap().expose().to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(task) = &self.background {
            task.abort();
        }
    }
}

/// Who is registered, and by what each of them proves it.
pub(crate) struct Parties {
    /// A secret of [`APP`], and the credential that it is of.
    pub(crate) secret: String,
    pub(crate) credential: CredentialId,
    /// Another one of [`APP`], for introspection.
    pub(crate) other_secret: String,
    pub(crate) admin_secret: String,
    /// The key of [`APP`].
    pub(crate) key: SigningKey,
}

impl Parties {
    /// A token request by an assertion of that `jti`, made now.
    pub(crate) fn assertion(&self, node: &Node, jti: &str) -> Ask {
        let (id, audience) = (client_id(APP), AssertionAudience::Literal(ISSUER.to_owned()));
        let assertion = ClientAssertion::new(&id, &audience, jti, node.clock.wall());
        Ask::token().assertion(&assertion.build(&self.key).unwrap())
    }

    /// A token request by secret, with a proof of that `jti`.
    pub(crate) fn proven(&self, node: &Node, jti: &str) -> Ask {
        let proof = DpopProof {
            method: &Method::POST,
            uri: &format!("{ISSUER}{TOKEN}").parse().unwrap(),
            now: node.clock.wall(),
            jti,
            nonce: None,
            access_token: None,
        };
        let mut ask = Ask::token().basic(APP, &self.secret);
        ask.headers.append(header::DPOP, proof.build(&FixedKeys::signing(Algorithm::Es256)).unwrap());
        ask
    }
}

/// The request to make a client of that id.
pub(crate) fn new_client(id: &str) -> Value {
    json!({ "id": id, "grants": [{ "api": API, "scopes": ["orders:read"] }] })
}
