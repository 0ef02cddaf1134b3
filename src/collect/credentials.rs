//! Credentials, resolved before the first call so that their absence is one clear error.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::imds::client::error::ImdsError;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::AssumeRole;
use super::environment::is_plain;
use super::error::{CollectError, one_line};

pub(super) const SESSION_NAME: &str = "patscan";

/// The profile that was asked for by name.
pub(super) struct NamedProfile {
    pub(super) name: String,
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
            None => future::ProvideCredentials::new(async {
                usable(self.later.provide_credentials().await?)
            }),
        }
    }
}

/// Credentials that can be written into the headers of a request; with others the SDK panics.
///
/// # Errors
/// When the access key or the session token, wherever it comes from, holds what is not visible ASCII.
pub(super) fn usable(credentials: Credentials) -> Result<Credentials, CredentialsError> {
    let token = credentials.session_token().unwrap_or_default();
    if credentials.access_key_id().is_empty() {
        // What an answer of STS that was cut short comes to.
        Err(CredentialsError::unhandled("the access key is missing"))
    } else if is_plain(credentials.access_key_id()) && is_plain(token) {
        Ok(credentials)
    } else {
        Err(CredentialsError::invalid_configuration(
            "the access key or the session token holds a character that neither can have",
        ))
    }
}

/// The configuration with credentials that were resolved, and a provider of later ones.
pub(super) fn prefetched(
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

/// The configuration with credentials that exist.
pub(super) async fn with_resolved_credentials(
    config: SdkConfig,
    profile: Option<&NamedProfile>,
) -> Result<SdkConfig, CollectError> {
    let classify = |error| classify(error, profile);
    let Some(provider) = config.credentials_provider() else {
        return Err(classify(CredentialsError::not_loaded_no_source()));
    };
    let first = provider.provide_credentials().await;
    let first = first.and_then(usable).map_err(classify)?;
    Ok(prefetched(config, first, provider))
}

/// The configuration with the credentials of a role.
pub(super) async fn assume(
    role: &AssumeRole,
    config: &SdkConfig,
) -> Result<SdkConfig, CollectError> {
    let mut builder = AssumeRoleProvider::builder(&role.role_arn)
        .session_name(SESSION_NAME)
        .configure(config);
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(builder.build().await);
    let first = provider
        .provide_credentials()
        .await
        .and_then(usable)
        .map_err(|error| CollectError::AssumeRoleFailed {
            role_arn: role.role_arn.clone(),
            cause: one_line(&error),
            source: error.into(),
        })?;
    Ok(prefetched(config.clone(), first, provider))
}

/// What it means that there are no credentials.
pub(super) fn classify(error: CredentialsError, profile: Option<&NamedProfile>) -> CollectError {
    let cause = one_line(&error);
    match (&error, profile) {
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
        // The last resort of the chain. That it fails says only that nothing before it had credentials.
        (_, None) if is_from_instance_metadata(&error) => CollectError::NoCredentials {
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

fn is_from_instance_metadata(error: &CredentialsError) -> bool {
    matches!(error.source(), Some(source) if source.is::<ImdsError>())
}

#[cfg(test)]
mod tests {
    use super::*;

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
