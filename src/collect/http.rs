//! The HTTP client of every call: TLS, proxies and the certificates to trust.

use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::error::CollectError;

/// A client that honours the proxy variables of the environment and, like the AWS CLI, `AWS_CA_BUNDLE`.
pub(super) fn client(ca_bundle: Option<PathBuf>) -> Result<SharedHttpClient, CollectError> {
    let tls = match ca_bundle {
        None => TlsContext::default(),
        Some(path) => trusting(&path)?,
    };
    Ok(
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder()
                .proxy_config(ProxyConfig::from_env())
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(tls.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.build_with_resolver(SystemResolver)
        }),
    )
}

/// A connector for what is no call to AWS, through the same proxies and with the same trust. It follows no redirect.
///
/// # Errors
/// [`CollectError::InvalidCaBundle`] for certificates that cannot be used.
pub(crate) fn connector() -> Result<Connector, CollectError> {
    let ca_bundle = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    let tls = match ca_bundle {
        None => TlsContext::default(),
        Some(path) => trusting(Path::new(&path))?,
    };
    Ok(Connector::builder()
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_with_resolver(SystemResolver))
}

/// The resolver of the operating system. What it cannot resolve fails with an error of its own type; with the resolver that
/// the client brings along, only the text of the error would tell.
#[derive(Debug, Clone)]
struct SystemResolver;

impl ResolveDns for SystemResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        let name = name.to_owned();
        DnsFuture::new(async move {
            // The port takes no part in it.
            tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs())
                .await
                .map_err(ResolveDnsError::new)?
                .map(|addresses| addresses.map(|address| address.ip()).collect())
                .map_err(ResolveDnsError::new)
        })
    }
}

/// A TLS context that trusts the certificates of a file and no others.
fn trusting(path: &Path) -> Result<TlsContext, CollectError> {
    let problem = |cause: &str| CollectError::InvalidCaBundle {
        path: path.to_owned(),
        cause: cause.to_owned(),
    };
    let pem = std::fs::read(path).map_err(|error| problem(&error.to_string()))?;
    let holds_certificate = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
    if !holds_certificate {
        return Err(problem("it holds no PEM certificate"));
    }
    let tls = TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(pem))
        .build()
        .map_err(|error| problem(&error.to_string()))?;
    // The HTTP client validates the certificates only when it connects, and then by a panic: better here, as an error, and
    // without the report that a panic prints. No other thread runs yet that could panic for a reason of its own.
    let trial = tls.clone();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let usable = std::panic::catch_unwind(move || {
        Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(trial)
            .build()
    });
    std::panic::set_hook(hook);
    usable.map_err(|_| problem("a certificate in it is malformed"))?;
    Ok(tls)
}

#[cfg(test)]
mod tests {
    use aws_config::retry::RetryConfig;
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;

    use super::super::failure::{Failure, Kind};
    use super::*;

    async fn failure_at(endpoint: &str) -> Failure {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .empty_test_environment()
            .credentials_provider(Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                None,
                None,
                "test",
            ))
            .region(Region::from_static("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .http_client(client(None).unwrap())
            .endpoint_url(endpoint)
            .load()
            .await;
        let request = aws_sdk_sqs::Client::new(&config).list_queues().send();
        Failure::of(&request.await.unwrap_err())
    }

    #[tokio::test]
    async fn a_name_without_address_is_told_from_an_address_without_answer() {
        // No name server is asked about an empty label; with TLS that is no name at all, and the domain is one that is reserved
        // for names without address.
        for endpoint in ["http://glue..example", "https://glue.invalid"] {
            let nameless = failure_at(endpoint).await;
            assert_eq!(
                (nameless.code.as_str(), nameless.kind),
                ("UnknownHost", Kind::Unreachable),
                "{endpoint}"
            );
            assert!(nameless.is_not_offered());
        }
        // Nobody listens on the port of discard at home.
        let closed = failure_at("http://127.0.0.1:9").await;
        assert_eq!(
            (closed.code.as_str(), closed.kind),
            ("ConnectionFailure", Kind::Unreachable)
        );
        assert!(!closed.is_not_offered());
        // A name that the system knows is resolved, and only then refused.
        let known = failure_at("http://localhost:9").await;
        assert_eq!((known.code, known.kind), (closed.code, closed.kind));
    }

    #[test]
    fn a_file_without_certificates_is_no_ca_bundle() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not a certificate").unwrap();
        for path in [file.path().to_owned(), "/nowhere/ca.pem".into()] {
            let error = client(Some(path)).unwrap_err();
            assert!(matches!(error, CollectError::InvalidCaBundle { .. }));
        }
    }
}
