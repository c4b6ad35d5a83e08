#![no_main]
//! See `m2m_fuzz::token_exchange`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::token_exchange(data));
