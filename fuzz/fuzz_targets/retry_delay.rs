#![no_main]
//! See `m2m_fuzz::retry_delay`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::retry_delay(data));
