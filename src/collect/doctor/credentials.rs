//! Which credentials are used, and how they were come by; never what is secret of them.

use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use chrono::{DateTime, Utc};

use super::ATTEMPTS;
use crate::arn::Arn;
use crate::collect::Options;
use crate::collect::error::{CollectError, one_line};
use crate::collect::session::Session;

/// The shortest id of which both ends can be shown without showing most of it.
const LONG_ENOUGH: usize = 16;
const SHOWN: usize = 4;
const ENVIRONMENT: &str = "keys in the environment";

/// Credentials as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The access key id, without its middle.
    pub access_key: String,
    /// How they were come by, from the first source to the last step; empty when the provider does not say.
    pub origin: Vec<String>,
    /// When they end; none when they do not, or do not say.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The session with credentials that are not asked for a second time, and these credentials.
pub(super) async fn held(
    session: Session,
    options: &Options,
) -> Result<(Session, Held), CollectError> {
    let provider = session.global().credentials_provider();
    let provider = provider.ok_or_else(|| CollectError::NoCredentials {
        source: "no provider of credentials is configured".into(),
    })?;
    // What `Session::open` resolved a moment ago.
    let credentials =
        provider
            .provide_credentials()
            .await
            .map_err(|error| CollectError::CredentialsFailed {
                cause: one_line(&error),
                source: error.into(),
            })?;
    let held = Held {
        access_key: shortened(credentials.access_key_id()),
        origin: origin(&credentials, options),
        expires_at: credentials.expiry().map(DateTime::<Utc>::from),
    };
    let session = session.with(|config| {
        let retry = config.retry_config().cloned();
        let retry = retry.unwrap_or_else(RetryConfig::standard);
        config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retry.with_max_attempts(ATTEMPTS))
            .build()
    });
    Ok((session, held))
}

impl Held {
    /// The SDK marks no role that it assumed for a profile, and keys can be those of a session from elsewhere: whose session it is
    /// tells the caller.
    pub(super) fn completed_by(&mut self, caller: &Arn) {
        let steps = &self.origin;
        let is_bare = steps
            .iter()
            .all(|step| step.starts_with("profile ") || step == ENVIRONMENT);
        let session = caller.resource().strip_prefix("assumed-role/");
        if let Some(role) = session.and_then(|session| session.split('/').next())
            && is_bare
        {
            self.origin.push(format!("a session of role {role}"));
        }
    }
}

fn shortened(id: &str) -> String {
    let letters: Vec<char> = id.chars().collect();
    let head: String = letters.iter().take(SHOWN).collect();
    if letters.len() < LONG_ENOUGH {
        return format!("{head}…");
    }
    let tail: String = letters
        .iter()
        .skip(letters.len().saturating_sub(SHOWN))
        .collect();
    format!("{head}…{tail}")
}

/// The SDK marks credentials with every step that led to them, the last first or last as it comes: what it says is put in the
/// order in which it happens.
fn origin(credentials: &Credentials, options: &Options) -> Vec<String> {
    use AwsCredentialFeature as Step;

    let steps: &[Step] = credentials
        .get_property::<Vec<Step>>()
        .map_or(&[], Vec::as_slice);
    let any = |wanted: &[Step]| steps.iter().any(|step| wanted.contains(step));
    let mut origin = Vec::new();
    let from_profile = any(&[
        Step::CredentialsProfile,
        Step::CredentialsProfileSourceProfile,
        Step::CredentialsProfileNamedProvider,
        Step::CredentialsProfileStsWebIdToken,
        Step::CredentialsProfileSso,
        Step::CredentialsProfileProcess,
        Step::CredentialsProfileLogin,
    ]) && !any(&[Step::CredentialsEnvVarsStsWebIdToken]);
    if from_profile {
        let variable = std::env::var("AWS_PROFILE").ok();
        let name = options.profile.clone().or(variable);
        let name = name.filter(|name| !name.is_empty());
        origin.push(format!("profile {}", name.as_deref().unwrap_or("default")));
    }
    let words: [(&[Step], &str); 9] = [
        (&[Step::CredentialsEnvVars], ENVIRONMENT),
        (
            &[Step::CredentialsSso, Step::CredentialsProfileSso],
            "single sign-on",
        ),
        (
            &[Step::CredentialsLogin, Step::CredentialsProfileLogin],
            "aws login",
        ),
        (
            &[Step::CredentialsProcess, Step::CredentialsProfileProcess],
            "credential_process",
        ),
        (&[Step::CredentialsHttp], "the container"),
        (&[Step::CredentialsImds], "instance metadata"),
        (
            &[
                Step::CredentialsStsAssumeRoleWebId,
                Step::CredentialsProfileStsWebIdToken,
                Step::CredentialsEnvVarsStsWebIdToken,
            ],
            "a web identity",
        ),
        (&[Step::CredentialsStsSessionToken], "a session token"),
        (&[Step::CredentialsStsAssumeRole], "an assumed role"),
    ];
    let named = words.iter().filter(|(steps, _)| any(steps));
    origin.extend(named.map(|(_, word)| (*word).to_owned()));
    if let Some(role) = &options.assume_role {
        origin.retain(|word| word != "an assumed role");
        origin.push(format!("assumed role {}", role.role_arn));
    }
    origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(steps: Vec<AwsCredentialFeature>, profile: Option<&str>) -> Vec<String> {
        let mut credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "t");
        credentials.set_property(steps);
        let options = Options {
            profile: profile.map(str::to_owned),
            ..Options::default()
        };
        origin(&credentials, &options)
    }

    #[test]
    fn the_way_to_credentials_is_told_in_the_order_of_its_steps() {
        use AwsCredentialFeature as Step;

        assert_eq!(
            of(vec![Step::CredentialsEnvVars], None),
            ["keys in the environment"]
        );
        assert_eq!(
            of(
                vec![
                    Step::CredentialsStsAssumeRole,
                    Step::CredentialsSso,
                    Step::CredentialsProfile
                ],
                Some("audit")
            ),
            ["profile audit", "single sign-on", "an assumed role"]
        );
        assert_eq!(of(vec![Step::CredentialsImds], None), ["instance metadata"]);
        assert!(of(Vec::new(), None).is_empty());
    }

    #[test]
    fn of_an_access_key_only_the_ends_are_shown() {
        assert_eq!(shortened("AKIAIOSFODNN7EXAMPLE"), "AKIA…MPLE");
        assert_eq!(shortened("AKIDEXAMPLE"), "AKID…");
        assert_eq!(shortened("ü"), "ü…");
    }
}
