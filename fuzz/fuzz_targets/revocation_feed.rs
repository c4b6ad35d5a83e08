#![no_main]
//! See `m2m_fuzz::revocation_feed`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::revocation_feed(data));
