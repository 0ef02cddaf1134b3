//! Any bytes for the reader `queue_url` of [`patscan::untrusted`].

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| patscan::untrusted::read("queue_url", data));
