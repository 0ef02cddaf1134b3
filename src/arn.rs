//! Amazon Resource Names and account ids as types.
//!
//! An [`Arn`] is a *concrete* name, as AWS hands it out: six fields, no wildcard meaning. ARN *patterns*, as they stand in
//! policies, live in [`crate::policy`]. Implements "Identify AWS resources with Amazon Resource Names (ARNs)" of the IAM
//! user guide.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A concrete Amazon Resource Name, `arn:partition:service:region:account:resource`.
///
/// Cloning is cheap; ordering and equality are those of the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^arn:"))]
pub struct Arn(Arc<str>);

/// Why a text is not an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an ARN: it needs six fields separated by colons and begins with `arn:`")]
pub struct ArnError {
    text: String,
}

impl Arn {
    /// Reads an ARN.
    ///
    /// # Errors
    /// When the text has fewer than six fields, does not begin with `arn:`, or names no partition, service or resource.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let mut fields = text.splitn(6, ':');
        let mut present = || fields.next().is_some_and(|field| !field.is_empty());
        let begins = text.starts_with("arn:") && present() && present() && present();
        // Region and account may be empty.
        let complete = begins && {
            present();
            present();
            present()
        };
        if complete {
            Ok(Self(Arc::from(text)))
        } else {
            Err(ArnError {
                text: text.chars().take(200).collect(),
            })
        }
    }

    /// An ARN from its fields after the prefix.
    ///
    /// # Errors
    /// As [`Arn::parse`]; also when an earlier field holds a colon that would shift the later ones.
    pub fn build(
        partition: &str,
        service: &str,
        region: &str,
        account: &str,
        resource: &str,
    ) -> Result<Self, ArnError> {
        let arn = Self::parse(&format!(
            "arn:{partition}:{service}:{region}:{account}:{resource}"
        ))?;
        if arn.resource() == resource {
            Ok(arn)
        } else {
            Err(ArnError {
                text: arn.as_str().to_owned(),
            })
        }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared instead of copied.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    fn field(&self, index: usize) -> &str {
        self.0.splitn(6, ':').nth(index).unwrap_or_default()
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, …; kept as data, never enumerated.
    pub fn partition(&self) -> &str {
        self.field(1)
    }

    /// The service namespace, such as `sqs` or `iam`.
    pub fn service(&self) -> &str {
        self.field(2)
    }

    /// The region, empty for global services.
    pub fn region(&self) -> &str {
        self.field(3)
    }

    /// The account id, empty for resources whose ARN carries none (S3 buckets), `aws` for AWS managed policies.
    pub fn account(&self) -> &str {
        self.field(4)
    }

    /// Everything after the fifth colon, colons included.
    pub fn resource(&self) -> &str {
        self.field(5)
    }

    /// The last path element of the resource: the role name of `role/team/x/App`, the queue name of `orders`.
    pub fn name(&self) -> &str {
        self.resource()
            .rsplit('/')
            .next()
            .unwrap_or_else(|| self.resource())
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for Arn {
    type Error = ArnError;
    fn try_from(text: String) -> Result<Self, ArnError> {
        Self::parse(&text)
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.as_str().to_owned()
    }
}

impl std::str::FromStr for Arn {
    type Err = ArnError;
    fn from_str(text: &str) -> Result<Self, ArnError> {
        Self::parse(text)
    }
}

/// A twelve-digit AWS account id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]{12}$"))]
pub struct AccountId(Arc<str>);

/// Why a text is not an account id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an account id: it has twelve digits")]
pub struct AccountIdError(String);

impl AccountId {
    /// Reads an account id.
    ///
    /// # Errors
    /// When the text is not exactly twelve ASCII digits.
    pub fn parse(text: &str) -> Result<Self, AccountIdError> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(AccountIdError(text.chars().take(200).collect()))
        }
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountIdError;
    fn try_from(text: String) -> Result<Self, AccountIdError> {
        Self::parse(&text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

impl std::str::FromStr for AccountId {
    type Err = AccountIdError;
    fn from_str(text: &str) -> Result<Self, AccountIdError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_gives_its_six_fields() {
        let arn = Arn::parse("arn:aws:sns:eu-west-1:111122223333:topic:with:colons").unwrap();
        assert_eq!(arn.partition(), "aws");
        assert_eq!(arn.service(), "sns");
        assert_eq!(arn.region(), "eu-west-1");
        assert_eq!(arn.account(), "111122223333");
        assert_eq!(arn.resource(), "topic:with:colons");
    }

    #[test]
    fn the_name_of_a_role_leaves_its_path_out() {
        let arn = Arn::parse("arn:aws:iam::111122223333:role/team/x/App").unwrap();
        assert_eq!(arn.name(), "App");
        assert_eq!(arn.region(), "");
    }

    #[test]
    fn texts_that_are_no_arn_are_refused() {
        for text in [
            "",
            "*",
            "arn:aws:sqs",
            "arn:aws:sqs:eu-west-1:1",
            "urn:a:b:c:d:e",
            "arn::::::",
        ] {
            assert!(Arn::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_built_arn_cannot_be_shifted_by_a_colon_in_a_field() {
        assert!(Arn::build("aws", "sqs", "eu:west", "111122223333", "orders").is_err());
        assert_eq!(
            Arn::build("aws", "sqs", "eu-west-1", "111122223333", "orders")
                .unwrap()
                .as_str(),
            "arn:aws:sqs:eu-west-1:111122223333:orders"
        );
    }

    #[test]
    fn account_ids_have_twelve_digits() {
        assert!(AccountId::parse("111122223333").is_ok());
        for text in ["11112222333", "1111222233334", "11112222333a", "*", ""] {
            assert!(AccountId::parse(text).is_err(), "{text}");
        }
    }
}
