//! Roles of profiles that ask for a second factor (`mfa_serial`), which the SDK would assume without one.
//!
//! As in the AWS CLI: the code is asked for on the terminal, once for each role, and goes to `sts:AssumeRole` with the
//! credentials that the profile before it in the chain gives. Away from a terminal nobody could answer, and nothing is
//! called. A code is good once, so the session that it opens is kept for as long as the process runs; when it has ended, no
//! second code is asked for in the middle of a scan.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::{Profile, ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::Client;

use super::credentials::{NamedProfile, SESSION_NAME, classify, usable};
use super::environment::key_of_profile;
use super::error::{CollectError, one_line};
use crate::report::sanitise;

/// How often somebody may mistype what has not even the shape of a code.
const TRIES: usize = 3;
/// What AWS lets a session last, in seconds.
const DURATIONS: std::ops::RangeInclusive<i32> = 900..=43_200;

/// A role that a profile assumes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    profile: String,
    role_arn: String,
    serial: Option<String>,
    external_id: Option<String>,
    session_name: Option<String>,
    seconds: Option<i32>,
}

/// Where the credentials come from that assume the first role.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// Another profile, as the SDK reads it.
    Profile(String),
    /// Keys that stand beside the role, or in a profile that has a role as well: the keys win then.
    Keys(Credentials),
    Environment,
    InstanceMetadata,
    Container,
}

/// How a profile comes by its credentials where a second factor takes part: the roles in the order in which they are assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    source: Source,
    hops: Vec<Hop>,
}

impl Chain {
    /// The chain of the selected profile; none where no second factor takes part, or where the chain is broken, which the SDK
    /// has words for.
    ///
    /// # Errors
    /// [`CollectError::InvalidSetting`] for a `duration_seconds` that no session can have.
    pub(super) fn of(profiles: &ProfileSet) -> Result<Option<Self>, CollectError> {
        let mut hops: Vec<Hop> = Vec::new();
        let mut name = profiles.selected_profile();
        let source = loop {
            let Some(profile) = profiles.get_profile(name) else {
                return Ok(None);
            };
            if hops.iter().any(|hop| hop.profile == name) {
                return Ok(None);
            }
            if let Some(keys) = keys(profile).filter(|_| !hops.is_empty()) {
                break Source::Keys(keys);
            }
            let Some(hop) = Hop::of(profile)? else {
                break Source::Profile(name.to_owned());
            };
            hops.push(hop);
            let own_source = profile.get("credential_source");
            match (profile.get("source_profile"), own_source) {
                (Some(own), None) if own == name => match keys(profile) {
                    Some(keys) => break Source::Keys(keys),
                    None => return Ok(None),
                },
                (Some(next), None) => name = next,
                (None, Some(word)) => match Source::named(word) {
                    Some(source) => break source,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            }
        };
        hops.reverse();
        let asks = hops.iter().any(|hop| hop.serial.is_some());
        Ok(asks.then_some(Self { source, hops }))
    }
}

impl Hop {
    /// The role of a profile. Where a token file stands beside it, the SDK takes the token and needs nobody's credentials.
    fn of(profile: &Profile) -> Result<Option<Self>, CollectError> {
        let text = |key: &str| profile.get(key).map(str::to_owned);
        if text("web_identity_token_file").is_some() {
            return Ok(None);
        }
        let Some(role_arn) = text("role_arn") else {
            return Ok(None);
        };
        let seconds = match text("duration_seconds") {
            None => None,
            Some(value) => Some(
                value
                    .trim()
                    .parse()
                    .ok()
                    .filter(|seconds| DURATIONS.contains(seconds))
                    .ok_or_else(|| CollectError::InvalidSetting {
                        place: key_of_profile("duration_seconds", profile.name()),
                        value: Some(value),
                        takes: "a number of seconds from 900 to 43200".to_owned(),
                    })?,
            ),
        };
        Ok(Some(Self {
            profile: profile.name().to_owned(),
            role_arn,
            serial: text("mfa_serial").filter(|serial| !serial.is_empty()),
            external_id: text("external_id"),
            session_name: text("role_session_name"),
            seconds,
        }))
    }

