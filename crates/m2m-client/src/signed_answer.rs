//! Signed answers of introspection (RFC 9701): asked for, and believed only with the issuer's signature.
//!
//! Sections: RFC 9701 §4, §5
//! Enforces: the answer is signed, by a key that the issuer's metadata lead to, for this client, at most a
//! minute ago ([`m2m_proto::introspection::signed`]); an unsigned one is no answer.
//! Does not enforce: that the token may be used anywhere.
//! Limits: one fetch of the key set for each cooldown ([`m2m_io::RemoteKeys`]).

use std::sync::Arc;

use m2m_io::{Clock, HttpClient, KeysError, KeysLocation, RemoteKeys, RemoteMetadata};
use m2m_proto::introspection::signed::{Expect, SignedIntrospection};
use m2m_proto::introspection::{Introspection, IntrospectionRequest};
use m2m_proto::names::media_type;
use m2m_proto::time::Skew;
use m2m_proto::token::access_token::DEFAULT_ALGORITHMS;
use m2m_proto::token::{AccessToken, Parameters};
use m2m_proto::uri::Issuer;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Fault, unsigned};
use crate::exchange::{Message, Target, discovery_error};

/// Who signs, and with which keys.
#[derive(Debug)]
pub(crate) struct AnswerSigner {
    issuer: Issuer,
    keys: RemoteKeys,
}

impl AnswerSigner {
    pub(crate) fn new(metadata: RemoteMetadata, http: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> Self {
        let issuer = metadata.issuer().clone();
        Self { issuer, keys: RemoteKeys::new(KeysLocation::Metadata(metadata), http, clock) }
    }
}

impl Client {
    // spec: 9701-RS1
    pub(crate) async fn introspect_signed(
        &self,
        token: &AccessToken,
        signer: &AnswerSigner,
    ) -> Result<Introspection, Error> {
        let request = IntrospectionRequest::new(token);
        let write = |parameters: &mut Parameters| request.write(&mut parameters.form);
        let message = Message {
            target: Target::Introspection,
            shows: Some(token),
            spec: None,
            accept: Some(media_type::TOKEN_INTROSPECTION_JWT),
            write: &write,
            decode: &SignedIntrospection::read,
        };
        let exchange = self.exchange();
        let answer = exchange.send(&message).await.map_err(unbelieved)?;
        let key = signer.keys.find(answer.key_hint(), answer.algorithm()).await.map_err(no_key)?;
        let expect = Expect {
            issuer: &signer.issuer,
            audience: exchange.client_id.as_str(),
            algorithms: &DEFAULT_ALGORITHMS,
            now: exchange.clock.wall(),
            skew: Skew::DEFAULT,
        };
        answer.verify(&key, &expect).map_err(|error| refused(error.to_string()))
    }
}

/// An answer that anybody on the way may have made.
fn refused(what: String) -> Error {
    Error::of(Fault::Malformed { status: 200, what }).advised(Some(unsigned()))
}

/// An answer that is none, because it is not signed, or not as it should be.
fn unbelieved(error: Error) -> Error {
    let is_answer = error.kind() == ErrorKind::PeerMisbehaved && error.status() == Some(200);
    error.advised(is_answer.then(unsigned))
}

fn no_key(error: KeysError) -> Error {
    match error {
        KeysError::Unavailable(error) => discovery_error(&error),
        error => refused(format!("the signed introspection answer cannot be checked: {error}")),
    }
}
