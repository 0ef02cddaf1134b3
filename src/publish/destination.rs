//! Where a report goes, as written on the command line, in a file or in a variable of the environment.
//!
//! The address of a webhook lets whoever knows it post there, so nothing ever shows more of one than its host, and an address
//! with a secret in it need not be typed: `env:NAME` and `file:PATH` stand for what they hold.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::hex;
use crate::arn::{AccountId, Arn};
use crate::input::{self, LARGEST_WORD};
use crate::report::sanitise;

/// A place that a report, or what is new in it, is sent to.
#[derive(Clone, PartialEq, Eq)]
pub enum Destination {
    /// Findings of the account, imported into AWS Security Hub.
    SecurityHub {
        /// The region that takes all of them; each goes to its own where none is named.
        region: Option<String>,
        /// The only account whose findings go there; every account of the report where none is named.
        account: Option<AccountId>,
    },
    /// The report and its findings, as objects of an S3 bucket.
    S3(Bucket),
    /// A message for each finding that is new.
    Sns(Arn),
    /// An event for each finding that is new.
    EventBridge(Bus),
    /// Findings that are new, posted as JSON.
    Webhook(Address),
    /// A message about what is new, for people in a Slack channel.
    Slack(Address),
}

/// Where in S3, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The name of the bucket.
    pub name: String,
    /// What the names of objects begin with: empty, or with a slash at the end.
    pub prefix: String,
    /// The KMS key that objects are encrypted with; that of the bucket where none is named.
    pub kms_key: Option<String>,
    /// The account that the bucket must belong to.
    pub owner: Option<AccountId>,
    /// Whether the report is written, as JSON.
    pub report: bool,
    /// Whether the findings are written, as JSON Lines.
    pub lines: bool,
}

/// An event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// By its name, in the region that is configured.
    Named(String),
    /// By its ARN.
    Of(Arn),
}

/// The address of a webhook: a secret, of which only the host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

