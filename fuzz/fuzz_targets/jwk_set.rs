#![no_main]
//! See `m2m_fuzz::jwk_set`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::jwk_set(data));
