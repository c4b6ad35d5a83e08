//! The operator: registers, rotates, switches off and on, revokes, rolls keys; at whatever node, believing nothing but
//! what was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use m2m_authorization_server::Admin;
use m2m_authorization_server::admin::{Roll, Rotation};
use m2m_authorization_server::registry::{
    Api, ApiIdentifier, Client, CreatedCredential, CredentialId, CredentialSpec, Proof as Registered,
    SecretUse, Status,
};
use m2m_io::Clock as _;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::scope::{Scope, ScopeToken};

use super::API;
use super::caller::{A_SECOND, Caller, Proof, Rotating, client};
use super::chance::Chance;
use super::database::MAX_STALENESS;
use super::ledger::Fact;
use super::world::{NODES, World};
use crate::FixedKeys;

/// Tokens a minute of the hasty client.
const QUOTA: u32 = 5;
/// How long a rotated secret goes on working.
const OVERLAP: Duration = Duration::from_secs(45);
/// Clients that come and go in one run.
const MOST_GUESTS: usize = 12;

/// A client that comes and goes.
struct Guest {
    id: ClientId,
    credential: CredentialId,
    secret: Arc<Rotating>,
    status: Status,
}

pub(super) struct Operator {
    world: Arc<World>,
    chance: Chance,
    guests: Vec<Guest>,
    came: usize,
    /// The secret of `steady`, and its current credential.
    steady: Arc<Rotating>,
    steady_credential: CredentialId,
    /// The secret that the asking API has.
    pub(super) asking: Arc<Rotating>,
}

fn id(text: &str) -> ClientId {
    ClientId::parse(text).expect("a client id")
}

fn secret_spec(client: &ClientId) -> CredentialSpec {
    CredentialSpec::new(client.clone(), "simulated", Registered::ClientSecret(SecretUse::BasicOrPost))
}

fn scopes() -> Scope {
    Scope::parse("orders:read").expect("a scope")
}

fn registered(client: &ClientId) -> Client {
    Client::new(client.clone()).grant(ApiIdentifier::parse(API).expect("an identifier"), scopes())
}

fn secret(made: CreatedCredential) -> Arc<Rotating> {
    Rotating::new(made.client_secret.expect("a secret"))
}

/// Registers everybody, at a node that has no faults.
pub(super) async fn begin(world: &Arc<World>, admin: &Admin) -> Operator {
    let identifier = ApiIdentifier::parse(API).expect("an identifier");
    let scope = ScopeToken::parse("orders:read").expect("a scope");
    let lifetime = Duration::from_secs(150);
    let api = Api::new(identifier).scope(scope, "").lifetime(lifetime).resource_server(id("orders"));
    admin.create_api(api).await.expect("the API");
    let mut secrets = Vec::new();
    for name in ["orders", "steady", "hasty"] {
        let own = id(name);
        let quota = if name == "hasty" { Some(QUOTA) } else { None };
        let settings = quota.into_iter().fold(registered(&own), Client::mint_quota);
        admin.create_client(settings).await.expect("a client");
        let made = admin.create_credential(secret_spec(&own)).await.expect("a credential");
        note(world, Fact::Client(own));
        note(world, Fact::Credential(made.id.clone()));
        secrets.push((made.id.clone(), secret(made)));
    }
    let set = JwkSet::decode(&FixedKeys::set(&[Algorithm::EdDsa])).expect("a key set");
    for name in ["keyed", "bound"] {
        admin.create_client(registered(&id(name))).await.expect("a client");
        let spec = CredentialSpec::new(id(name), "simulated", Registered::PublicKeys(set.clone()));
        let made = admin.create_credential(spec).await.expect("a credential");
        note(world, Fact::Credential(made.id));
    }
    world.ledger().quota("hasty", QUOTA);
    let mut secrets = secrets.into_iter();
    let (_, asking) = secrets.next().expect("of orders");
    let (steady_credential, steady) = secrets.next().expect("of steady");
    let (_, hasty) = secrets.next().expect("of hasty");
    let proofs = [
        ("steady", Proof::Secret(Arc::clone(&steady)), 3, 10),
        ("keyed", Proof::Key, 4, 10),
        ("bound", Proof::KeyAndDpop, 5, 5),
        ("hasty", Proof::Secret(hasty), 6, 0),
    ];
    for (name, proof, number, gives_back) in proofs {
        call(world, name, number, &proof, gives_back);
        if name != "hasty" {
            world.ledger().valid_caller(name, world.now());
        }
    }
    let chance = Chance::new(world.seed, "operator");
    Operator {
        world: Arc::clone(world),
        chance,
        guests: Vec::new(),
        came: 0,
        steady,
        steady_credential,
        asking,
    }
}

