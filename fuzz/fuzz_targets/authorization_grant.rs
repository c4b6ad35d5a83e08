#![no_main]
//! See `m2m_fuzz::authorization_grant`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::authorization_grant(data));