/// A text that names no destination. The text itself is not repeated: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Nothing begins like that.
    #[error("there is no such destination; {CHOICE}")]
    Unknown,
    /// Something about it is wrong.
    #[error("`{destination}` is no destination: {why}")]
    Wrong {
        /// What the destination shows of itself.
        destination: String,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// The variable is not set.
    #[error("the environment variable `{0}` names no destination; set it to one")]
    Variable(String),
    /// The file cannot be read.
    #[error("cannot read the destination from `{}`: {why}; check the path", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

const CHOICE: &str = "write `securityhub[://REGION]`, `s3://BUCKET/PREFIX`, the ARN of an SNS topic, `eventbridge:BUS`, \
                      `https://…`, `slack+https://…`, or `env:NAME` or `file:PATH` for one that is kept there";

fn wrong(destination: impl fmt::Display, why: impl Into<String>) -> DestinationError {
    DestinationError::Wrong {
        destination: sanitise(&destination.to_string()).into_owned(),
        why: why.into(),
    }
}

impl Destination {
    /// Reads a destination, from the environment or a file where it says so.
    ///
    /// # Errors
    /// [`DestinationError`] says what would be right.
    pub fn resolve(text: &str) -> Result<Self, DestinationError> {
        if let Some(name) = text.strip_prefix("env:") {
            let value = std::env::var(name).unwrap_or_default();
            if value.trim().is_empty() {
                return Err(DestinationError::Variable(sanitise(name).into_owned()));
            }
            return Self::parse(value.trim());
        }
        if let Some(path) = text.strip_prefix("file:") {
            let unreadable = |why: String| DestinationError::File {
                path: path.into(),
                why,
            };
            let held = input::read(std::path::Path::new(path), LARGEST_WORD)
                .map_err(|error| unreadable(error.to_string()))?;
            let held = String::from_utf8(held)
                .map_err(|_| unreadable("it is not text (UTF-8)".to_owned()))?;
            return Self::parse(held.trim());
        }
        Self::parse(text)
    }

    /// Reads a destination that is written out.
    ///
    /// # Errors
    /// [`DestinationError`] says what would be right.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        if let Some(address) = text.strip_prefix("slack+") {
            return Ok(Self::Slack(Address::parse(address)?));
        }
        if text.starts_with("https:") || text.starts_with("http:") {
            return Ok(Self::Webhook(Address::parse(text)?));
        }
        if text == "securityhub"
            || text.starts_with("securityhub:")
            || text.starts_with("securityhub?")
        {
            return security_hub(text);
        }
        if text.starts_with("s3:") {
            return Ok(Self::S3(Bucket::parse(text)?));
        }
        let arn = text.strip_prefix("sns:").unwrap_or(text);
        if arn.starts_with("arn:") && !text.starts_with("arn:") {
            return topic(arn);
        }
        if let Some(bus) = text.strip_prefix("eventbridge:") {
            return bus_of(bus);
        }
        match Arn::parse(text) {
            Ok(arn) if arn.service() == "sns" => topic(text),
            Ok(arn) if arn.service() == "events" => bus_of(text),
            Ok(_) => Err(wrong(
                text,
                "it is the ARN of neither an SNS topic nor an event bus",
            )),
            Err(_) => Err(DestinationError::Unknown),
        }
    }

    /// What a list of what was sent calls it by: the same for the same destination, and of a secret address nothing but its host
    /// and a digest.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Webhook(Address(url)) | Self::Slack(Address(url)) => {
                let digest = Sha256::digest(url.as_str().as_bytes());
                format!("{self} {}", hex(digest.iter().take(8)))
            }
            _ => self.to_string(),
        }
    }

    /// Whether it is told of what is new only.
    pub(super) fn is_told(&self) -> bool {
        match self {
            Self::SecurityHub { .. } | Self::S3(_) => false,
            Self::Sns(_) | Self::EventBridge(_) | Self::Webhook(_) | Self::Slack(_) => true,
        }
    }

    /// Whether it is reached with AWS credentials.
    pub(super) fn is_aws(&self) -> bool {
        !matches!(self, Self::Webhook(_) | Self::Slack(_))
    }
}

/// Shows no secret.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecurityHub { region, account } => {
                f.write_str("securityhub")?;
                if let Some(region) = region {
                    write!(f, "://{region}")?;
                }
                match account {
                    Some(account) => write!(f, "?account={account}"),
                    None => Ok(()),
                }
            }
            Self::S3(bucket) => write!(f, "s3://{}/{}", bucket.name, bucket.prefix),
            Self::Sns(arn) | Self::EventBridge(Bus::Of(arn)) => write!(f, "{arn}"),
            Self::EventBridge(Bus::Named(name)) => write!(f, "eventbridge:{name}"),
            Self::Webhook(address) => write!(f, "webhook {address}"),
            Self::Slack(address) => write!(f, "Slack {address}"),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or("?"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Address {
    fn parse(text: &str) -> Result<Self, DestinationError> {
        let Ok(url) = Url::parse(text) else {
            return Err(wrong(
                "https://…",
                "it is not a URL; write it as `https://HOST/PATH`",
            ));
        };
        let address = Self(url);
        let Self(url) = &address;
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => {
                return Err(wrong(
                    format!("http://{address}/…"),
                    "findings go over TLS only, but on this machine itself; write `https://`",
                ));
            }
            _ => return Err(DestinationError::Unknown),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                format!("https://{address}/…"),
                "a name or password before the host is not sent; leave it out",
            ));
        }
        Ok(address)
    }

    /// The whole address. Only for the request.
    pub(super) fn secret(&self) -> &str {
        self.0.as_str()
    }
}