fn note(world: &World, fact: Fact) {
    world.journal.write("operator", &format!("acknowledged: {fact:?}"));
    world.ledger().acknowledged(fact, world.now());
}

/// Lets a program call the APIs from now on.
fn call(world: &Arc<World>, name: &str, number: u8, proof: &Proof, gives_back: u64) {
    let client = client(world, name, number, proof, None);
    let (hasty, stays) = (name == "hasty", !name.starts_with("guest"));
    let caller = Caller { world: Arc::clone(world), name: name.to_owned(), client, gives_back, stays, hasty };
    world.turns.spawn("caller", caller.run());
}

impl Operator {
    /// Acts for as long as it is polled; when the weather is calm it only repairs.
    pub(super) async fn run(mut self) {
        loop {
            self.world.time.sleep(self.chance.millis(400, 2500)).await;
            if self.world.is_calm() {
                return;
            }
            match self.chance.below(20) {
                0..=5 => self.welcome().await,
                6..=8 => self.revoke_credential().await,
                9..=11 => self.switch().await,
                12..=15 => self.revoke_token().await,
                16..=17 => self.rotate().await,
                18 => self.roll(Roll::Announced).await,
                _ => self.roll(Roll::Emergency).await,
            }
        }
    }

    /// The administrative acts of some node that is up.
    fn admin(&self) -> Option<Admin> {
        let name = self.chance.pick(&NODES)?;
        self.world.node(name).map(|node| node.server.admin())
    }

    fn tell<T>(&self, what: &str, done: Option<&T>) {
        let how = if done.is_some() { "done" } else { "not acknowledged" };
        self.world.journal.write("operator", &format!("{what}: {how}"));
    }

    fn guest(&self) -> Option<usize> {
        let count = u64::try_from(self.guests.len()).unwrap_or_default();
        (count > 0).then(|| usize::try_from(self.chance.below(count)).unwrap_or_default())
    }

    /// Two new clients at once, at whatever nodes.
    async fn welcome(&mut self) {
        if self.came >= MOST_GUESTS {
            return;
        }
        let names = [format!("guest-{}", self.came), format!("guest-{}", self.came + 1)];
        self.came += 2;
        let (Some(first), Some(second)) = (self.admin(), self.admin()) else { return };
        let (one, other) = names.each_ref().into();
        let made = tokio::join!(self.register(&first, one), self.register(&second, other));
        for guest in [made.0, made.1].into_iter().flatten() {
            let name = guest.id.as_str().to_owned();
            // Everybody has heard of it by then, unless he is cut off.
            let (world, secret) = (Arc::clone(&self.world), Arc::clone(&guest.secret));
            self.world.turns.spawn("guest", async move {
                world.time.sleep(A_SECOND * 2).await;
                call(&world, &name, 7, &Proof::Secret(secret), 20);
            });
            self.guests.push(guest);
        }
    }

    async fn register(&self, admin: &Admin, name: &str) -> Option<Guest> {
        let client = id(name);
        let created = admin.create_client(registered(&client)).await.ok();
        self.tell(&format!("client {name}"), created.as_ref());
        if created.is_some() {
            note(&self.world, Fact::Client(client.clone()));
        }
        let made = admin.create_credential(secret_spec(&client)).await.ok()?;
        note(&self.world, Fact::Credential(made.id.clone()));
        Some(Guest { credential: made.id.clone(), id: client, secret: secret(made), status: Status::Active })
    }

