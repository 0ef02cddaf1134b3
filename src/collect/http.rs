//! The HTTP client of every call: TLS, proxies and the certificates to trust.

use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv6Addr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::os_shim_internal::Env;

use super::environment::check_proxies;
use super::error::CollectError;

/// More than any bundle of certificates holds.
const LARGEST_BUNDLE: u64 = 16 << 20;

/// A client that honours the proxy variables of the environment and, like the AWS CLI, `AWS_CA_BUNDLE`.
pub(super) fn client(ca_bundle: Option<PathBuf>) -> Result<SharedHttpClient, CollectError> {
    let tls = match ca_bundle {
        None => TlsContext::default(),
        Some(path) => trusting(&path)?,
    };
    Ok(SharedHttpClient::new(Client {
        through_proxies: connecting(ProxyConfig::from_env, tls.clone()),
        direct: connecting(ProxyConfig::disabled, tls),
    }))
}

fn connecting(proxies: fn() -> ProxyConfig, tls: TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .proxy_config(proxies())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build_with_resolver(SystemResolver)
    })
}

/// The client: what the machine itself gives out credentials at is never asked through a proxy, which could not reach it and
/// would see the answer.
#[derive(Debug)]
struct Client {
    through_proxies: SharedHttpClient,
    direct: SharedHttpClient,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connectors {
            through_proxies: self.through_proxies.http_connector(settings, components),
            direct: self.direct.http_connector(settings, components),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        settings: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.through_proxies
            .validate_base_client_config(components, settings)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.through_proxies.connector_metadata()
    }
}

#[derive(Debug)]
struct Connectors {
    through_proxies: SharedHttpConnector,
    direct: SharedHttpConnector,
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_link_local(request.uri()) {
            self.direct.call(request)
        } else {
            self.through_proxies.call(request)
        }
    }
}

/// Whether a URL leads no further than this machine's own link: where EC2, ECS and EKS give out credentials.
fn is_link_local(url: &str) -> bool {
    /// Where EC2 and EKS listen in IPv6, outside the link-local range.
    const CREDENTIALS_V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    ];
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(address)) => address.is_link_local(),
        Some(url::Host::Ipv6(address)) => {
            address.is_unicast_link_local() || CREDENTIALS_V6.contains(&address)
        }
        Some(url::Host::Domain(_)) | None => false,
    }
}

/// A connector for what is no call to AWS, through the same proxies and with the same trust. It follows no redirect.
///
/// # Errors
/// [`CollectError::InvalidCaBundle`] for certificates that cannot be used, [`CollectError::InvalidProxy`] for a proxy.
pub(crate) fn connector() -> Result<Connector, CollectError> {
    check_proxies(&Env::real())?;
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
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_BUNDLE).read_to_end(&mut pem))
        .map_err(|error| problem(&error.to_string()))?;
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
    fn what_the_machine_gives_credentials_out_at_is_known_by_its_address() {
        for url in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::254]/latest",
            "http://[fd00:ec2::23]:80/v1/credentials",
        ] {
            assert!(is_link_local(url), "{url}");
        }
        for url in [
            "https://sqs.eu-west-1.amazonaws.com/",
            "http://127.0.0.1:4566",
            "http://169.254.169.254.example.com",
            "http://[fd00:ec3::254]",
            "nonsense",
        ] {
            assert!(!is_link_local(url), "{url}");
        }
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
