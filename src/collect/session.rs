//! Credentials and SDK configuration: everything that must be right before the first call.
//!
//! Follows the AWS SDKs and Tools Reference Guide for the environment, the shared config files and the credential chain, with
//! one addition: as in the AWS CLI, a profile named on the command line outranks keys in the environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileLoadError, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::origin::Origin;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;

use super::credentials::{NamedProfile, assume, prefetched, with_resolved_credentials};
use super::environment::{
    check_profile, check_services, check_variables, is_endpoint, max_attempts, non_empty, switch,
};
use super::error::{CollectError, one_line};
use super::mfa::{self, Chain};
use super::pacing::{Calls, Pacing, Patience, Traffic, paced};
use super::regions::check_known;
use super::{Options, config_files, http};
use crate::nearest::nearest_first;

const FALLBACK_REGION: &str = "us-east-1";
/// Attempts of one call, unless the environment says otherwise; what came too often for AWS is sent again within one.
const MAX_ATTEMPTS: u32 = 5;
const FIRST_BACKOFF: Duration = Duration::from_millis(300);
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);
/// A region that takes no connection is asked for several services and several times each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request that came too often for AWS is sent again within one attempt, where there may be more than one.
const RESENDS: u32 = 8;

/// An SDK configuration whose credentials exist, and the pace of every call that is made with it.
pub(crate) struct Session {
    config: SdkConfig,
    region: String,
    pacing: Arc<Pacing>,
}

impl Session {
    /// Resolves configuration and credentials.
    pub(crate) async fn open(options: &Options) -> Result<Self, CollectError> {
        let (mut config, profile) = match &options.sdk_config {
            Some(config) => (config.clone(), None),
            // Boxed, as below: the state of all ways to credentials is large.
            None => Box::pin(from_environment(options)).await?,
        };
        if let Some(url) = &options.endpoint_url {
            let mut builder = config
                .into_builder()
                .endpoint_url(url.trim_end_matches('/'));
            // Without this, `AWS_ENDPOINT_URL_SQS` and the like would outrank the command line.
            builder.insert_origin("endpoint_url", Origin::shared_config());
            config = builder.build();
        }
        if let Some(url) = config.endpoint_url() {
            check_endpoint(url)?;
        }
        let region = config
            .region()
            .map_or_else(|| base_region(options), |region| region.as_ref().to_owned());
        // The region becomes part of a host name: what has another shape is not worth a call.
        check_known(&region, None)?;
        config = config
            .into_builder()
            .region(Region::new(region.clone()))
            .build();
        config = match Box::pin(with_resolved_credentials(config, profile.as_ref())).await {
            Err(
                error @ (CollectError::NoCredentials { .. }
                | CollectError::InvalidCredentialsConfig { .. }),
            ) if options.profile.is_none() => {
                return Err(Box::pin(why_no_profile()).await.unwrap_or(error));
            }
            config => config?,
        };
        if let Some(role) = &options.assume_role {
            config = Box::pin(assume(role, &config)).await?;
        }
        let pacing = Arc::new(Pacing::new(options.pace, patience(&config)));
        if let Some(client) = config.http_client() {
            // An attempt waits for its turn without end; the limit for its answer begins after that.
            let timeout = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT);
            config = config
                .into_builder()
                .http_client(paced(client, Arc::clone(&pacing)))
                .timeout_config(timeout.build())
                .build();
        }
        Ok(Self {
            config,
            region,
            pacing,
        })
    }

    /// What was sent so far for these calls.
    pub(super) fn traffic(&self, calls: &Calls) -> Traffic {
        self.pacing.traffic(calls)
    }

    /// The configuration for global services.
    pub(crate) fn global(&self) -> &SdkConfig {
        &self.config
    }

    /// The configuration for one region.
    pub(crate) fn in_region(&self, region: &str) -> SdkConfig {
        self.config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build()
    }

    /// The same session with its configuration changed.
    pub(super) fn with(self, change: impl FnOnce(SdkConfig) -> SdkConfig) -> Self {
        Self {
            config: change(self.config),
            ..self
        }
    }

    /// The region of calls that belong to no region in particular.
    pub(crate) fn base_region(&self) -> &str {
        &self.region
    }

    /// The endpoint configured for every service, when there is one.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// Whether an endpoint of its own is configured for S3, or one for every service.
    pub(crate) fn redirects_s3(&self) -> bool {
        let key = ServiceConfigKey::builder()
            .service_id("S3")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let own = key.ok().and_then(|key| {
            let config = self.config.service_config()?;
            config.load_config(key)
        });
        own.is_some() || self.endpoint().is_some()
    }
}

fn patience(config: &SdkConfig) -> Patience {
    let retry = config.retry_config();
    let may_repeat = retry.is_none_or(|retry| retry.max_attempts() > 1);
    Patience {
        resends: if may_repeat { RESENDS } else { 0 },
        backoff: retry.map_or(FIRST_BACKOFF, RetryConfig::initial_backoff),
        answer: ATTEMPT_TIMEOUT,
    }
}

