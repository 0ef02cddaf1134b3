//! Credentials and SDK configuration: everything that must be right before the first call.
//!
//! Follows the AWS SDKs and Tools Reference Guide for the environment, the shared config files and the credential chain, with
//! one addition: as in the AWS CLI, a profile named on the command line outranks keys in the environment.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::profile::{ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::os_shim_internal::{Env, Fs};

use super::error::{CollectError, one_line};
use super::nearest::nearest_first;
use super::{AssumeRole, Options};

const FALLBACK_REGION: &str = "us-east-1";
const MAX_ATTEMPTS: u32 = 6;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const SESSION_NAME: &str = "patscan";

/// An SDK configuration whose credentials exist.
pub(super) struct Session {
    config: SdkConfig,
    region: String,
}

impl Session {
    /// Resolves configuration and credentials.
    pub(super) async fn open(options: &Options) -> Result<Self, CollectError> {
        let (mut config, profile) = match &options.sdk_config {
            Some(config) => (config.clone(), None),
            None => from_environment(options).await?,
        };
        if let Some(url) = &options.endpoint_url {
            check_endpoint(url)?;
            config = config
                .into_builder()
                .endpoint_url(url.trim_end_matches('/'))
                .build();
        }
        let region = config
            .region()
            .map_or_else(|| base_region(options), |region| region.as_ref().to_owned());
        config = config
            .into_builder()
            .region(Region::new(region.clone()))
            .build();
        config = with_resolved_credentials(config, profile.as_ref()).await?;
        if let Some(role) = &options.assume_role {
            config = assume(role, &config).await?;
        }
        Ok(Self { config, region })
    }

    /// The configuration for global services.
    pub(super) fn global(&self) -> &SdkConfig {
        &self.config
    }

    /// The configuration for one region.
    pub(super) fn in_region(&self, region: &str) -> SdkConfig {
        self.config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build()
    }

    /// The region of calls that belong to no region in particular.
    pub(super) fn base_region(&self) -> &str {
        &self.region
    }

    /// The endpoint configured for every service, when there is one.
    pub(super) fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }
}

/// The profile that was asked for by name.
struct NamedProfile {
    name: String,
    needs_mfa: bool,
}

async fn from_environment(
    options: &Options,
) -> Result<(SdkConfig, Option<NamedProfile>), CollectError> {
    let (env, fs) = (Env::real(), Fs::real());
    let attempts = max_attempts(&env)?;
    let named = options
        .profile
        .clone()
        .or_else(|| non_empty(&env, "AWS_PROFILE"));
    let profiles = profiles(&fs, &env, named.as_deref()).await?;
    let http = http_client(ca_bundle(&env, &profiles).map(PathBuf::from))?;
    let region =
        Region::new(configured_region(&env, &profiles).unwrap_or_else(|| base_region(options)));
    let retry = RetryConfig::adaptive().with_max_attempts(attempts);
    let timeout = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retry.clone())
        .timeout_config(timeout.clone())
        .region(region.clone());
    if let Some(name) = &named {
        loader = loader.profile_name(name);
    }
    if let Some(name) = &options.profile {
        let provider_config = ProviderConfig::without_region()
            .with_region(Some(region))
            .with_http_client(http)
            .with_retry_config(retry)
            .with_timeout_config(timeout);
        loader = loader.credentials_provider(
            ProfileFileCredentialsProvider::builder()
                .configure(&provider_config)
                .profile_name(name)
                .build(),
        );
    }
    let named = named.map(|name| NamedProfile {
        name,
        needs_mfa: profiles.get("mfa_serial").is_some(),
    });
    Ok((loader.load().await, named))
}

fn non_empty(env: &Env, name: &str) -> Option<String> {
    env.get(name).ok().filter(|value| !value.is_empty())
}

fn max_attempts(env: &Env) -> Result<u32, CollectError> {
    match non_empty(env, "AWS_MAX_ATTEMPTS") {
        None => Ok(MAX_ATTEMPTS),
        Some(value) => match value.parse() {
            Ok(attempts) if attempts > 0 => Ok(attempts),
            _ => Err(CollectError::InvalidMaxAttempts { value }),
        },
    }
}

/// The profiles of the config files. That they can be read, and hold the profile asked for, is required only where one was
/// asked for: credentials may come from elsewhere.
async fn profiles(fs: &Fs, env: &Env, named: Option<&str>) -> Result<ProfileSet, CollectError> {
    let selected = named.unwrap_or("default").to_owned();
    let loaded =
        aws_config::profile::load(fs, env, &EnvConfigFiles::default(), Some(selected.into())).await;
    match (loaded, named) {
        (Ok(profiles), Some(name)) if profiles.get_profile(name).is_none() => {
            Err(CollectError::UnknownProfile {
                name: name.to_owned(),
                existing: nearest_first(name, profiles.profiles()),
            })
        }
        (Ok(profiles), _) => Ok(profiles),
        (Err(_), None) => Ok(ProfileSet::default()),
        (Err(error), Some(_)) => Err(CollectError::InvalidConfigFile {
            cause: one_line(&error),
            source: error.into(),
        }),
    }
}

