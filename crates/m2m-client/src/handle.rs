//! The fastest way to a ready header: [`TokenHandle`], one for each worker.

use std::sync::Arc;

use http::HeaderValue;
use m2m_io::Clock;
use m2m_proto::time::UnixTime;

use crate::cache::{Ask, Entry};
use crate::client::Client;
use crate::error::{Error, Fault};
use crate::spec::TokenSpec;
use crate::token::{Token, deep_copy};

/// A resolved view of one token. While the token is usable, asking for the
/// header costs one read of a coarse clock and one atomic load: no lock, no
/// allocation, no reference count that threads share (the handle has its own
/// copy of the header).
///
/// Make one per worker with [`Client::handle`] or [`Clone`].
#[derive(Debug)]
pub struct TokenHandle {
    entry: Arc<Entry>,
    clock: Arc<dyn Clock>,
    generation: u64,
    serve_until: UnixTime,
    header: HeaderValue,
    held: Option<Arc<Token>>,
    client: Client,
    spec: TokenSpec,
}

impl TokenHandle {
    pub(crate) fn new(client: Client, spec: TokenSpec, entry: Arc<Entry>, clock: Arc<dyn Clock>) -> Self {
        Self {
            entry,
            clock,
            generation: 0,
            serve_until: UnixTime::from_seconds(0),
            header: HeaderValue::from_static(""),
            held: None,
            client,
            spec,
        }
    }

    /// The `Authorization` header of a usable token, without waiting.
    ///
    /// The header alone is enough for bearer tokens. DPoP tokens also need a
    /// proof for each request: [`Client::attach`].
    ///
    /// # Errors
    /// The last failure while no usable token is cached; transient
    /// (`is_transient`) while the first request is under way, which this call
    /// starts. See [`TokenHandle::ready`] to wait instead.
    #[inline]
    pub fn header(&mut self) -> Result<&HeaderValue, Error> {
        if !self.is_current() {
            self.look()?;
        }
        Ok(&self.header)
    }

    /// As [`TokenHandle::header`], waiting for a token if there is none.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn ready(&mut self) -> Result<&HeaderValue, Error> {
        if !self.is_current() {
            self.client.clone().usable(&self.current_entry()).await?;
            self.look()?;
        }
        Ok(&self.header)
    }

    /// The token behind the header, waiting for one if there is none.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn token(&mut self) -> Result<Arc<Token>, Error> {
        self.ready().await?;
        self.held.clone().ok_or_else(|| Error::of(Fault::Pending))
    }

    #[inline]
    fn is_current(&self) -> bool {
        self.entry.generation() == self.generation && self.clock.wall() < self.serve_until
    }

    /// The slow path: something has changed, or nothing was ever there.
    #[cold]
    fn look(&mut self) -> Result<(), Error> {
        let entry = self.current_entry();
        match self.client.ask(&entry)? {
            Ask::Ready(_) => {}
            Ask::Refused(error) => return Err(error),
            Ask::Wait(_) => return Err(Error::of(Fault::Pending)),
        }
        let (token, generation, serve_until) =
            entry.serving(self.clock.now()).ok_or_else(|| Error::of(Fault::Pending))?;
        self.header = deep_copy(token.authorization())?;
        // Evicted between the two questions: this header serves once.
        let serve_until = if entry.is_retired() { UnixTime::from_seconds(0) } else { serve_until };
        (self.generation, self.serve_until, self.held) = (generation, serve_until, Some(token));
        Ok(())
    }

    /// The entry, found anew if it has left the cache.
    fn current_entry(&mut self) -> Arc<Entry> {
        if self.entry.is_retired() {
            self.entry = self.client.entry(&self.spec);
            self.generation = 0;
            self.serve_until = UnixTime::from_seconds(0);
        }
        Arc::clone(&self.entry)
    }
}

/// A handle of its own: it copies the header when it is first asked.
impl Clone for TokenHandle {
    fn clone(&self) -> Self {
        let entry = Arc::clone(&self.entry);
        Self::new(self.client.clone(), self.spec.clone(), entry, Arc::clone(&self.clock))
    }
}
