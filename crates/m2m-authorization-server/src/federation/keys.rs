//! The keys of trusted issuers.
//!
//! Enforces: keys come from where the operator said, never from a token; one fetch per cooldown and issuer, whoever
//! asks; the bearer of a cluster goes to the registered origin alone; whoever registers an issuer is not trusted with
//! our network, so its URLs are public https or what the operator allowed; a file is read again when it was read 5 s
//! ago.
//! Does not enforce: which files may be named; [`crate::Admin::create_issuer`] does.
//! Limits: as many caches as there are trusted issuers; 256 KiB a file.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_io::remote::Knobs;
use m2m_io::{
    BearerHttp, Clock, HttpClient, KeysError, KeysForm, KeysLocation, Reach, RemoteKeys, RemoteMetadata,
    file, task,
};
use m2m_proto::jose::{JwkSet, VerifyingKey};
use m2m_proto::spiffe::SpiffeBundle;
use m2m_proto::uri::{Issuer, Origin};
use m2m_proto::workload_token::UnverifiedWorkloadToken;

use super::verify::FederationError;
use crate::config::TrustingHttp;
use crate::registry::{FetchFiles, IssuerId, IssuerKeys, Named, Registry, TrustedIssuer};

const MAX_FILE_BYTES: u64 = 256 * 1024;
/// A file that was read so recently is not read again.
const FILE_AGE: Duration = Duration::from_secs(5);

/// What fetching needs from outside.
#[derive(Debug, Clone)]
pub(crate) struct KeySource {
    pub(crate) http: Option<Arc<dyn HttpClient>>,
    pub(crate) trusting: Option<TrustingHttp>,
    /// Directories whose files an issuer may name.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl KeySource {
    /// Whether an issuer may name this file: an absolute path below one of the directories, without `..`.
    pub(crate) fn allows(&self, path: &Path) -> bool {
        let plain = |part| !matches!(part, std::path::Component::ParentDir);
        path.is_absolute()
            && path.components().all(plain)
            && self.files.iter().any(|root| path.starts_with(root) && path != root.as_path())
    }

    fn client(&self, files: &FetchFiles, origin: Origin) -> Option<Arc<dyn HttpClient>> {
        let client = match &files.ca_file {
            None => Arc::clone(self.http.as_ref()?),
            Some(path) => self.trusting.as_ref()?.client(path),
        };
        Some(match &files.bearer_file {
            None => client,
            Some(path) => Arc::new(BearerHttp::new(client, origin, path.clone())),
        })
    }

    /// `None` where this server has no means to fetch.
    fn open(&self, issuer: &TrustedIssuer) -> Option<Held> {
        // Asked again: what was allowed when the issuer was registered may no longer be.
        if !files(issuer).all(|path| self.allows(path)) {
            return None;
        }
        let clock = Arc::clone(&self.clock);
        Some(match &issuer.keys {
            IssuerKeys::Set(set) => Held::Set(Arc::clone(set)),
            IssuerKeys::File(path) => Held::File(Arc::new(KeyFile {
                path: path.clone(),
                form: form(&issuer.named),
                clock,
                read: Mutex::default(),
            })),
            IssuerKeys::Url(url, files) => {
                let http = self.client(files, url.origin().clone())?;
                let location = KeysLocation::Url { url: url.clone(), reach: Reach::Registered };
                let form = form(&issuer.named);
                Held::Remote(RemoteKeys::of_form(form, location, Knobs::default(), http, clock))
            }
            IssuerKeys::Discovery(files) => {
                let named = Issuer::parse(issuer.named.as_str()).ok()?;
                let http = self.client(files, named.origin().clone())?;
                let (via, time) = (Arc::clone(&http), Arc::clone(&clock));
                let metadata =
                    RemoteMetadata::with_knobs(named, Reach::Registered, Knobs::default(), via, time);
                Held::Remote(RemoteKeys::new(KeysLocation::Metadata(metadata), http, clock))
            }
        })
    }
}

/// The files that an issuer names.
fn files(issuer: &TrustedIssuer) -> impl Iterator<Item = &Path> {
    let (own, besides) = match &issuer.keys {
        IssuerKeys::Set(_) => (None, None),
        IssuerKeys::File(path) => (Some(path), None),
        IssuerKeys::Url(_, files) | IssuerKeys::Discovery(files) => (None, Some(files)),
    };
    let besides = besides.into_iter().flat_map(|files| files.ca_file.iter().chain(&files.bearer_file));
    own.into_iter().chain(besides).map(PathBuf::as_path)
}

fn form(named: &Named) -> KeysForm {
    match named {
        Named::Issuer(_) => KeysForm::JwkSet,
        Named::TrustDomain(_) => KeysForm::SpiffeBundle,
    }
}

/// The keys of one issuer, wherever they are.
#[derive(Clone)]
enum Held {
    Set(Arc<JwkSet>),
    File(Arc<KeyFile>),
    Remote(RemoteKeys),
}

