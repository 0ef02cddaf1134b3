//! What publishing calls, and the permissions for it: one table, from which `patscan iam-policy --with` makes its statements and
//! by which publishers name what they call.
//!
//! None of it is part of the policy for a scan. A scan only reads; these write, after it and only where they are asked to.

use serde::Serialize;
use serde_json::{Value, json};

use super::destination::{Bus, Destination};

/// A service of AWS that is published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// AWS Security Hub.
    SecurityHub,
    /// Amazon S3.
    S3,
    /// Amazon SNS.
    Sns,
    /// Amazon EventBridge.
    EventBridge,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::SecurityHub, Self::S3, Self::Sns, Self::EventBridge];

    /// The word of `patscan iam-policy --with`.
    pub fn word(self) -> &'static str {
        match self {
            Self::SecurityHub => "publish-securityhub",
            Self::S3 => "publish-s3",
            Self::Sns => "publish-sns",
            Self::EventBridge => "publish-eventbridge",
        }
    }

    fn sid(self) -> &'static str {
        match self {
            Self::SecurityHub => "PatscanPublishesToSecurityHub",
            Self::S3 => "PatscanPublishesToS3",
            Self::Sns => "PatscanPublishesToSns",
            Self::EventBridge => "PatscanPublishesToEventBridge",
        }
    }
}

/// One API operation that publishing calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Where to.
    pub service: Service,
    /// The service namespace and the operation, as in the API reference.
    pub operation: &'static str,
    /// The IAM action that allows it.
    pub iam_action: &'static str,
}

pub(super) const GET_FINDINGS: Call = Call {
    service: Service::SecurityHub,
    operation: "securityhub:GetFindings",
    iam_action: "securityhub:GetFindings",
};
pub(super) const BATCH_IMPORT_FINDINGS: Call = Call {
    service: Service::SecurityHub,
    operation: "securityhub:BatchImportFindings",
    iam_action: "securityhub:BatchImportFindings",
};
pub(super) const PUT_OBJECT: Call = Call {
    service: Service::S3,
    operation: "s3:PutObject",
    iam_action: "s3:PutObject",
};
pub(super) const PUBLISH_BATCH: Call = Call {
    service: Service::Sns,
    operation: "sns:PublishBatch",
    iam_action: "sns:Publish",
};
pub(super) const PUT_EVENTS: Call = Call {
    service: Service::EventBridge,
    operation: "events:PutEvents",
    iam_action: "events:PutEvents",
};

/// Every operation that publishing calls.
pub const CALLS: &[Call] = &[
    GET_FINDINGS,
    BATCH_IMPORT_FINDINGS,
    PUT_OBJECT,
    PUBLISH_BATCH,
    PUT_EVENTS,
];

/// What one publishes to: a service in general, or one place of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// Anywhere in the service.
    Anywhere(Service),
    /// One destination.
    To(Destination),
}

impl Permission {
    /// Reads `publish-s3` and the like, or a destination. What needs no AWS permission is none.
    ///
    /// # Errors
    /// A sentence that says what it takes.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let mut services = Service::ALL.into_iter();
        if let Some(service) = services.find(|service| service.word() == text) {
            return Ok(Some(Self::Anywhere(service)));
        }
        let words = Service::ALL.map(|service| format!("`{}`", service.word()));
        let destination = Destination::resolve(text).map_err(|error| {
            format!(
                "--with takes {} or a destination: {error}",
                words.join(", ")
            )
        })?;
        Ok(destination.is_aws().then_some(Self::To(destination)))
    }

    fn service(&self) -> Service {
        match self {
            Self::Anywhere(service) => *service,
            Self::To(Destination::SecurityHub { .. }) => Service::SecurityHub,
            Self::To(Destination::S3(_)) => Service::S3,
            Self::To(Destination::Sns(_)) => Service::Sns,
            // Webhooks need no permission; `parse` leaves them out.
            Self::To(
                Destination::EventBridge(_) | Destination::Webhook(_) | Destination::Slack(_),
            ) => Service::EventBridge,
        }
    }

    /// What the actions are needed on. `partition` stands where the destination does not tell its own.
    fn resources(&self, partition: &str) -> Vec<String> {
        match self {
            // A finding is imported for a product; findings are read from the hub.
            Self::To(Destination::SecurityHub { region, account }) => {
                let partition = match region {
                    Some(region) => partition_of(region),
                    None => partition,
                };
                let region = region.as_deref().unwrap_or("*");
                let account = account.as_ref().map_or("*", |account| account.as_str());
                vec![
                    format!("arn:{partition}:securityhub:{region}:{account}:hub/default"),
                    format!(
                        "arn:{partition}:securityhub:{region}:{account}:product/{account}/default"
                    ),
                ]
            }
            Self::Anywhere(Service::SecurityHub) => vec![
                format!("arn:{partition}:securityhub:*:*:hub/default"),
                format!("arn:{partition}:securityhub:*:*:product/*/default"),
            ],
            Self::To(Destination::S3(bucket)) => {
                vec![format!(
                    "arn:{partition}:s3:::{}/{}*",
                    bucket.name, bucket.prefix
                )]
            }
            Self::Anywhere(Service::S3) => vec![format!("arn:{partition}:s3:::*/*")],
            Self::To(Destination::Sns(topic)) => vec![topic.to_string()],
            Self::To(Destination::EventBridge(Bus::Of(bus))) => vec![bus.to_string()],
            Self::To(Destination::EventBridge(Bus::Named(name))) => {
                vec![format!("arn:{partition}:events:*:*:event-bus/{name}")]
            }
            Self::Anywhere(Service::Sns) => vec![format!("arn:{partition}:sns:*:*:*")],
            Self::Anywhere(Service::EventBridge) => {
                vec![format!("arn:{partition}:events:*:*:event-bus/*")]
            }
            Self::To(Destination::Webhook(_) | Destination::Slack(_)) => Vec::new(),
        }
    }
}

