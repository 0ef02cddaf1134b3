//! Settings of the environment and of the profile that must be right before the SDK reads them.
//!
//! What it cannot use the SDK passes over with a line in a log that nobody sees (`AWS_USE_FIPS_ENDPOINT=ture` would be no
//! FIPS), or it panics. Here each is an error that says where the value stands and what it may be. Settings that only the
//! other SDKs have are checked where a wrong one can be told, and mean nothing beyond that.

use std::env::VarError;

use aws_config::SdkConfig;
use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::Env;
use aws_types::service_config::ServiceConfigKey;

use super::error::CollectError;

/// A setting: its variable, its key in a profile, and what it takes.
struct Setting {
    variable: &'static str,
    key: Option<&'static str>,
    takes: Takes,
}

/// What a setting takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Any text; where it is used it is looked at.
    Text,
    /// One word of visible ASCII characters, as it goes into a header: with another in it the SDK panics, or refuses every call.
    Plain,
    /// The same, never to be shown.
    Secret,
    /// The path of a URL.
    Path,
    /// One of these words, in any letter case.
    Word(&'static [&'static str]),
    /// A whole number from 1 on.
    Number,
    /// The URL of an endpoint.
    Endpoint,
}

const SWITCH: Takes = Takes::Word(&["true", "false"]);

impl Setting {
    const fn variable(variable: &'static str, takes: Takes) -> Self {
        Self {
            variable,
            key: None,
            takes,
        }
    }

    const fn new(variable: &'static str, key: &'static str, takes: Takes) -> Self {
        Self {
            variable,
            key: Some(key),
            takes,
        }
    }
}

const MAX_ATTEMPTS: Setting = Setting::new("AWS_MAX_ATTEMPTS", "max_attempts", Takes::Number);

const SETTINGS: &[Setting] = &[
    MAX_ATTEMPTS,
    Setting::new(
        "AWS_RETRY_MODE",
        "retry_mode",
        Takes::Word(&["standard", "adaptive", "legacy"]),
    ),
    Setting::new(
        "AWS_DEFAULTS_MODE",
        "defaults_mode",
        Takes::Word(&[
            "standard",
            "in-region",
            "cross-region",
            "mobile",
            "auto",
            "legacy",
        ]),
    ),
    Setting::new("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", SWITCH),
    Setting::new(
        "AWS_USE_DUALSTACK_ENDPOINT",
        "use_dualstack_endpoint",
        SWITCH,
    ),
    Setting::new(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "ignore_configured_endpoint_urls",
        SWITCH,
    ),
    Setting::new(
        "AWS_STS_REGIONAL_ENDPOINTS",
        "sts_regional_endpoints",
        Takes::Word(&["regional", "legacy"]),
    ),
    Setting::variable("AWS_EC2_METADATA_DISABLED", SWITCH),
    Setting::new(
        "AWS_EC2_METADATA_V1_DISABLED",
        "ec2_metadata_v1_disabled",
        SWITCH,
    ),
    Setting::new(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "ec2_metadata_service_endpoint",
        Takes::Endpoint,
    ),
    Setting::new(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "ec2_metadata_service_endpoint_mode",
        Takes::Word(&["IPv4", "IPv6"]),
    ),
    Setting::new("AWS_ENDPOINT_URL", "endpoint_url", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_APIGATEWAYV2", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_API_GATEWAY", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_AUTO_SCALING", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_EC2", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_ECS", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_EKS", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_EVENTBRIDGE", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_GLUE", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_IAM", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_IOT", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_KMS", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_LAMBDA", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_ORGANIZATIONS", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_PIPES", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_S3", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SCHEDULER", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SECURITYHUB", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SFN", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SIGNIN", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SNS", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SQS", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SSO", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_SSO_OIDC", Takes::Endpoint),
    Setting::variable("AWS_ENDPOINT_URL_STS", Takes::Endpoint),
    Setting::variable("AWS_PROFILE", Takes::Text),
    Setting::new("AWS_REGION", "region", Takes::Text),
    Setting::variable("AWS_DEFAULT_REGION", Takes::Text),
    Setting::variable("AWS_CA_BUNDLE", Takes::Text),
    Setting::variable("AWS_CONFIG_FILE", Takes::Text),
    Setting::variable("AWS_SHARED_CREDENTIALS_FILE", Takes::Text),
    Setting::variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Takes::Path),
    Setting::variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", Takes::Endpoint),
    Setting::variable("AWS_EXECUTION_ENV", Takes::Plain),
    Setting::new("AWS_SDK_UA_APP_ID", "sdk_ua_app_id", Takes::Plain),
    Setting::variable("AWS_ROLE_ARN", Takes::Text),
    Setting::variable("AWS_WEB_IDENTITY_TOKEN_FILE", Takes::Text),
    Setting::variable("AWS_ACCESS_KEY_ID", Takes::Secret),
    Setting::variable("AWS_SECRET_ACCESS_KEY", Takes::Secret),
    Setting::variable("AWS_SESSION_TOKEN", Takes::Secret),
];

