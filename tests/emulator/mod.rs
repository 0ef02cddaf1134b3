//! Something that behaves like AWS: [`Moto`], an emulator with state, and [`Canned`], answers by plan. A [`Proxy`] before one
//! of them adds what goes wrong on the way.

mod answer;
mod canned;
mod fault;
mod memory;
mod ministack;
mod moto;
mod pages;
mod proxy;
mod request;
mod server;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::HttpClient;
use patscan::collect::Options;

pub(crate) use answer::{Answer, Ending};
pub(crate) use canned::Canned;
pub(crate) use fault::{Fault, Seen};
pub(crate) use memory::Memory;
pub(crate) use ministack::Ministack;
pub(crate) use moto::Moto;
pub(crate) use proxy::{Proxy, Record};
pub(crate) use request::Request;
pub(crate) use server::programs;

/// The account of both emulators.
pub(crate) const ACCOUNT: &str = "123456789012";

/// Options that read neither environment nor config files and retry once, at once.
pub(crate) async fn options(endpoint: &str, regions: &[&str]) -> Options {
    let client = aws_smithy_http_client::Builder::new().build_http();
    options_with(client, endpoint, regions).await
}

/// The same with an HTTP client of its own.
pub(crate) async fn options_with(
    client: impl HttpClient + 'static,
    endpoint: &str,
    regions: &[&str],
) -> Options {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = aws_config::defaults(BehaviorVersion::latest())
        .empty_test_environment()
        .credentials_provider(credentials)
        .http_client(client)
        .region(Region::from_static("us-east-1"))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(Duration::from_millis(1)),
        )
        .load()
        .await;
    Options {
        regions: regions.iter().map(|&region| region.to_owned()).collect(),
        endpoint_url: Some(endpoint.to_owned()),
        sdk_config: Some(config),
        ..Options::default()
    }
}
