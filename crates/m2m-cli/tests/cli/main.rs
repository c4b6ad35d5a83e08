//! The built binary against `m2m serve --dev` and against servers that misbehave, on loopback.
//!
//! Each `.txt` file beside this one is a transcript that reads as documentation and runs as a test: see
//! [`transcript`] for its form.

mod admin_server;
mod completion;
mod doctor;
mod export;
mod federation_page;
mod openapi;
mod place;
mod process;
mod servers;
mod serving;
mod transcript;
mod yaml;

use place::Place;

macro_rules! transcripts {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            transcript::check(&Place::new(), stringify!($name), include_str!(concat!(stringify!($name), ".txt")));
        })+

        /// A transcript that nobody runs is not documentation.
        #[test]
        fn every_transcript_runs() {
            let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
            for entry in std::fs::read_dir(directory).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if let Some(stem) = name.strip_suffix(".txt") {
                    assert!([$(stringify!($name)),+].contains(&stem), "{name} is not run");
                }
            }
        }
    };
}

transcripts! {
    token request introspect_and_revoke inspect_and_verify failures settings keygen usage serve gateway
    profile profile_secrets profile_export profile_trust profile_keyring profile_import profile_provider workload
    man admin admin_apply admin_assess admin_import admin_credentials admin_failures admin_init admin_issuers admin_stub
}
