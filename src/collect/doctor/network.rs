//! Where calls go and by which way: endpoints, and the variables that change them.

use crate::collect::Options;
use crate::collect::session::Session;

/// Variables that change where calls go or whom they trust, besides those that begin with `AWS_ENDPOINT_URL`.
const VARIABLES: [&str; 13] = [
    "ALL_PROXY",
    "AWS_CA_BUNDLE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_MAX_ATTEMPTS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Where calls go, and by which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The endpoint of every service, in place of AWS.
    pub endpoint: Option<String>,
    /// Whether the endpoints are those that follow FIPS 140.
    pub fips: bool,
    /// Whether the endpoints are those with IPv6 as well.
    pub dual_stack: bool,
    /// What the environment says of it, sorted by name.
    pub settings: Vec<Setting>,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, without what may be secret.
    pub value: String,
}

impl Network {
    pub(super) fn of(session: &Session, options: &Options) -> Self {
        let config = session.global();
        // Tests bring a configuration of their own, and then the environment has no part in it.
        let variables = options.sdk_config.is_none().then(|| {
            std::env::vars_os().filter_map(|(name, value)| {
                Some((
                    name.into_string().ok()?,
                    value.to_string_lossy().into_owned(),
                ))
            })
        });
        Self {
            endpoint: session.endpoint().map(without_secrets),
            fips: config.use_fips().unwrap_or_default(),
            dual_stack: config.use_dual_stack().unwrap_or_default(),
            settings: settings(variables.into_iter().flatten()),
        }
    }
}

fn settings(variables: impl Iterator<Item = (String, String)>) -> Vec<Setting> {
    let mut settings: Vec<Setting> = variables
        .filter(|(name, value)| {
            let counts = name.starts_with("AWS_ENDPOINT_URL") || VARIABLES.contains(&name.as_str());
            counts && !value.is_empty()
        })
        .map(|(name, value)| Setting {
            value: without_secrets(&value),
            name,
        })
        .collect();
    settings.sort();
    settings
}

/// An address without user and password, and without its query: proxies and gateways take theirs there.
fn without_secrets(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let host_from = rest.split('/').next().unwrap_or_default().rfind('@');
    match host_from.and_then(|at| rest.get(at + 1..)) {
        Some(host) => format!("{scheme}…@{host}"),
        None => format!("{scheme}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_the_way_of_calls_is_listed_and_no_password_with_it() {
        let variables = [
            ("https_proxy", "http://me:hunter2@proxy.example:3128/"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_ENDPOINT_URL_SQS", "https://sqs.example?token=hunter2"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("NO_PROXY", ""),
            ("HTTP_PROXY", "me:hunter2@proxy.example"),
        ];
        let listed = settings(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let listed: Vec<(&str, &str)> = listed
            .iter()
            .map(|setting| (setting.name.as_str(), setting.value.as_str()))
            .collect();
        assert_eq!(
            listed,
            [
                ("AWS_ENDPOINT_URL_SQS", "https://sqs.example"),
                ("AWS_USE_FIPS_ENDPOINT", "true"),
                ("HTTP_PROXY", "…@proxy.example"),
                ("https_proxy", "http://…@proxy.example:3128/"),
            ]
        );
    }

    #[test]
    fn a_path_may_hold_an_at_sign() {
        assert_eq!(without_secrets("/etc/ca@home.pem"), "/etc/ca@home.pem");
        assert_eq!(without_secrets("http://host/a@b"), "http://host/a@b");
    }
}