async fn from_environment(
    options: &Options,
) -> Result<(SdkConfig, Option<NamedProfile>), CollectError> {
    let (env, fs) = (Env::real(), Fs::real());
    check_variables(&env)?;
    let named = options
        .profile
        .clone()
        .or_else(|| non_empty(&env, "AWS_PROFILE"));
    config_files::check(&env, named.is_some())?;
    let profiles = profiles(&fs, &env, named.as_deref()).await?;
    check_profile(&profiles)?;
    let client = http::client(ca_bundle(&env, &profiles).map(PathBuf::from))?;
    let region =
        Region::new(configured_region(&env, &profiles).unwrap_or_else(|| base_region(options)));
    let attempts = max_attempts(&env, &profiles).unwrap_or(MAX_ATTEMPTS);
    let retry = RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let timeout = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client.clone())
        .retry_config(retry.clone())
        .timeout_config(timeout.clone())
        .region(region.clone());
    if let Some(name) = &named {
        loader = loader.profile_name(name);
    }
    // An empty variable says nothing; the SDK would take it for a wrong one and not look at the profile.
    if let Some(fips) = switch(&env, &profiles, "AWS_USE_FIPS_ENDPOINT") {
        loader = loader.use_fips(fips);
    }
    if let Some(dual_stack) = switch(&env, &profiles, "AWS_USE_DUALSTACK_ENDPOINT") {
        loader = loader.use_dual_stack(dual_stack);
    }
    let config = loader.load().await;
    check_services(&config)?;
    let settings = ProviderConfig::without_region()
        .with_region(Some(region))
        .with_http_client(client)
        .with_retry_config(retry)
        .with_timeout_config(timeout)
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack());
    let config = match &options.profile {
        Some(name) => config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .configure(&settings)
                    .profile_name(name)
                    .build(),
            ))
            .build(),
        None => config,
    };
    // Keys in the environment outrank the profile that the environment names, and with it whatever that asks for.
    let is_of_profile = options.profile.is_some()
        || ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
            .iter()
            .any(|name| non_empty(&env, name).is_none());
    let chain = Chain::of(&profiles)?.filter(|_| is_of_profile);
    let profile = named.map(|name| NamedProfile { name });
    let Some(chain) = chain else {
        return Ok((config, profile));
    };
    let selected = NamedProfile {
        name: profiles.selected_profile().to_owned(),
    };
    let (first, later) = Box::pin(mfa::open(chain, &config, &settings, &selected)).await?;
    Ok((prefetched(config, first, later), profile))
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
        (Err(error), Some(_)) => Err(unreadable(error)),
    }
}

fn unreadable(error: ProfileFileLoadError) -> CollectError {
    CollectError::InvalidConfigFile {
        cause: one_line(&error),
        source: Some(error.into()),
    }
}

/// What is wrong with config files that nobody asked for, where they may have held the credentials that are missing.
async fn why_no_profile() -> Option<CollectError> {
    let (env, fs) = (Env::real(), Fs::real());
    if let Some(problem) = config_files::problem(&env) {
        return Some(problem);
    }
    let loaded = aws_config::profile::load(&fs, &env, &EnvConfigFiles::default(), None).await;
    loaded.err().map(unreadable)
}

/// The region of the environment or the profile. The instance metadata service is not asked: a scan covers every region
/// anyway, and off EC2 the question takes seconds.
fn configured_region(env: &Env, profiles: &ProfileSet) -> Option<String> {
    non_empty(env, "AWS_REGION")
        .or_else(|| non_empty(env, "AWS_DEFAULT_REGION"))
        .or_else(|| profiles.get("region").map(str::to_owned))
        .filter(|region| !region.is_empty())
}

/// A region that answers for global services where none is configured: that of the partition of the regions asked for. A
/// region asked for is not used itself, since it may be misspelt, and then nobody could say so.
fn base_region(options: &Options) -> String {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "cn-north-1"),
        ("us-gov-", "us-gov-west-1"),
        ("us-iso-", "us-iso-east-1"),
        ("us-isob-", "us-isob-east-1"),
        ("us-isof-", "us-isof-south-1"),
        ("eu-isoe-", "eu-isoe-west-1"),
        ("eusc-", "eusc-de-east-1"),
    ];
    let asked = options.regions.first().map_or("", String::as_str);
    BY_PREFIX
        .iter()
        .find(|(prefix, _)| asked.starts_with(prefix))
        .map_or(FALLBACK_REGION, |(_, region)| region)
        .to_owned()
}

fn ca_bundle(env: &Env, profiles: &ProfileSet) -> Option<String> {
    non_empty(env, "AWS_CA_BUNDLE").or_else(|| profiles.get("ca_bundle").map(str::to_owned))
}

fn check_endpoint(url: &str) -> Result<(), CollectError> {
    if is_endpoint(url) {
        Ok(())
    } else {
        Err(CollectError::InvalidEndpoint {
            url: url.to_owned(),
        })
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
    async fn the_base_region_comes_from_the_environment_then_the_profile_then_the_partition() {
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
        let asked_for = |region: &str| {
            base_region(&Options {
                regions: vec![region.to_owned()],
                ..Options::default()
            })
        };
        assert_eq!(asked_for("eu-sowth-1"), "us-east-1");
        assert_eq!(asked_for("us-gov-east-1"), "us-gov-west-1");
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
}