/// The region of the environment or the profile. The instance metadata service is not asked: a scan covers every region
/// anyway, and off EC2 the question takes seconds.
fn configured_region(env: &Env, profiles: &ProfileSet) -> Option<String> {
    non_empty(env, "AWS_REGION")
        .or_else(|| non_empty(env, "AWS_DEFAULT_REGION"))
        .or_else(|| profiles.get("region").map(str::to_owned))
        .filter(|region| !region.is_empty())
}

fn base_region(options: &Options) -> String {
    options
        .regions
        .first()
        .cloned()
        .unwrap_or_else(|| FALLBACK_REGION.to_owned())
}

fn ca_bundle(env: &Env, profiles: &ProfileSet) -> Option<String> {
    non_empty(env, "AWS_CA_BUNDLE").or_else(|| profiles.get("ca_bundle").map(str::to_owned))
}

fn check_endpoint(url: &str) -> Result<(), CollectError> {
    let host = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .unwrap_or_default();
    let complete = !host.is_empty()
        && !host.starts_with(['/', ':'])
        && !host.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if complete {
        Ok(())
    } else {
        Err(CollectError::InvalidEndpoint {
            url: url.to_owned(),
        })
    }
}

/// A client that honours the proxy variables of the environment and, like the AWS CLI, `AWS_CA_BUNDLE`.
fn http_client(ca_bundle: Option<PathBuf>) -> Result<SharedHttpClient, CollectError> {
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
            connector.build()
        }),
    )
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
    // The HTTP client validates the certificates only when it connects, and then by a panic: better here, as an error.
    let trial = tls.clone();
    std::panic::catch_unwind(move || {
        Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(trial)
            .build()
    })
    .map_err(|_| problem("a certificate in it is malformed"))?;
    Ok(tls)
}

/// Credentials that were resolved up front, so that they are not asked for twice; later ones come from the provider.
#[derive(Debug)]
struct Prefetched {
    first: Mutex<Option<Credentials>>,
    later: SharedCredentialsProvider,
}

impl ProvideCredentials for Prefetched {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match first {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.later.provide_credentials(),
        }
    }
}

fn prefetched(
    config: SdkConfig,
    first: Credentials,
    later: SharedCredentialsProvider,
) -> SdkConfig {
    let provider = Prefetched {
        first: Mutex::new(Some(first)),
        later,
    };
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}

async fn with_resolved_credentials(
    config: SdkConfig,
    profile: Option<&NamedProfile>,
) -> Result<SdkConfig, CollectError> {
    let classify = |error| classify(error, profile);
    let Some(provider) = config.credentials_provider() else {
        return Err(classify(CredentialsError::not_loaded_no_source()));
    };
    let first = provider.provide_credentials().await.map_err(classify)?;
    Ok(prefetched(config, first, provider))
}

async fn assume(role: &AssumeRole, config: &SdkConfig) -> Result<SdkConfig, CollectError> {
    let mut builder = AssumeRoleProvider::builder(&role.role_arn)
        .session_name(SESSION_NAME)
        .configure(config);
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(builder.build().await);
    let first =
        provider
            .provide_credentials()
            .await
            .map_err(|error| CollectError::AssumeRoleFailed {
                role_arn: role.role_arn.clone(),
                cause: one_line(&error),
                source: error.into(),
            })?;
    Ok(prefetched(config.clone(), first, provider))
}

