#![no_main]
//! See `m2m_fuzz::client_authentication`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::client_authentication(data));
