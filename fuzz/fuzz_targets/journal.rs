//! Any bytes for the reader `journal` of [`patscan::untrusted`].

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| patscan::untrusted::read("journal", data));
