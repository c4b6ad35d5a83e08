//! What a session has begun and tried. Memory only; bounded: 16 drafts, 32 results, of which the oldest goes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use m2m_io::Random;

use super::draft::Draft;
use super::entry::bits;
use super::tried::Tried;

const MAX_DRAFTS: usize = 16;
const MAX_RESULTS: usize = 32;

/// Drafts and results of one session.
#[derive(Debug)]
pub(crate) struct Bench {
    /// What fingerprints are made with.
    key: String,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    drafts: VecDeque<Draft>,
    results: VecDeque<(String, Arc<Tried>)>,
    /// The settings with which a profile was tested last.
    last: VecDeque<((PathBuf, String), String)>,
}

impl Bench {
    pub(super) fn new(random: &dyn Random) -> Self {
        Self { key: bits(random), held: Mutex::default() }
    }

    /// The draft of that id; `None` when it is too old.
    pub(crate) fn draft(&self, id: &str) -> Option<Draft> {
        self.held().drafts.iter().find(|draft| draft.id == id).cloned()
    }

    /// Keeps a draft, in the place of an earlier one of its id.
    pub(crate) fn put(&self, draft: Draft) {
        let mut held = self.held();
        held.drafts.retain(|known| known.id != draft.id);
        if held.drafts.len() >= MAX_DRAFTS {
            held.drafts.pop_front();
        }
        held.drafts.push_back(draft);
    }

    /// Lets a draft go.
    pub(crate) fn drop_draft(&self, id: &str) {
        self.held().drafts.retain(|known| known.id != id);
    }

    /// What tells these settings from others.
    pub(crate) fn fingerprint(&self, draft: &Draft) -> String {
        draft.fingerprint(self.key.as_bytes())
    }

    /// Keeps a result with the settings that it was made with.
    pub(crate) fn tried(&self, draft: &mut Draft, tried: Tried) {
        let fingerprint = self.fingerprint(draft);
        draft.tested = Some(fingerprint.clone());
        self.keep(draft, fingerprint, Arc::new(tried));
    }

    /// The result belongs to these settings too: the same, whose secret has found a place.
    pub(crate) fn carry(&self, before: Option<Arc<Tried>>, draft: &mut Draft) {
        if let Some(tried) = before {
            let fingerprint = self.fingerprint(draft);
            draft.tested = Some(fingerprint.clone());
            self.keep(draft, fingerprint, tried);
        }
    }

    fn keep(&self, draft: &Draft, fingerprint: String, tried: Arc<Tried>) {
        let mut held = self.held();
        let place = (draft.file.clone(), draft.name.clone());
        held.results.retain(|(known, _)| *known != fingerprint);
        held.last.retain(|(known, _)| *known != place);
        if held.results.len() >= MAX_RESULTS {
            held.results.pop_front();
        }
        if held.last.len() >= MAX_RESULTS {
            held.last.pop_front();
        }
        held.last.push_back((place, fingerprint.clone()));
        held.results.push_back((fingerprint, tried));
    }

    /// The result of the draft's last test, and whether its settings are still the same.
    pub(crate) fn result(&self, draft: &Draft) -> Option<(Arc<Tried>, Fresh)> {
        let now = self.fingerprint(draft);
        let held = self.held();
        let of = |wanted: &String| {
            held.results.iter().find(|(known, _)| known == wanted).map(|(_, tried)| Arc::clone(tried))
        };
        if let Some(tried) = of(&now) {
            return Some((tried, Fresh::Same));
        }
        let place = (&draft.file, &draft.name);
        let last = held.last.iter().find(|((file, name), _)| (file, name) == place);
        let before = draft.tested.as_ref().or(last.map(|(_, fingerprint)| fingerprint))?;
        of(before).map(|tried| (tried, Fresh::Stale))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a result was made with the settings as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// It was.
    Same,
    /// They were changed since.
    Stale,
}
