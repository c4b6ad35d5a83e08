//! The one-method view of a client: [`TokenSource`].

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{BoxFuture, Now};
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, TokenType};
use serde_json::Map;

use crate::client::Client;
use crate::error::Error;
use crate::spec::TokenSpec;
use crate::token::{Token, TokenOrigin, TokenParts};

/// Whatever can give a token. Code that needs one should ask for this, so that
/// tests can give it a [`StaticToken`].
pub trait TokenSource: Send + Sync {
    /// A token for `spec` that can be used now.
    ///
    /// # Errors
    /// As [`Client::token`].
    fn token<'a>(&'a self, spec: &'a TokenSpec) -> BoxFuture<'a, Result<Arc<Token>, Error>>;
}

impl TokenSource for Client {
    fn token<'a>(&'a self, spec: &'a TokenSpec) -> BoxFuture<'a, Result<Arc<Token>, Error>> {
        Box::pin(Self::token(self, spec))
    }
}

/// Always the same bearer token, whatever is asked for. For tests, and for
/// tokens that somebody else renews.
#[derive(Debug)]
pub struct StaticToken(Arc<Token>);

impl StaticToken {
    /// This token, as if it never expired.
    ///
    /// # Errors
    /// `Internal` if the token cannot stand in a header.
    pub fn new(access_token: AccessToken) -> Result<Self, Error> {
        let token = Token::new(TokenParts {
            access_token,
            token_type: TokenType::Bearer,
            scope: None,
            extra: Map::new(),
            obtained: Now { wall: UnixTime::from_seconds(0), monotonic: Duration::ZERO },
            life: Duration::MAX,
            origin: TokenOrigin::Given,
            key: None,
        })?;
        Ok(Self(Arc::new(token)))
    }
}

impl TokenSource for StaticToken {
    fn token<'a>(&'a self, _spec: &'a TokenSpec) -> BoxFuture<'a, Result<Arc<Token>, Error>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.0))))
    }
}