/// The variables that name a proxy; of each pair the first that is set counts.
const PROXIES: [[&str; 2]; 3] = [
    ["HTTPS_PROXY", "https_proxy"],
    ["HTTP_PROXY", "http_proxy"],
    ["ALL_PROXY", "all_proxy"],
];

/// The value of a variable that is set to something.
pub(super) fn non_empty(env: &Env, name: &str) -> Option<String> {
    env.get(name).ok().filter(|value| !value.is_empty())
}

/// Checks the variables, which count before any file is read.
///
/// # Errors
/// [`CollectError::InvalidSetting`] for the first that is wrong, [`CollectError::InvalidProxy`] for a proxy.
pub(super) fn check_variables(env: &Env) -> Result<(), CollectError> {
    for setting in SETTINGS {
        let place = || format!("`{}`", setting.variable);
        match env.get(setting.variable) {
            // An empty variable is as good as none; but an empty endpoint the SDK would take.
            Ok(value) if !value.is_empty() || matches!(setting.takes, Takes::Endpoint) => {
                setting.takes.check(&value, place)?;
            }
            Err(VarError::NotUnicode(_)) => {
                return Err(CollectError::InvalidSetting {
                    place: place(),
                    value: None,
                    takes: "text (UTF-8)".to_owned(),
                });
            }
            Ok(_) | Err(VarError::NotPresent) => {}
        }
    }
    check_proxies(env)
}

/// Checks the proxies, which count for what is no call to AWS as well.
///
/// # Errors
/// [`CollectError::InvalidProxy`] for the first that cannot be used.
pub(super) fn check_proxies(env: &Env) -> Result<(), CollectError> {
    for pair in PROXIES {
        let set = pair.iter().find(|name| non_empty(env, name).is_some());
        if let Some(name) = set
            && !non_empty(env, name).is_some_and(|value| is_proxy(&value))
        {
            return Err(CollectError::InvalidProxy {
                variable: (*name).to_owned(),
            });
        }
    }
    Ok(())
}

/// Checks the settings of the profile that is used, and the access keys of those that its credentials come from.
///
/// # Errors
/// [`CollectError::InvalidSetting`] for the first that is wrong.
pub(super) fn check_profile(profiles: &ProfileSet) -> Result<(), CollectError> {
    let mut looked_at: Vec<&str> = Vec::new();
    let mut next = Some(profiles.selected_profile());
    while let Some(name) = next.filter(|name| !looked_at.contains(name)) {
        looked_at.push(name);
        let profile = profiles.get_profile(name);
        next = profile.and_then(|profile| profile.get("source_profile"));
        for key in [
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
        ] {
            let value = profile.and_then(|profile| profile.get(key));
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                Takes::Secret.check(value, || key_of_profile(key, name))?;
            }
        }
    }
    for setting in SETTINGS {
        let value = setting.key.and_then(|key| Some((key, profiles.get(key)?)));
        if let Some((key, value)) = value.filter(|(_, value)| !value.is_empty()) {
            setting
                .takes
                .check(value, || key_of_profile(key, profiles.selected_profile()))?;
        }
    }
    Ok(())
}

/// The endpoints that a profile sets for single services, which the SDK would take unread.
///
/// # Errors
/// [`CollectError::InvalidSetting`] for the first that is wrong.
pub(super) fn check_services(config: &SdkConfig) -> Result<(), CollectError> {
    for service in SERVICES {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let url = key.ok().and_then(|key| {
            let config = config.service_config()?;
            config.load_config(key)
        });
        if let Some(url) = url.filter(|url| !is_endpoint(url)) {
            return Err(CollectError::InvalidSetting {
                place: format!("`endpoint_url` of `{service}` in the AWS config file"),
                value: Some(url),
                takes: "`http://HOST:PORT` or `https://HOST`".to_owned(),
            });
        }
    }
    Ok(())
}

/// Where a key of a profile stands, in words.
pub(super) fn key_of_profile(key: &str, profile: &str) -> String {
    format!("`{key}` of the profile `{profile}`")
}

/// What a switch says, where it is set.
pub(super) fn switch(env: &Env, profiles: &ProfileSet, variable: &str) -> Option<bool> {
    let key = SETTINGS
        .iter()
        .find(|setting| setting.variable == variable)
        .and_then(|setting| setting.key);
    let value = non_empty(env, variable)
        .or_else(|| key.and_then(|key| profiles.get(key)).map(str::to_owned))?;
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        value.eq_ignore_ascii_case("false").then_some(false)
    }
}

/// How often a call is tried, where somebody says so.
pub(super) fn max_attempts(env: &Env, profiles: &ProfileSet) -> Option<u32> {
    non_empty(env, MAX_ATTEMPTS.variable)
        .or_else(|| {
            MAX_ATTEMPTS
                .key
                .and_then(|key| profiles.get(key).map(str::to_owned))
        })
        .and_then(|value| value.trim().parse().ok())
}