fn classify(error: CredentialsError, profile: Option<&NamedProfile>) -> CollectError {
    let cause = one_line(&error);
    match (&error, profile) {
        (_, Some(NamedProfile { name, needs_mfa })) if *needs_mfa => CollectError::MfaRequired {
            profile: name.clone(),
            source: error.into(),
        },
        (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => {
            CollectError::NoCredentialsInProfile {
                profile: profile.name.clone(),
                cause: error.source().map_or(cause, one_line),
                source: error.into(),
            }
        }
        (CredentialsError::CredentialsNotLoaded(_), None) => CollectError::NoCredentials {
            source: error.into(),
        },
        (CredentialsError::InvalidConfiguration(_), _) => CollectError::InvalidCredentialsConfig {
            cause,
            source: error.into(),
        },
        _ => CollectError::CredentialsFailed {
            cause,
            source: error.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::from_slice(variables)
    }

    fn files() -> (Fs, Env) {
        let config = "[default]\nregion = eu-west-1\n\n[profile production]\nregion = eu-north-1\nca_bundle = /ca.pem\n";
        let credentials = "[staging]\naws_access_key_id = AKID\naws_secret_access_key = secret\n";
        (
            Fs::from_slice(&[("/config", config), ("/credentials", credentials)]),
            env(&[
                ("AWS_CONFIG_FILE", "/config"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/credentials"),
            ]),
        )
    }

    #[test]
    fn attempts_are_a_whole_number_from_one_on() {
        assert_eq!(max_attempts(&env(&[])).unwrap(), 6);
        assert_eq!(max_attempts(&env(&[("AWS_MAX_ATTEMPTS", "2")])).unwrap(), 2);
        for value in ["0", "-1", "many", "1.5"] {
            let error = max_attempts(&env(&[("AWS_MAX_ATTEMPTS", value)])).unwrap_err();
            assert!(matches!(error, CollectError::InvalidMaxAttempts { .. }));
            assert!(error.to_string().contains(value));
        }
    }

    #[tokio::test]
    async fn an_unknown_profile_is_answered_with_the_known_ones_nearest_first() {
        let (fs, env) = files();
        let error = profiles(&fs, &env, Some("prodution")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no profile `prodution`; choose one of `production`, `default`, `staging`"
        );
    }

    #[tokio::test]
    async fn profiles_of_both_files_are_known() {
        let (fs, env) = files();
        for name in ["default", "production", "staging"] {
            assert!(profiles(&fs, &env, Some(name)).await.is_ok(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_broken_config_file_matters_only_to_who_asks_for_a_profile() {
        let fs = Fs::from_slice(&[("/config", "[default\nregion")]);
        let env = env(&[("AWS_CONFIG_FILE", "/config")]);
        assert!(profiles(&fs, &env, None).await.is_ok());
        let error = profiles(&fs, &env, Some("default")).await.unwrap_err();
        assert!(matches!(error, CollectError::InvalidConfigFile { .. }));
        assert!(!error.to_string().contains('\n'));
    }

    #[tokio::test]
    async fn the_base_region_comes_from_the_environment_then_the_profile_then_the_options() {
        let (fs, files_env) = files();
        let set = profiles(&fs, &files_env, Some("production")).await.unwrap();
        assert_eq!(
            configured_region(&env(&[("AWS_REGION", "us-west-2")]), &set).as_deref(),
            Some("us-west-2")
        );
        assert_eq!(
            configured_region(&env(&[("AWS_REGION", "")]), &set).as_deref(),
            Some("eu-north-1")
        );
        let options = Options {
            regions: vec!["eu-south-1".to_owned()],
            ..Options::default()
        };
        assert_eq!(base_region(&options), "eu-south-1");
        assert_eq!(base_region(&Options::default()), "us-east-1");
    }

    #[tokio::test]
    async fn a_profile_may_name_a_ca_bundle_and_the_environment_outranks_it() {
        let (fs, files_env) = files();
        let set = profiles(&fs, &files_env, Some("production")).await.unwrap();
        assert_eq!(ca_bundle(&env(&[]), &set).as_deref(), Some("/ca.pem"));
        let other = env(&[("AWS_CA_BUNDLE", "/other.pem")]);
        assert_eq!(ca_bundle(&other, &set).as_deref(), Some("/other.pem"));
    }

    #[test]
    fn a_file_without_certificates_is_no_ca_bundle() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not a certificate").unwrap();
        for path in [file.path().to_owned(), "/nowhere/ca.pem".into()] {
            let error = http_client(Some(path)).unwrap_err();
            assert!(matches!(error, CollectError::InvalidCaBundle { .. }));
        }
    }

    #[test]
    fn endpoints_are_http_urls_with_a_host() {
        for url in ["http://127.0.0.1:4566", "https://sqs.example.com/"] {
            assert!(check_endpoint(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "localhost:4566",
            "ftp://host",
            "http://",
            "http:///x",
            "http://a b",
        ] {
            assert!(check_endpoint(url).is_err(), "{url}");
        }
    }

    #[test]
    fn credential_errors_are_told_apart_by_type() {
        assert!(matches!(
            classify(CredentialsError::not_loaded("nothing"), None),
            CollectError::NoCredentials { .. }
        ));
        let configured = classify(
            CredentialsError::invalid_configuration("profile\nloops"),
            None,
        );
        assert!(matches!(
            configured,
            CollectError::InvalidCredentialsConfig { .. }
        ));
        assert!(configured.to_string().contains("profile loops"));
        assert!(matches!(
            classify(CredentialsError::provider_error("503"), None),
            CollectError::CredentialsFailed { .. }
        ));
    }
}
