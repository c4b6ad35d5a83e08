#![no_main]
//! See `m2m_fuzz::workload_token`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| m2m_fuzz::workload_token(data));
