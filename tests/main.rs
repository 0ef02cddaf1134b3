//! The one integration test binary: one link, one process for nextest to start per test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets data it does not expect has failed; helpers are not covered by clippy.toml's exceptions for tests"
)]

mod assume;
mod capabilities;
mod channels;
mod cli;
mod collect;
mod cycles;
mod decisions;
mod deploy;
mod emulator;
mod fixtures;
mod generated;
mod generated_account;
mod matrix;
mod parsers;
mod patscan;
mod properties;
mod publish;
mod random_account;
mod remedies;
mod rules;
mod self_grants;
mod takeovers;
