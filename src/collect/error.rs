//! Why nothing could be collected at all. What fails later and only in part becomes a gap instead (see [`super::failure`]).

use std::error::Error;
use std::path::PathBuf;

use super::journal::JournalError;
use crate::arn::Arn;

/// The source of an error, kept for `-v`.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// Why an account could not be collected. Each message is one line and ends with what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// A setting of the environment or of the profile is not what it may be.
    #[error("{place} is {}; write {takes}, or take it out", shown(value.as_deref(), takes))]
    InvalidSetting {
        /// The variable, or the key with its profile, in words.
        place: String,
        /// The value; none for one that cannot be shown.
        value: Option<String>,
        /// What it may be.
        takes: String,
    },
    /// A proxy that cannot be spoken to. The value may hold a password and is not shown.
    #[error(
        "`{variable}` names no proxy that can be used; write `http://HOST:PORT`, or unset it (other kinds, such as SOCKS, do not work)"
    )]
    InvalidProxy {
        /// The variable.
        variable: String,
    },
    /// `--endpoint-url` is not a URL.
    #[error("`{url}` is not an endpoint URL; write it as `http://HOST:PORT` or `https://HOST`")]
    InvalidEndpoint {
        /// The URL given.
        url: String,
    },
    /// `AWS_CA_BUNDLE` cannot be used.
    #[error("the CA bundle `{}` cannot be used: {cause}; point `AWS_CA_BUNDLE` to a file of PEM certificates, or unset it", path.display())]
    InvalidCaBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The AWS config files cannot be read.
    #[error(
        "the AWS config files cannot be read: {cause}; correct `~/.aws/config` or `~/.aws/credentials`"
    )]
    InvalidConfigFile {
        /// What is wrong with them.
        cause: String,
        /// The error under it.
        #[source]
        source: Option<Cause>,
    },
    /// The profile asked for exists in no config file.
    #[error("there is no profile `{name}`; {}", known_profiles(existing))]
    UnknownProfile {
        /// The name given.
        name: String,
        /// The profiles that exist, nearest name first.
        existing: Vec<String>,
    },
    /// No provider had any credentials.
    #[error(
        "no AWS credentials were found; run `aws configure` or `aws sso login --profile NAME`, or choose a profile with `--profile NAME`"
    )]
    NoCredentials {
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// The profile asked for has no credentials.
    #[error(
        "the profile `{profile}` gives no AWS credentials: {cause}; check it in `~/.aws/config`, or run `aws sso login --profile {profile}`"
    )]
    NoCredentialsInProfile {
        /// The profile.
        profile: String,
        /// What is missing.
        cause: String,
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// The role of the profile asks for a second factor, and nobody is there to give one.
    #[error(
        "the profile `{profile}` needs an MFA code, which is asked for on a terminal only; elsewhere start a session first: `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`, then run without `--profile`"
    )]
    MfaRequired {
        /// The profile.
        profile: String,
    },
    /// Nobody gave a code.
    #[error("no MFA code was given; run again and type the six digits that the device shows")]
    NoMfaCode,
    /// A role could not be assumed with the code.
    #[error(
        "cannot assume the role `{role_arn}` with this MFA code: {cause}; wait for the next code, since each is good once, and check `mfa_serial` and the trust policy of the role"
    )]
    MfaRefused {
        /// The role.
        role_arn: String,
        /// What went wrong.
        cause: String,
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// A role of a chain with a second factor in it could not be assumed, for another reason than the code.
    #[error(
        "cannot assume the role `{role_arn}` of the profile `{profile}`: {cause}; check its trust policy, and `external_id` in the profile"
    )]
    RoleOfProfileRefused {
        /// The role.
        role_arn: String,
        /// The profile.
        profile: String,
        /// What went wrong.
        cause: String,
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// The session that a code opened is over.
    #[error(
        "the session that the MFA code opened has ended; repeat the scan, with a longer `duration_seconds` in the profile"
    )]
    MfaSessionEnded,
    /// The credentials are configured in a way that cannot work.
    #[error(
        "the AWS credentials are not configured correctly: {cause}; check the profile in `~/.aws/config`, or run `aws sso login --profile NAME` if it uses single sign-on"
    )]
    InvalidCredentialsConfig {
        /// What is wrong with them.
        cause: String,
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// The credentials provider failed.
    #[error(
        "the AWS credentials could not be loaded: {cause}; log in again, for example with `aws sso login --profile NAME`, or choose another profile with `--profile NAME`"
    )]
    CredentialsFailed {
        /// What went wrong.
        cause: String,
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// The role of `--assume-role` could not be assumed.
    #[error(
        "cannot assume the role `{role_arn}`: {cause}; check its trust policy, `--external-id`, and that you are allowed `sts:AssumeRole`"
    )]
    AssumeRoleFailed {
        /// The role.
        role_arn: String,
        /// What went wrong.
        cause: String,
        /// The error of the SDK.
        #[source]
        source: Cause,
    },
    /// The credentials were valid once.
    #[error(
        "the AWS credentials have expired (`{code}`); log in again, for example with `aws sso login --profile NAME`"
    )]
    ExpiredCredentials {
        /// The error code.
        code: String,
    },
    /// AWS does not accept the credentials.
    #[error(
        "AWS rejected the credentials (`{code}`); check the keys and the clock of this machine, and outside the commercial regions give `--region`"
    )]
    RejectedCredentials {
        /// The error code.
        code: String,
    },
    /// AWS cannot be reached.
    #[error(
        "cannot reach {endpoint} ({service}, {region}): {cause}; check the network, the proxy settings, the region and `--endpoint-url`"
    )]
    Unreachable {
        /// The endpoint configured, or the words for the public one.
        endpoint: String,
        /// The service called.
        service: String,
        /// The region called.
        region: String,
        /// What went wrong.
        cause: String,
    },
    /// `GetCallerIdentity` failed for another reason.
    #[error(
        "AWS did not say whose credentials these are (`{code}`): {cause}; try `aws sts get-caller-identity`"
    )]
    UnknownCaller {
        /// The error code, or a word for what failed.
        code: String,
        /// What went wrong.
        cause: String,
    },
    /// A region was named that AWS does not have.
    #[error("there is no region `{region}` in this account's partition; did you mean `{nearest}`?")]
    UnknownRegion {
        /// The name given.
        region: String,
        /// The nearest existing name, or one for the form.
        nearest: String,
    },
    /// A region was named that the account has not enabled.
    #[error(
        "the region `{region}` is not enabled in this account; enable it (`aws account enable-region --region-name {region}`) or leave it out"
    )]
    RegionNotEnabled {
        /// The name given.
        region: String,
    },
    /// Every region was excluded.
    #[error("no region is left to scan; take back an `--exclude-region`")]
    NoRegionLeft,
    /// The scan was stopped before anything was read.
    #[error("stopped before anything was read; run it again")]
    Interrupted,
    /// What is read cannot be kept, or what an earlier scan kept cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Everything after the caller's identity was refused.
    #[error(
        "`{caller}` may read nothing in this account; attach the policy that `patscan iam-policy` prints"
    )]
    NoPermission {
        /// The caller, as STS names it.
        caller: Arn,
    },
}

fn shown(value: Option<&str>, takes: &str) -> String {
    match value {
        Some(value) => format!("`{value}`"),
        None => format!("not {takes}"),
    }
}

fn known_profiles(existing: &[String]) -> String {
    const SHOWN: usize = 10;
    if existing.is_empty() {
        return "none is configured: run `aws configure`".to_owned();
    }
    let shown: Vec<_> = existing
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = existing.len().saturating_sub(SHOWN);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("choose one of {}{rest}", shown.join(", "))
}

/// An error and its sources as one line; a source that only repeats what was said is left out, and what is long (some errors
/// of the SDK print a whole request) is cut.
pub(super) fn one_line(error: &(dyn Error + 'static)) -> String {
    const LONGEST: usize = 200;
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let text: String = text.trim_end_matches('.').chars().take(LONGEST).collect();
        // Some errors of the SDK print the request that they are about; it says nothing to people.
        let is_dump = text.contains("SdkBody");
        if !is_dump && !text.is_empty() && !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}
