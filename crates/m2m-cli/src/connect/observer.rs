//! Who is told what a client does: what it reads, and what it sends and gets.

use std::fmt::Debug;
use std::sync::Arc;

use m2m_io::HttpClient;

use super::record::Recorder;
use crate::settings::field::Field;
use crate::settings::secret::ReadSecret;

/// Is told, and changes nothing. It keeps secrets to itself.
pub trait Observer: Send + Sync + Debug {
    /// The client sends through this instead of `http`.
    fn over(&self, http: Arc<dyn HttpClient>) -> Arc<dyn HttpClient>;

    /// A setting's secret was read when the client was made.
    fn read(&self, _field: Field, _read: &ReadSecret) {}
}

impl Observer for Arc<Recorder> {
    fn over(&self, http: Arc<dyn HttpClient>) -> Arc<dyn HttpClient> {
        self.listen(http)
    }
}
