//! How a token is sealed for a store.
//!
//! AES-256-GCM with a random nonce, under a key that HKDF derives from the
//! client's credential; the cache key is associated data, so that an entry
//! copied to another name does not open. Form: one byte of version, the nonce,
//! the sealed JSON.
//!
//! Limits: the protection is as strong as the credential; a short secret can be
//! guessed by whoever has the file.

use std::time::Duration;

use m2m_io::Now;
use m2m_proto::json::{self, JsonLimits};
use m2m_proto::scope::Scope;
use m2m_proto::seal::SealingKey;
use m2m_proto::secret::SecretBytes;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, TokenType};
use serde_json::{Map, Value, json};

use crate::cache::CacheKey;
use crate::token::{Token, TokenOrigin, TokenParts};

const VERSION: u8 = 1;
const LABEL: &str = "m2m token store 1";
const NONCE_BYTES: usize = 12;
const LIMITS: JsonLimits = JsonLimits { max_bytes: 48 * 1024, max_depth: 16 };
/// A store's clock may be this far ahead of ours before its entry is doubted.
const AHEAD: Duration = Duration::from_secs(60);

/// Seals and opens the tokens of one client.
pub(crate) struct Sealing(SealingKey);

impl Sealing {
    /// `None` for material that no key can be made of.
    pub(crate) fn derive(material: &SecretBytes) -> Option<Self> {
        // HKDF wants 32 bytes; what they add to a short secret is length, not strength.
        let mut padded = format!("{LABEL}: the credential is ").into_bytes();
        padded.extend_from_slice(material.expose());
        SealingKey::derive(&SecretBytes::new(padded), LABEL).ok().map(Self)
    }

    /// `None` if the token is too large to be stored.
    pub(crate) fn seal(&self, key: &CacheKey, nonce: [u8; NONCE_BYTES], token: &Token) -> Option<Vec<u8>> {
        let plain = SecretBytes::new(encode(token));
        if plain.expose().len() > LIMITS.max_bytes {
            return None;
        }
        let sealed = self.0.seal(nonce, &associated(key), plain.expose()).ok()?;
        Some([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// `None` for whatever is not a token of this client under this key: the
    /// caller starts cold.
    pub(crate) fn open(&self, key: &CacheKey, bytes: &[u8], now: Now) -> Option<Token> {
        let (version, rest) = bytes.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if *version != VERSION {
            return None;
        }
        let plain = self.0.open(*nonce, &associated(key), sealed).ok()?;
        decode(plain.expose(), key, now)
    }
}

fn associated(key: &CacheKey) -> Vec<u8> {
    [LABEL.as_bytes(), key.as_bytes()].concat()
}

fn encode(token: &Token) -> Vec<u8> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    json!({
        "access_token": token.access_token().expose(),
        "token_type": token.token_type().as_str(),
        "scope": token.scope().map(ToString::to_string),
        "obtained": token.obtained_at().millis(),
        "life": millis(token.life()),
        "extra": token.extra(),
    })
    .to_string()
    .into_bytes()
}

fn decode(plain: &[u8], key: &CacheKey, now: Now) -> Option<Token> {
    let mut members = json::parse_object(plain, &LIMITS).ok()?;
    let text = |members: &Map<String, Value>, name| members.get(name)?.as_str().map(str::to_owned);
    let obtained = UnixTime::from_millis(members.get("obtained")?.as_u64()?);
    if obtained.since(now.wall) > AHEAD {
        return None;
    }
    let scope = match text(&members, "scope") {
        Some(scope) => Some(Scope::parse_lenient(&scope).ok()?),
        None => None,
    };
    let extra = match members.remove("extra") {
        Some(Value::Object(extra)) => extra,
        _ => Map::new(),
    };
    let age = now.wall.since(obtained);
    Token::new(TokenParts {
        access_token: AccessToken::parse(&text(&members, "access_token")?).ok()?,
        token_type: TokenType::parse(&text(&members, "token_type")?),
        scope,
        extra,
        obtained: Now { wall: obtained, monotonic: now.monotonic.saturating_sub(age) },
        life: Duration::from_millis(members.get("life")?.as_u64()?),
        origin: TokenOrigin::Store,
        key: Some(*key),
    })
    .ok()
}
