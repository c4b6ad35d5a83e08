//! Where the shared vectors are: `../shared/vectors` from the repository's root, or the folder
//! that `M2M_VECTORS` names. They are not part of the repository.

use std::path::PathBuf;

use serde_json::Value;

fn folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings; this names a folder of vectors")]
    let named = std::env::var_os("M2M_VECTORS");
    named.map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    )
}

/// The JSON file of that name; `None`, said plainly, when the folder is not there.
pub(crate) fn read(name: &str) -> Option<Value> {
    let folder = folder();
    if !folder.is_dir() {
        println!("skipped: no vectors at {}", folder.display());
        return None;
    }
    let text = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Some(serde_json::from_slice(&text).unwrap())
}