    /// A session of the role, opened with the credentials before it and the code, if one is asked for.
    async fn assume(
        &self,
        config: &SdkConfig,
        before: Credentials,
        code: Option<String>,
    ) -> Result<Credentials, CollectError> {
        // How credentials were come by, as the SDK marks them where it assumes the role itself.
        let mut steps = before
            .get_property::<Vec<AwsCredentialFeature>>()
            .cloned()
            .unwrap_or_default();
        steps.push(AwsCredentialFeature::CredentialsProfile);
        steps.push(AwsCredentialFeature::CredentialsStsAssumeRole);
        let config = config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(before))
            .build();
        let has_code = code.is_some();
        let answer = Client::new(&config)
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(self.session_name.as_deref().unwrap_or(SESSION_NAME))
            .set_external_id(self.external_id.clone())
            .set_duration_seconds(self.seconds)
            .set_serial_number(self.serial.clone().filter(|_| has_code))
            .set_token_code(code)
            .send()
            .await
            .map_err(|error| self.refused(has_code, one_line(&error), error.into()))?;
        let session = answer.credentials.ok_or_else(|| {
            let none = CredentialsError::unhandled("the answer holds no credentials");
            self.refused(has_code, one_line(&none), none.into())
        })?;
        let ends = SystemTime::try_from(session.expiration).ok();
        let mut credentials = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            ends,
            "patscan",
        );
        credentials.set_property(steps);
        Ok(credentials)
    }

    fn refused(&self, has_code: bool, cause: String, source: super::Cause) -> CollectError {
        if has_code {
            CollectError::MfaRefused {
                role_arn: self.role_arn.clone(),
                cause,
                source,
            }
        } else {
            CollectError::RoleOfProfileRefused {
                role_arn: self.role_arn.clone(),
                profile: self.profile.clone(),
                cause,
                source,
            }
        }
    }
}

impl Source {
    fn named(word: &str) -> Option<Self> {
        [
            ("Environment", Self::Environment),
            ("Ec2InstanceMetadata", Self::InstanceMetadata),
            ("EcsContainer", Self::Container),
        ]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, source)| source)
    }

    fn provider(&self, settings: &ProviderConfig) -> SharedCredentialsProvider {
        match self {
            Self::Profile(name) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .configure(settings)
                    .profile_name(name)
                    .build(),
            ),
            Self::Keys(keys) => SharedCredentialsProvider::new(keys.clone()),
            Self::Environment => {
                SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
            }
            Self::InstanceMetadata => SharedCredentialsProvider::new(
                ImdsCredentialsProvider::builder()
                    .configure(settings)
                    .build(),
            ),
            Self::Container => SharedCredentialsProvider::new(
                EcsCredentialsProvider::builder()
                    .configure(settings)
                    .build(),
            ),
        }
    }
}

fn keys(profile: &Profile) -> Option<Credentials> {
    Some(Credentials::new(
        profile.get("aws_access_key_id")?,
        profile.get("aws_secret_access_key")?,
        profile.get("aws_session_token").map(str::to_owned),
        None,
        "profile",
    ))
}

/// The roles of a chain, assumed one after the other.
#[derive(Debug)]
struct Assumed {
    config: SdkConfig,
    source: SharedCredentialsProvider,
    chain: Chain,
}

/// Sessions that a code opened, each with the roles on the way to it: what reads an account and what publishes about it need
/// the same one.
static OPENED: Mutex<Vec<(Source, Vec<Hop>, Credentials)>> = Mutex::new(Vec::new());

