//! Every target from mutated seeds, on any toolchain. Deterministic: a failure
//! prints the input and comes back on the next run.

use m2m_fuzz::TARGETS;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

const ROUNDS: usize = 50_000;

/// Well-formed inputs; each target sees all of them.
const SEEDS: &[&str] = &[
    "grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite&resource=https%3A%2F%2Forders.example",
    "token=abc&token_type_hint=access_token&client_id=svc&client_secret=s%2B%25",
    "Basic c3ZjOnMlMkIlMjU=",
    "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
    "Bearer realm=\"a \\\" b\", error=\"insufficient_scope\", scope=\"a b\", DPoP algs=\"ES256 EdDSA\"",
    "DPoP error=\"use_dpop_nonce\", error_description=\"x\"",
    "{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":600,\"scope\":\"a b\"}",
    "{\"error\":\"invalid_client\",\"error_description\":\"no\"}",
    "{\"token\":\"a!b\",\"life\":900000,\"token_type\":\"Odd\",\"scope\":\"a,b\"}",
    "{\"token\":\"t\",\"end\":\"2027-01-15T09:00:00.5+01:00\"}",
    "{\"code\":99,\"text\":\"no\",\"errors\":[{\"code\":\"a b\",\"message\":\"m\"}]}",
    "{\"issuer\":\"https://login.example\",\"token_endpoint\":\"https://login.example/token\",\"jwks_uri\":\"https://login.example/jwks\"}",
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"1\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLCJleHAiOjEzMDA4MTkzODB9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "https://login.example:8443/tenant/a?x=1",
    "http://[::1]:80/",
    "orders:read orders:write orders:read",
    "{\"sub\":\"https://login.example/status/1\",\"iat\":1800000000,\"exp\":1800009000,\"ttl\":30,\"status_list\":{\"bits\":1,\"lst\":\"eNrbuRgAAhcBXQ\"}}",
    "{\"iss\":\"https://login.example\",\"iat\":1800000000,\"exp\":1800009000,\"ttl\":30,\"revoked\":[\"a\",\"b\",\"ccc\"]}",
    "{\"iss\":\"https://login.example\",\"sub\":\"svc\",\"client_id\":\"svc\",\"aud\":[\"https://orders.example\"],\"scope\":\"a b\",\"iat\":1800000000,\"nbf\":1800000000,\"exp\":1800000900,\"jti\":\"j\",\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}}",
    "{\"active\":true,\"client_id\":\"svc\",\"aud\":\"https://orders.example\",\"exp\":1800000900,\"scope\":\"a\"}",
    "{\"iss\":\"svc\",\"sub\":\"svc\",\"aud\":\"https://login.example\",\"jti\":\"j\",\"iat\":1800000590,\"exp\":1800000650}",
    "{\"htm\":\"GET\",\"htu\":\"https://orders.example/orders\",\"jti\":\"j\",\"iat\":1800000595}",
    "{\"resource\":\"https://orders.example\",\"authorization_servers\":[\"https://login.example\"],\"scopes_supported\":[\"a\"]}",
    "{\"client_id\":\"svc\",\"grant_types\":[\"client_credentials\"],\"token_endpoint_auth_method\":\"private_key_jwt\"}",
    "{\"iss\":\"https://platform.example\",\"sub\":\"repo:acme/app:ref:refs/heads/main\",\"aud\":\"https://login.example\",\"iat\":1800000500,\"exp\":1800001500,\"jti\":\"j\",\"kubernetes.io\":{\"namespace\":\"prod\"}}",
    "{\"sub\":\"spiffe://prod.example/ns/prod/sa/api\",\"aud\":[\"https://login.example\"],\"iat\":1800000500,\"exp\":1800001500}",
    "spiffe://prod.example/ns/prod/sa/api",
    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=abc&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&actor_token=d&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt",
    "{\"iss\":\"https://platform.example\",\"sub\":\"svc\",\"aud\":\"https://login.example\",\"iat\":1800000590,\"exp\":1800000650,\"jti\":\"j\",\"scope\":\"a b\"}",
    "{\"iss\":\"https://login.example\",\"aud\":\"https://orders.example\",\"iat\":1800000590,\"token_introspection\":{\"active\":true,\"client_id\":\"svc\",\"aud\":\"https://orders.example\",\"exp\":1800000900}}",
    "Basic c3ZjOnM=\ngrant_type=client_credentials&client_id=svc",
    "\nclient_id=svc&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "120",
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"jwt-svid\",\"kid\":\"1\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}],\"spiffe_sequence\":1,\"spiffe_refresh_hint\":60}",
    "CN=worker 7,OU=Billing\\, Europe,O=Example+L=Here,C=DE",
    "eNrbuRgAAhcBXQ",
    "m2m_at_AQAHoSAHBwcHBwcHBwcHBweFm9zg2qEVEzdaVh-kCS1SGbkXXutoaI6IqRY_1lJ2wtbWirSUD_ggwsZ-epCTnceGKy2hd9Oqe73TS8CNrSpDEr1NyzF_6WP4tif0ejg-yW5eNwW8-W3N8nkxwVXQ6eVNIxp9MKugg5C3o4f7c5GMwoWbJCviUFED2lZy_of-E4unlgf0GlCSHDjcGa1B9jKX-t8uJOBILhzgqrYv2jKhDA1ZZ_GYghQqHZppc0GUs8WjWRJF02IJfgzu0j6gCFhfSryLDoeHPgwumUTqg-BoEwTd-3yLVjlDqM51pvLMNxDPuA",
];