fn security_hub(text: &str) -> Result<Destination, DestinationError> {
    let rest = text.strip_prefix("securityhub").unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let region = match place
        .strip_prefix("://")
        .map(|region| region.trim_end_matches('/'))
    {
        None if place.is_empty() => None,
        Some(region) if is_region(region) => Some(region.to_owned()),
        _ => {
            return Err(wrong(
                text,
                "write a region as in `securityhub://eu-west-1`, or `securityhub`",
            ));
        }
    };
    let mut account = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "account" => account = Some(account_id(text, &value)?),
            _ => {
                return Err(wrong(
                    text,
                    "the only thing that may stand behind `?` is `account=ID`",
                ));
            }
        }
    }
    Ok(Destination::SecurityHub { region, account })
}

/// A region becomes part of a host name.
fn is_region(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.contains('-') && text.len() <= 32 && text.chars().all(letters)
}

fn account_id(destination: &str, text: &str) -> Result<AccountId, DestinationError> {
    AccountId::parse(text).map_err(|_| {
        wrong(
            destination,
            "an account is named by its id of twelve digits",
        )
    })
}

fn topic(text: &str) -> Result<Destination, DestinationError> {
    match Arn::parse(text) {
        Ok(arn)
            if arn.service() == "sns"
                && is_region(arn.region())
                && !arn.resource().contains(':') =>
        {
            Ok(Destination::Sns(arn))
        }
        _ => Err(wrong(
            text,
            "write the ARN of the topic, `arn:aws:sns:REGION:ACCOUNT:NAME`",
        )),
    }
}