/// The provider of a chain, and its first credentials: codes are asked for here and nowhere else.
///
/// # Errors
/// [`CollectError::MfaRequired`] away from a terminal; what the terminal or AWS refuses otherwise.
pub(super) async fn open(
    chain: Chain,
    config: &SdkConfig,
    settings: &ProviderConfig,
    profile: &NamedProfile,
) -> Result<(Credentials, SharedCredentialsProvider), CollectError> {
    let source = chain.source.provider(settings);
    let provider = Assumed {
        config: config.clone(),
        source,
        chain,
    };
    let first = provider.sessions(Some(profile)).await?;
    Ok((first, SharedCredentialsProvider::new(provider)))
}

impl Assumed {
    /// A session of the last role. Without a profile to name, no code is asked for.
    async fn sessions(&self, asking: Option<&NamedProfile>) -> Result<Credentials, CollectError> {
        let (mut credentials, done) = match self.opened() {
            Some((credentials, done)) => (Some(credentials), done),
            None => (None, 0),
        };
        let rest = self.chain.hops.get(done..).unwrap_or_default();
        if rest.iter().any(|hop| hop.serial.is_some()) {
            match asking {
                None => return Err(CollectError::MfaSessionEnded),
                Some(profile) if !is_answerable() => {
                    return Err(CollectError::MfaRequired {
                        profile: profile.name.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        for (index, hop) in rest.iter().enumerate() {
            let before = match credentials.take() {
                Some(credentials) => credentials,
                None => self
                    .source
                    .provide_credentials()
                    .await
                    .and_then(usable)
                    .map_err(|error| classify(error, asking))?,
            };
            let code = match &hop.serial {
                Some(serial) => Some(code_for(serial).await?),
                None => None,
            };
            let has_code = code.is_some();
            let session = hop.assume(&self.config, before, code).await?;
            if has_code {
                self.keep(done + index + 1, session.clone());
            }
            credentials = Some(session);
        }
        credentials.ok_or(CollectError::MfaSessionEnded)
    }

    /// The session furthest along the chain that a code has opened and that lasts, and how many roles it is made of.
    fn opened(&self) -> Option<(Credentials, usize)> {
        let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        opened
            .iter()
            .filter(|(source, hops, credentials)| {
                *source == self.chain.source
                    && self.chain.hops.starts_with(hops)
                    && credentials
                        .expiry()
                        .is_none_or(|end| end > SystemTime::now())
            })
            .max_by_key(|(_, hops, _)| hops.len())
            .map(|(_, hops, credentials)| (credentials.clone(), hops.len()))
    }

    fn keep(&self, hops: usize, session: Credentials) {
        let hops = self.chain.hops.get(..hops).unwrap_or_default().to_vec();
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|(source, others, _)| *source != self.chain.source || *others != hops);
        opened.push((self.chain.source.clone(), hops, session));
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let again: provider::Result = self
                .sessions(None)
                .await
                .map_err(CredentialsError::provider_error);
            again
        })
    }
}

/// Whether somebody can be asked and can answer.
fn is_answerable() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for the code of a device. On a thread of its own, so that whoever gives up waiting does not wait for the answer.
async fn code_for(serial: &str) -> Result<String, CollectError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let serial = serial.to_owned();
    std::thread::spawn(move || {
        // Nobody listens any more when the scan was given up.
        let _ = tell.send(ask(&serial));
    });
    told.await.ok().flatten().ok_or(CollectError::NoMfaCode)
}

fn ask(serial: &str) -> Option<String> {
    for _ in 0..TRIES {
        let mut stderr = io::stderr().lock();
        write!(stderr, "MFA code for {}: ", sanitise(serial)).ok()?;
        stderr.flush().ok()?;
        drop(stderr);
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).ok()? == 0 {
            // The end of input has left the cursor behind the question.
            let _ = writeln!(io::stderr());
            return None;
        }
        let code = line.trim();
        if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(code.to_owned());
        }
        writeln!(io::stderr(), "An MFA code has six digits.").ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use aws_runtime::env_config::file::EnvConfigFiles;
    use aws_types::os_shim_internal::{Env, Fs};

    use super::*;