impl Held {
    async fn find(
        &self,
        issuer: &IssuerId,
        token: &UnverifiedWorkloadToken,
    ) -> Result<Vec<Arc<VerifyingKey>>, FederationError> {
        let unreachable = |why: String| FederationError::KeysUnreachable { issuer: issuer.clone(), why };
        let (key_id, algorithm) = (token.key_id(), token.algorithm());
        let of = |set: &JwkSet| set.find(key_id, algorithm).map(Arc::clone).collect();
        match self {
            Self::Set(set) => Ok(of(set)),
            Self::File(file) => file.set().await.map(|set| of(&set)).map_err(unreachable),
            Self::Remote(keys) => match keys.find(key_id, algorithm).await {
                Ok(key) => Ok(vec![key]),
                // The key may well exist: whoever comes again in a moment is not refused for our haste.
                Err(error @ (KeysError::Unavailable(_) | KeysError::TooSoon)) => {
                    Err(unreachable(error.to_string()))
                }
                Err(_) => Ok(Vec::new()),
            },
        }
    }
}

/// A key set in a file that may be replaced.
struct KeyFile {
    path: PathBuf,
    form: KeysForm,
    clock: Arc<dyn Clock>,
    /// What was read, and when.
    read: Mutex<Option<(Arc<JwkSet>, Duration)>>,
}

impl KeyFile {
    async fn set(&self) -> Result<Arc<JwkSet>, String> {
        let now = self.clock.monotonic();
        if let Some((set, at)) = &*self.read.lock().unwrap_or_else(PoisonError::into_inner)
            && now.saturating_sub(*at) < FILE_AGE
        {
            return Ok(Arc::clone(set));
        }
        let path = self.path.clone();
        let read = task::blocking("keys of an issuer", move || file::read_file(&path, MAX_FILE_BYTES)).await;
        let failed = |why: &dyn fmt::Display| format!("{}: {why}", self.path.display());
        let bytes = read.ok_or_else(|| failed(&"not read"))?.map_err(|error| failed(&error))?;
        let set = match self.form {
            KeysForm::SpiffeBundle => SpiffeBundle::decode(&bytes).map(SpiffeBundle::into_keys),
            KeysForm::JwkSet => JwkSet::decode(&bytes),
        };
        let set = Arc::new(set.map_err(|error| failed(&error))?);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&set), now));
        Ok(set)
    }
}

/// The keys of all trusted issuers, one cache each.
pub(crate) struct IssuerKeySets {
    source: KeySource,
    sets: Mutex<HashMap<IssuerId, Entry>>,
}

/// What was opened, and for what: an issuer that was changed, or removed and made again, is opened again.
struct Entry {
    named: Named,
    keys: IssuerKeys,
    held: Held,
}

impl Entry {
    fn is_for(&self, issuer: &TrustedIssuer) -> bool {
        self.named == issuer.named && same_place(&self.keys, &issuer.keys)
    }
}

fn same_place(a: &IssuerKeys, b: &IssuerKeys) -> bool {
    match (a, b) {
        (IssuerKeys::Url(a, with), IssuerKeys::Url(b, also)) => a == b && with == also,
        (IssuerKeys::Discovery(with), IssuerKeys::Discovery(also)) => with == also,
        (IssuerKeys::File(a), IssuerKeys::File(b)) => a == b,
        (IssuerKeys::Set(a), IssuerKeys::Set(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

impl IssuerKeySets {
    pub(crate) fn new(source: KeySource) -> Self {
        Self { source, sets: Mutex::default() }
    }

    pub(crate) fn source(&self) -> &KeySource {
        &self.source
    }

    /// The keys of an issuer that may have signed: none where there is no such key.
    ///
    /// # Errors
    /// `KeysUnreachable` where that cannot be told now.
    // spec: JWT-V1
    pub(crate) async fn find(
        &self,
        issuer: &TrustedIssuer,
        registry: &Registry,
        token: &UnverifiedWorkloadToken,
    ) -> Result<Vec<Arc<VerifyingKey>>, FederationError> {
        let held = self.held(issuer, registry).ok_or_else(|| FederationError::KeysUnreachable {
            issuer: issuer.id.clone(),
            why: "this server has no HTTP client for them".to_owned(),
        })?;
        held.find(&issuer.id, token).await
    }

    fn held(&self, issuer: &TrustedIssuer, registry: &Registry) -> Option<Held> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = sets.get(&issuer.id).filter(|entry| entry.is_for(issuer)) {
            return Some(entry.held.clone());
        }
        sets.retain(|id, _| registry.issuer(id.as_str()).is_some());
        let held = self.source.open(issuer)?;
        let (named, keys) = (issuer.named.clone(), issuer.keys.clone());
        sets.insert(issuer.id.clone(), Entry { named, keys, held: held.clone() });
        Some(held)
    }
}

impl fmt::Debug for IssuerKeySets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeySets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use m2m_io::SystemClock;

    use super::*;

    /// A directory that was taken out of the settings gives nothing any more, whoever registered what before.
    #[test]
    fn files_are_asked_about_when_they_are_used() {
        let keys = IssuerKeys::File("/run/issuers/jwks.json".into());
        let named = Named::issuer("https://platform.example").unwrap();
        let issuer = TrustedIssuer::new(IssuerId::parse("one").unwrap(), named, keys);
        let opens = |files: Vec<PathBuf>| {
            let source = KeySource { http: None, trusting: None, files, clock: Arc::new(SystemClock) };
            source.open(&issuer).is_some()
        };
        assert!(opens(vec!["/run/issuers".into()]));
        assert!(!opens(Vec::new()));
        assert!(!opens(vec!["/run/others".into()]));
    }
}
