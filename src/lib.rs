//! patscan audits AWS accounts: who can really put messages into a queue, who can take them out, and can anything feed itself?
//!
//! One way through the house, each step a plain function from one immutable value to the next:
//!
//! | Module | Takes | Gives |
//! |---|---|---|
//! | [`collect`] | a live account | [`account::Account`], also read from snapshot files |
//! | [`access`] | accounts, with [`policy`] as its language | who may do what to which queue |
//! | [`graph`] | access | nodes and edges, the way messages and rights travel |
//! | [`rules`] | access and graph | [`finding::Finding`]s |
//! | [`triage`] | findings | what is new, known, accepted |
//! | [`remedy`] | one finding | what to change, proved by deciding again |
//! | [`explain`] | one finding | everything behind it |
//! | [`report`] | findings | formats |
//! | [`publish`] | a report | what is new, where people and programs look |
//!
//! [`audit`] runs the steps between reading and reporting; [`cli`], [`config`] and [`commands`] are what the binary adds.
//!
//! The library exists for the `patscan` binary, its tests, benches and fuzzers; its interface follows theirs.

pub mod access;
pub mod account;
pub mod arn;
pub mod audit;
pub mod cli;
pub mod collect;
pub mod commands;
pub mod config;
pub mod entity;
pub mod explain;
mod file;
pub mod finding;
pub mod graph;
mod input;
mod memo;
mod nearest;
mod parallel;
pub mod policy;
pub mod publish;
pub mod remedy;
pub mod report;
pub mod rules;
mod schema;
mod toml_file;
pub mod triage;
#[doc(hidden)]
pub mod untrusted;