    async fn chain_of(profile: &str, config: &str) -> Result<Option<Chain>, CollectError> {
        let fs = Fs::from_slice(&[("/config", config)]);
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "/config")]);
        let selected = Some(profile.to_owned().into());
        let profiles = aws_config::profile::load(&fs, &env, &EnvConfigFiles::default(), selected)
            .await
            .unwrap();
        Chain::of(&profiles)
    }

    const ROLE: &str = "role_arn = arn:aws:iam::111122223333:role/audit";
    const DEVICE: &str = "mfa_serial = arn:aws:iam::111122223333:mfa/me";
    const KEYS: &str = "aws_access_key_id = AKID\naws_secret_access_key = secret";

    #[tokio::test]
    async fn a_chain_is_read_from_its_end_and_keeps_what_each_role_asks_for() {
        let config = format!(
            "[profile last]\n{ROLE}2\nsource_profile = first\nexternal_id = x\n\
             [profile first]\n{ROLE}1\n{DEVICE}\nsource_profile = me\nduration_seconds = 7200\nrole_session_name = n\n\
             [profile me]\n{KEYS}\n"
        );
        let chain = chain_of("last", &config).await.unwrap().unwrap();
        assert!(matches!(chain.source, Source::Keys(_)));
        let [first, last] = chain.hops.as_slice() else {
            panic!("{chain:?}");
        };
        assert_eq!(first.seconds, Some(7200));
        assert_eq!(first.session_name.as_deref(), Some("n"));
        assert!(first.serial.is_some() && last.serial.is_none());
        assert_eq!(last.external_id.as_deref(), Some("x"));
        assert!(last.role_arn.ends_with('2'));
    }

    #[tokio::test]
    async fn without_a_second_factor_in_it_a_chain_is_left_to_the_sdk() {
        let config = format!(
            "[profile role]\n{ROLE}\nsource_profile = me\n\
             [profile me]\n{KEYS}\n{DEVICE}\n\
             [profile token]\n{ROLE}\n{DEVICE}\nweb_identity_token_file = /token\n\
             [profile loop]\n{ROLE}\n{DEVICE}\nsource_profile = pool\n[profile pool]\n{ROLE}\nsource_profile = loop\n\
             [profile both]\n{ROLE}\n{DEVICE}\nsource_profile = me\ncredential_source = Environment\n\
             [profile odd]\n{ROLE}\n{DEVICE}\ncredential_source = Elsewhere\n"
        );
        for profile in ["role", "me", "token", "loop", "both", "odd"] {
            assert_eq!(chain_of(profile, &config).await.unwrap(), None, "{profile}");
        }
    }

    #[tokio::test]
    async fn a_source_may_be_keys_beside_the_role_or_a_named_one() {
        let config = format!(
            "[profile own]\n{ROLE}\n{DEVICE}\n{KEYS}\nsource_profile = own\n\
             [profile sourced]\n{ROLE}\n{DEVICE}\ncredential_source = ecscontainer\n\
             [profile sso]\n{ROLE}\n{DEVICE}\nsource_profile = people\n[profile people]\nsso_session = s\n"
        );
        for (profile, expected) in [
            ("own", None),
            ("sourced", Some(Source::Container)),
            ("sso", Some(Source::Profile("people".to_owned()))),
        ] {
            let chain = chain_of(profile, &config).await.unwrap().unwrap();
            match expected {
                None => assert!(matches!(chain.source, Source::Keys(_))),
                Some(expected) => assert_eq!(chain.source, expected),
            }
        }
    }

    #[tokio::test]
    async fn a_duration_that_no_session_has_is_an_error() {
        for seconds in ["0", "899", "43201", "-900", "1h", "99999999999"] {
            let config = format!(
                "[profile r]\n{ROLE}\n{DEVICE}\nsource_profile = me\nduration_seconds = {seconds}\n[profile me]\n{KEYS}\n"
            );
            let error = chain_of("r", &config).await.unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "`duration_seconds` of the profile `r` is `{seconds}`; write a number of seconds from 900 to 43200, or take it out"
                )
            );
        }
    }
}
