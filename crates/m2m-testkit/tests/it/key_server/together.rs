//! Rotation, outage, flood and poison at once: a walk through all positions of the dials, the same in every run.

use std::time::Duration;

use m2m_io::{Clock as _, Random as _};
use m2m_proto::jose::{Algorithm, HeaderFields, SigningKey, jws};
use m2m_proto::names::typ;
use m2m_testkit::SeededRandom;
use m2m_testkit::key_server::{Caching, Flood, Poison, Reply, Tag, weak_tokens};

use super::{Api, COOLDOWN, SECOND};

/// How long the dials stay as they are, at most.
const TURN: u64 = 45;

/// No turn of the walk is longer than this without a good one after it.
const BAD: usize = 3;

struct Walk {
    api: Api,
    random: SeededRandom,
    flood: Flood,
    forged: String,
    /// Since when the newest key could have been found.
    findable: Option<Duration>,
    bad_turns: usize,
}

impl Walk {
    async fn new(seed: u64) -> Self {
        let api = Api::warm().await;
        let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
        let fields = HeaderFields { typ: Some(typ::AT_JWT), kid: Some("hell-0"), ..HeaderFields::default() };
        let mut claims = api.server.claims();
        claims.insert("exp".to_owned(), 4_102_444_800_u64.into());
        let forged = jws::sign(&fields, &serde_json::to_vec(&claims).unwrap(), &stranger).unwrap();
        let flood = api.server.flood();
        Self { api, random: SeededRandom::new(seed), flood, forged, findable: None, bad_turns: 0 }
    }

    fn below(&self, limit: usize) -> usize {
        let mut bytes = [0; 2];
        self.random.fill(&mut bytes);
        usize::from(u16::from_le_bytes(bytes)) % limit
    }

    fn position<D: Copy>(&self, all: &[(&str, D)]) -> D {
        all[self.below(all.len())].1
    }

    /// Turns all dials. An empty set and one that lags say something else than the truth about keys, and are tested
    /// by themselves.
    fn turn(&mut self) {
        let server = &self.api.server;
        let mut reply = self.position(&Reply::ALL);
        let mut poison = self.position(&Poison::ALL);
        if self.bad_turns >= BAD || matches!(reply, Reply::Empty | Reply::Lagging) {
            (reply, poison) = (Reply::Good, Poison::Beside);
        }
        let good = matches!(reply, Reply::Good | Reply::WrongType | Reply::Slow)
            && matches!(poison, Poison::None | Poison::Beside);
        self.bad_turns = if good { 0 } else { self.bad_turns + 1 };
        self.findable = good.then(|| self.findable.unwrap_or_else(|| self.api.clock.monotonic()));
        server.reply(reply);
        server.poison(poison);
        server.caching(self.position(&Caching::ALL));
        server.tag(self.position(&Tag::ALL));
        if self.below(3) == 0 {
            server.rotate();
            self.findable = good.then(|| self.api.clock.monotonic());
        }
    }

    /// One second of everybody's requests.
    async fn second(&mut self) {
        let api = &self.api;
        for token in self.flood.by_ref().take(20) {
            assert_ne!(api.status(&token).await, 200);
        }
        for token in weak_tokens().into_iter().chain([self.forged.as_str()]) {
            assert_ne!(api.status(token).await, 200);
        }
        assert_eq!(api.status(&self.forged).await, 401, "its key is known, and did not sign it");
        let outcome = api.ask(&api.server.token(0)).await;
        assert_eq!(outcome.status, 200, "who was known stays known: {outcome:?}");
        let newest = api.server.newest();
        let outcome = api.ask(&api.server.token(newest)).await;
        if outcome.status != 200 {
            outcome.is_put_off(&format!("key {newest}"));
            // A flight that began before the good time may last ten seconds, and cools down after that.
            let since = self.findable.map_or(Duration::ZERO, |since| api.clock.monotonic() - since);
            assert!(since <= COOLDOWN + SECOND * 20, "key {newest} can be found for {since:?}");
        }
        api.pass(1).await;
    }
}

#[tokio::test]
async fn everything_at_once() {
    for seed in 1..=3 {
        let mut walk = Walk::new(seed).await;
        for _ in 0..40 {
            walk.turn();
            for _ in 0..=walk.below(usize::try_from(TURN).unwrap()) {
                walk.second().await;
            }
        }
        walk.api.server.reply(Reply::Good);
        walk.api.server.poison(Poison::None);
        walk.api.pass(45).await;
        assert_eq!(walk.api.status(&walk.api.server.token(walk.api.server.newest())).await, 200);
        walk.api.asked_once_per_cooldown();
        assert!(walk.api.server.newest() >= 5, "it rotated");
    }
}