fn bus_of(text: &str) -> Result<Destination, DestinationError> {
    let why =
        "write the name of the bus, or its ARN, `arn:aws:events:REGION:ACCOUNT:event-bus/NAME`";
    if text.starts_with("arn:") {
        return match Arn::parse(text) {
            Ok(arn)
                if arn.service() == "events"
                    && is_region(arn.region())
                    && arn.resource().starts_with("event-bus/") =>
            {
                Ok(Destination::EventBridge(Bus::Of(arn)))
            }
            _ => Err(wrong(text, why)),
        };
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || "/.-_".contains(c);
    if text.is_empty() || text.len() > 256 || !text.chars().all(letters) {
        return Err(wrong(format!("eventbridge:{text}"), why));
    }
    Ok(Destination::EventBridge(Bus::Named(text.to_owned())))
}

impl Bucket {
    fn parse(text: &str) -> Result<Self, DestinationError> {
        let why = "write it as `s3://BUCKET/PREFIX`";
        let rest = text.strip_prefix("s3://").ok_or_else(|| wrong(text, why))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if !(3..=63).contains(&name.len()) || !name.chars().all(letters) {
            return Err(wrong(
                text,
                "that is not the name of a bucket; write it as `s3://BUCKET/PREFIX`",
            ));
        }
        let prefix = prefix.trim_matches('/');
        if prefix.chars().any(char::is_control) || prefix.len() > 512 {
            return Err(wrong(
                text,
                "the prefix is too long, or has characters that S3 does not take",
            ));
        }
        let mut bucket = Self {
            name: name.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            kms_key: None,
            owner: None,
            report: true,
            lines: true,
        };
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (&*key, &*value) {
                ("kms-key", "") => {
                    return Err(wrong(text, "`kms-key` takes the ARN, id or alias of a key"));
                }
                ("kms-key", value) => bucket.kms_key = Some(value.to_owned()),
                ("owner", value) => bucket.owner = Some(account_id(text, value)?),
                ("format", "json") => bucket.lines = false,
                ("format", "jsonl") => bucket.report = false,
                ("format", _) => {
                    return Err(wrong(
                        text,
                        "`format` takes json or jsonl; both are written without it",
                    ));
                }
                _ => {
                    let why = "what may stand behind `?` is `kms-key=KEY`, `owner=ACCOUNT` and `format=json|jsonl`";
                    return Err(wrong(text, why));
                }
            }
        }
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_as_they_show_themselves() {
        for (text, shown) in [
            ("securityhub", "securityhub"),
            ("securityhub://eu-west-1/", "securityhub://eu-west-1"),
            (
                "securityhub?account=111122223333",
                "securityhub?account=111122223333",
            ),
            ("s3://bucket/audits/", "s3://bucket/audits/"),
            ("s3://bucket?format=jsonl", "s3://bucket/"),
            (
                "sns:arn:aws:sns:eu-west-1:111122223333:t",
                "arn:aws:sns:eu-west-1:111122223333:t",
            ),
            (
                "arn:aws:sns:eu-west-1:111122223333:t.fifo",
                "arn:aws:sns:eu-west-1:111122223333:t.fifo",
            ),
            ("eventbridge:audit", "eventbridge:audit"),
            (
                "arn:aws:events:eu-west-1:111122223333:event-bus/audit",
                "arn:aws:events:eu-west-1:111122223333:event-bus/audit",
            ),
            (
                "https://example.com/hooks/secret?token=1",
                "webhook example.com",
            ),
            ("http://127.0.0.1:8080/", "webhook 127.0.0.1"),
            ("http://[::1]:8080/", "webhook [::1]"),
            (
                "slack+https://hooks.slack.com/services/T/B/secret",
                "Slack hooks.slack.com",
            ),
        ] {
            let destination = Destination::parse(text).unwrap();
            assert_eq!(destination.to_string(), shown);
            assert_eq!(format!("{destination:?}"), shown);
        }
    }

    #[test]
    fn options_of_a_bucket_are_read() {
        let parsed = Destination::parse(
            "s3://bucket/a/b?kms-key=arn%3Aaws%3Akms%3Aeu-west-1%3A111122223333%3Akey%2Fk&owner=111122223333&format=json",
        );
        let Ok(Destination::S3(bucket)) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!(bucket.prefix, "a/b/");
        assert_eq!(
            bucket.kms_key.as_deref(),
            Some("arn:aws:kms:eu-west-1:111122223333:key/k")
        );
        assert!(bucket.report && !bucket.lines);
        // An ARN may be written as it is, too.
        let plain =
            Destination::parse("s3://bucket?kms-key=arn:aws:kms:eu-west-1:111122223333:key/k");
        assert!(matches!(plain, Ok(Destination::S3(bucket)) if bucket.kms_key.is_some()));
    }

    #[test]
    fn what_is_wrong_is_told_without_telling_secrets() {
        for (text, told) in [
            ("ftp://example.com/token", "there is no such destination"),
            ("http://example.com/token", "TLS only"),
            ("http://localhost.example.com/token", "TLS only"),
            ("https://user:token@example.com/", "before the host"),
            ("slack+http://example.com/token", "TLS only"),
            ("slack+token", "not a URL"),
            ("token", "there is no such destination"),
            ("s3://UPPER/x", "not the name of a bucket"),
            ("s3://bucket?acl=public", "kms-key"),
            ("s3:bucket", "s3://BUCKET"),
            ("securityhub://eu west", "region"),
            ("securityhub://evil.example.com/x", "region"),
            ("sns:arn:aws:sqs:eu-west-1:111122223333:q", "topic"),
            ("arn:aws:sqs:eu-west-1:111122223333:q", "neither"),
            ("eventbridge:", "bus"),
            (
                "env:NO_SUCH_VARIABLE_OF_PATSCAN",
                "NO_SUCH_VARIABLE_OF_PATSCAN",
            ),
            ("file:/nonexistent/destination", "/nonexistent/destination"),
        ] {
            let error = Destination::resolve(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("token"), "{error}");
        }
    }

    #[test]
    fn the_key_tells_addresses_apart_without_telling_them() {
        let key = |text| Destination::parse(text).unwrap().key();
        let (one, other) = (
            key("https://example.com/secret1"),
            key("https://example.com/secret2"),
        );
        assert_ne!(one, other);
        assert_eq!(one, key("https://example.com/secret1"));
        assert!(!one.contains("secret"));
    }
}
