#![no_main]
//! See `m2m_fuzz::basic_header`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::basic_header(data));