    async fn revoke_credential(&mut self) {
        let (Some(place), Some(admin)) = (self.guest(), self.admin()) else { return };
        let Some(credential) = self.guests.get(place).map(|guest| guest.credential.clone()) else { return };
        let done = admin.revoke_credential(&credential).await.ok();
        self.tell(&format!("revoke credential {}", credential.as_str()), done.as_ref());
        if done.is_some() {
            note(&self.world, Fact::CredentialRevoked(credential));
            self.guests.remove(place);
        }
    }

    /// Off if it was on, on if it was off, now and then for good.
    async fn switch(&mut self) {
        let (Some(place), Some(admin)) = (self.guest(), self.admin()) else { return };
        let for_good = self.chance.percent(20);
        let Some(guest) = self.guests.get_mut(place) else { return };
        let to = match guest.status {
            _ if for_good => Status::Revoked,
            Status::Active => Status::Disabled,
            _ => Status::Active,
        };
        self.world.ledger().status_changes(&guest.id);
        let (client, done) = (guest.id.clone(), admin.set_client_status(&guest.id, to).await.ok());
        if done.is_some() {
            guest.status = to;
            self.world.ledger().status_is(&client, to, self.world.now());
        }
        self.tell(&format!("client {} {to:?}", client.as_str()), done.as_ref());
        if to == Status::Revoked {
            self.guests.remove(place);
        }
    }

    async fn revoke_token(&self) {
        let loot = self.world.ledger().loot(self.world.time.wall(), Duration::ZERO, &self.chance);
        let (Some(token), Some(admin)) = (loot, self.admin()) else { return };
        let done = admin.revoke_token(&token.jti).await.ok();
        self.tell(&format!("revoke token {}", token.jti), done.as_ref());
        if done.is_some() {
            note(&self.world, Fact::TokenRevoked(token.jti.clone(), token.expires_at));
        }
    }

    /// A new secret for `steady`, which takes it over once everybody knows it.
    async fn rotate(&mut self) {
        let Some(admin) = self.admin() else { return };
        let rotation = Rotation::new(OVERLAP);
        let made = admin.rotate_credential(&self.steady_credential, rotation).await;
        self.tell("rotate", made.as_ref().ok());
        let made = match made {
            Ok(made) => made,
            // It may have happened, and then nobody knows the new secret and the old one ends.
            Err(_) => self.replace().await,
        };
        note(&self.world, Fact::Credential(made.id.clone()));
        self.world.time.sleep(MAX_STALENESS).await;
        self.steady_credential = made.id.clone();
        self.steady.replace(made.client_secret.expect("a secret"));
        self.world.ledger().valid_caller("steady", self.world.now());
    }

    /// A credential of its own, tried until it is acknowledged.
    async fn replace(&self) -> CreatedCredential {
        self.world.ledger().invalid_caller("steady");
        loop {
            let made = match self.admin() {
                Some(admin) => admin.create_credential(secret_spec(&id("steady"))).await.ok(),
                None => None,
            };
            self.tell("replace the credential", made.as_ref());
            match made {
                Some(made) => return made,
                None => self.world.time.sleep(A_SECOND).await,
            }
        }
    }

    async fn roll(&self, how: Roll) {
        let Some(admin) = self.admin() else { return };
        if how == Roll::Emergency {
            self.world.ledger().keys_change();
        }
        let rolled = {
            let _making = self.world.making();
            admin.roll_keys(Some(Algorithm::Es256), how).await
        };
        self.tell(&format!("roll keys {how:?}"), rolled.as_ref().ok());
        if let (Ok(keys), Roll::Emergency) = (rolled, how) {
            let kids: Vec<String> = keys.into_iter().map(|key| key.kid).collect();
            self.world.ledger().keys_are(&kids, self.world.now());
        }
    }
}
