//! Any bytes for the reader `state_machine` of [`patscan::untrusted`].

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| patscan::untrusted::read("state_machine", data));