/// The partition of a region; that of the commercial regions where the name is like none of another.
fn partition_of(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    let mut known = BY_PREFIX.iter();
    known
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    sid: String,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Resources,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Resources {
    Every(&'static str),
    These(Vec<String>),
}

impl Statement {
    /// A statement on every resource.
    pub fn anywhere(sid: &str, effect: &'static str, action: Vec<&'static str>) -> Self {
        Self {
            sid: sid.to_owned(),
            effect,
            action,
            resource: Resources::Every("*"),
            condition: None,
        }
    }
}

/// The statements that allow publishing, one for each service, and one for each key that a bucket is written with. `partition`
/// is that of what does not tell its own.
pub fn statements(permissions: &[Permission], partition: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    for service in Service::ALL {
        let of_service = permissions.iter().filter(|one| one.service() == service);
        let mut resources: Vec<String> = of_service
            .flat_map(|one| one.resources(partition))
            .collect();
        resources.sort();
        resources.dedup();
        if resources.is_empty() {
            continue;
        }
        let of_service = CALLS.iter().filter(|call| call.service == service);
        let mut action: Vec<&str> = of_service.map(|call| call.iam_action).collect();
        action.sort_unstable();
        all.push(Statement {
            sid: service.sid().to_owned(),
            effect: "Allow",
            action,
            resource: Resources::These(resources),
            condition: None,
        });
    }
    let keys = permissions
        .iter()
        .filter_map(|permission| match permission {
            Permission::To(Destination::S3(bucket)) => bucket.kms_key.as_deref(),
            _ => None,
        });
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    all.extend(
        (1..)
            .zip(keys)
            .map(|(number, key)| encrypting(number, key, partition)),
    );
    all
}

/// S3 asks KMS for a data key with the rights of whoever puts the object; through S3 is the only way that is allowed here. An
/// alias cannot be a resource of a statement, but a condition on one can name it.
fn encrypting(number: usize, key: &str, partition: &str) -> Statement {
    let alias = key
        .rsplit_once(":alias/")
        .map(|(_, name)| name)
        .or_else(|| key.strip_prefix("alias/"));
    let mut condition = json!({"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}});
    if let (Some(name), Some(conditions)) = (alias, condition.as_object_mut()) {
        conditions.insert(
            "ForAnyValue:StringEquals".to_owned(),
            json!({"kms:ResourceAliases": format!("alias/{name}")}),
        );
    }
    let resource = match alias {
        Some(_) => format!("arn:{partition}:kms:*:*:key/*"),
        None if key.starts_with("arn:") => key.to_owned(),
        None => format!("arn:{partition}:kms:*:*:key/{key}"),
    };
    Statement {
        sid: match number {
            1 => "PatscanEncryptsForS3".to_owned(),
            number => format!("PatscanEncryptsForS3{number}"),
        },
        effect: "Allow",
        action: vec!["kms:GenerateDataKey"],
        resource: Resources::These(vec![resource]),
        condition: Some(condition),
    }
}
