#![no_main]
//! See `m2m_fuzz::signed_introspection`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::signed_introspection(data));