/// The services whose endpoint a profile may set, each by the name in its `services` section.
const SERVICES: [&str; 24] = [
    "api_gateway",
    "apigatewayv2",
    "auto_scaling",
    "ec2",
    "ecs",
    "eks",
    "eventbridge",
    "glue",
    "iam",
    "iot",
    "kms",
    "lambda",
    "organizations",
    "pipes",
    "s3",
    "scheduler",
    "securityhub",
    "sfn",
    "signin",
    "sns",
    "sqs",
    "sso",
    "sso_oidc",
    "sts",
];

impl Takes {
    fn check(self, value: &str, place: impl Fn() -> String) -> Result<(), CollectError> {
        let right = match self {
            Self::Text => true,
            Self::Plain | Self::Secret => is_plain(value),
            Self::Path => value.starts_with('/') && is_plain(value),
            Self::Word(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            Self::Number => value.trim().parse::<u32>().is_ok_and(|number| number > 0),
            Self::Endpoint => is_endpoint(value),
        };
        if right {
            return Ok(());
        }
        Err(CollectError::InvalidSetting {
            place: place(),
            value: (!matches!(self, Self::Secret)).then(|| value.to_owned()),
            takes: self.to_string(),
        })
    }
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Plain | Self::Secret => {
                f.write_str("one word of ASCII characters, without spaces and line ends")
            }
            Self::Path => f.write_str("a path, such as `/v2/credentials/ID`"),
            Self::Word(words) => {
                for (index, word) in words.iter().enumerate() {
                    let between = match words.len() - index {
                        _ if index == 0 => "",
                        1 => " or ",
                        _ => ", ",
                    };
                    write!(f, "{between}`{word}`")?;
                }
                Ok(())
            }
            Self::Number => f.write_str("a whole number from 1 on"),
            Self::Endpoint => f.write_str("`http://HOST:PORT` or `https://HOST`"),
        }
    }
}

/// Whether a text is one word of visible ASCII characters.
pub(super) fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text can be the URL of an endpoint.
pub(super) fn is_endpoint(url: &str) -> bool {
    let host = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .unwrap_or_default();
    !host.is_empty()
        && !host.starts_with(['/', ':'])
        && !host.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        && url::Url::parse(url).is_ok_and(|url| url.has_host())
}

/// Whether a text names a proxy that can be spoken to: `http://` or `https://`, or a host and port alone. A proxy that the
/// HTTP client does not understand it passes over, and the calls would go out without it.
fn is_proxy(value: &str) -> bool {
    let whole = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    is_endpoint(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::from_slice(variables)
    }

    #[test]
    fn attempts_are_a_whole_number_from_one_on() {
        let none = ProfileSet::default();
        assert_eq!(max_attempts(&env(&[]), &none), None);
        let two = env(&[("AWS_MAX_ATTEMPTS", "2")]);
        assert_eq!(max_attempts(&two, &none), Some(2));
        for value in ["0", "-1", "many", "1.5", "4294967296"] {
            let error = check_variables(&env(&[("AWS_MAX_ATTEMPTS", value)])).unwrap_err();
            assert!(matches!(error, CollectError::InvalidSetting { .. }));
            assert!(error.to_string().contains(value));
        }
    }

    #[test]
    fn every_word_that_aws_documents_is_taken_in_any_letter_case() {
        for (name, value) in [
            ("AWS_RETRY_MODE", "legacy"),
            ("AWS_RETRY_MODE", "Adaptive"),
            ("AWS_DEFAULTS_MODE", "in-region"),
            ("AWS_USE_FIPS_ENDPOINT", "TRUE"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
            ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPV6"),
            ("AWS_EC2_METADATA_DISABLED", ""),
        ] {
            assert!(check_variables(&env(&[(name, value)])).is_ok(), "{name}");
        }
    }

    #[test]
    fn endpoints_are_http_urls_with_a_host() {
        for url in [
            "http://127.0.0.1:4566",
            "https://sqs.example.com/",
            "http://[::1]:8080",
        ] {
            assert!(is_endpoint(url), "{url}");
        }
        for url in [
            "",
            "localhost:4566",
            "ftp://host",
            "http://",
            "http:///x",
            "http://a b",
            "http://host:port",
            "http://host:65536",
        ] {
            assert!(!is_endpoint(url), "{url}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_or_an_http_url_and_is_never_shown() {
        for proxy in ["proxy:3128", "http://user:hunter2@proxy:3128", "https://p"] {
            assert!(is_proxy(proxy), "{proxy}");
        }
        for proxy in ["socks5://user:hunter2@proxy", "http://", "a b", "::x::"] {
            let error = check_variables(&env(&[("https_proxy", proxy)])).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("`https_proxy`"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
