//! Every fault has an answer: a troubled scan finds the same, or says what is missing.
#![allow(
    clippy::print_stderr,
    clippy::similar_names,
    reason = "seeds repeat a run and times are looked at, both belong into its log; what is seen and a seed are named so"
)]

mod account;
mod large;
mod lost;
mod matrix;
mod oracle;
mod random;
mod trial;
mod whole;

const FIRST: &str = super::REGION;
const SECOND: &str = "eu-north-1";