/// xorshift64: enough to mutate with, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        const LIKELY: &[u8] = b"{}[]\",:=&%+.-_ \\/?#@0aZ\0\x7f\xff\xc3\xa9";
        if self.below(4) > 0 { LIKELY[self.below(LIKELY.len())] } else { self.below(256).to_le_bytes()[0] }
    }

    fn mutate(&mut self, data: &mut Vec<u8>) {
        let at = self.below(data.len() + 1);
        match self.below(6) {
            0 => data.insert(at, self.byte()),
            1 if at < data.len() => data[at] = self.byte(),
            2 if at < data.len() => drop(data.remove(at)),
            3 => data.truncate(at),
            4 => {
                let other = SEEDS[self.below(SEEDS.len())].as_bytes();
                data.extend_from_slice(&other[..self.below(other.len())]);
            }
            _ => data.extend_from_within(at..(at + self.below(64)).min(data.len())),
        }
    }
}

/// `M2M_FUZZ_ROUNDS` makes it longer, where there is no fuzzer that finds its own way.
#[test]
fn every_target_survives_mutated_seeds() {
    #[expect(clippy::disallowed_methods, reason = "says how long; no setting of ours")]
    let rounds =
        std::env::var("M2M_FUZZ_ROUNDS").ok().map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    for (number, (name, target)) in TARGETS.iter().enumerate() {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ number as u64);
        for round in 0..rounds {
            let mut data = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..dice.below(8) {
                dice.mutate(&mut data);
            }
            let result = catch_unwind(AssertUnwindSafe(|| target(&data)));
            assert!(result.is_ok(), "target {name} on {:?}", String::from_utf8_lossy(&data));
        }
    }
}

/// A target that is in one of the three places and not in the others would never run.
#[test]
fn the_list_the_files_and_the_manifest_name_the_same_targets() {
    let listed: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let directory = format!("{}/fuzz_targets", env!("CARGO_MANIFEST_DIR"));
    let name =
        |entry: std::fs::DirEntry| entry.path().file_stem().map(|name| name.to_string_lossy().into_owned());
    let files =
        std::fs::read_dir(directory).expect("the targets").filter_map(|entry| name(entry.ok()?)).collect();
    let manifest = include_str!("../Cargo.toml");
    let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let built = paths.filter_map(|rest| rest.strip_suffix(".rs\"")).map(str::to_owned).collect();
    assert_eq!(listed, files);
    assert_eq!(listed, built);
    assert_eq!(listed.len(), TARGETS.len(), "none twice");
}
