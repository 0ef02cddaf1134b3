//! Managed policies: those of AWS that people attach, as far as they speak of SQS and KMS, and the company's own.

use std::collections::BTreeMap;

use patscan::account::{ManagedPolicy, PolicyText};
use patscan::arn::Arn;
use serde_json::json;

use super::document::{Statement, text, typed};
use super::landscape::{Landscape, teams};
use super::{ACCOUNT, PARTNER, REGIONS, arn};

/// What stands for the thousands of actions of `ReadOnlyAccess`; people know it for reading, and it receives messages.
const READ_ONLY: [&str; 26] = [
    "cloudwatch:Describe*",
    "cloudwatch:Get*",
    "cloudwatch:List*",
    "dynamodb:BatchGet*",
    "dynamodb:Describe*",
    "dynamodb:Get*",
    "dynamodb:List*",
    "ec2:Describe*",
    "ec2:Get*",
    "iam:Get*",
    "iam:List*",
    "kms:Describe*",
    "kms:Get*",
    "kms:List*",
    "lambda:Get*",
    "lambda:List*",
    "logs:Describe*",
    "logs:Get*",
    "s3:Get*",
    "s3:List*",
    "sns:Get*",
    "sns:List*",
    "sqs:Get*",
    "sqs:List*",
    "sqs:Receive*",
    "tag:Get*",
];

/// The managed policies of the account, growing while principals attach them.
pub(super) struct Shelf {
    policies: BTreeMap<Arn, PolicyText>,
}

impl Shelf {
    pub(super) fn new(land: &Landscape) -> Self {
        let mut shelf = Self {
            policies: BTreeMap::new(),
        };
        shelf.add_those_of_aws();
        shelf.add_boundaries();
        shelf.add_shared();
        for team in teams() {
            shelf.add_of_team(team);
        }
        for component in &land.components {
            let base = typed(&base(&component.name));
            shelf.put(customer(&format!("{}-base", component.name)), base);
        }
        shelf
    }

    /// Puts a policy of the company on the shelf, unless it is there.
    pub(super) fn shared(&mut self, name: &str, document: impl FnOnce() -> PolicyText) -> Arn {
        let arn = customer(name);
        self.policies.entry(arn.clone()).or_insert_with(document);
        arn
    }

    pub(super) fn into_policies(self) -> Vec<ManagedPolicy> {
        self.policies
            .into_iter()
            .map(|(arn, document)| ManagedPolicy {
                arn,
                document: Some(document),
            })
            .collect()
    }

    fn put(&mut self, arn: Arn, document: PolicyText) {
        self.policies.insert(arn, document);
    }

    fn add_those_of_aws(&mut self) {
        let logs = [
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ];
        let everything = |actions: &[&str]| vec![Statement::allow(actions).on(&["*"])];
        for (name, statements) in [
            ("AdministratorAccess", everything(&["*"])),
            (
                "PowerUserAccess",
                vec![
                    Statement::allow(&[])
                        .but(&["iam:*", "organizations:*", "account:*"])
                        .on(&["*"]),
                    Statement::allow(&[
                        "iam:CreateServiceLinkedRole",
                        "iam:DeleteServiceLinkedRole",
                        "iam:ListRoles",
                        "organizations:DescribeOrganization",
                        "account:ListRegions",
                    ])
                    .on(&["*"]),
                ],
            ),
            ("ReadOnlyAccess", everything(&READ_ONLY)),
            ("AmazonSQSFullAccess", everything(&["sqs:*"])),
            (
                "AmazonSQSReadOnlyAccess",
                everything(&[
                    "sqs:GetQueueAttributes",
                    "sqs:GetQueueUrl",
                    "sqs:ListDeadLetterSourceQueues",
                    "sqs:ListQueues",
                    "sqs:ListMessageMoveTasks",
                    "sqs:ListQueueTags",
                ]),
            ),
            (
                "service-role/AWSLambdaSQSQueueExecutionRole",
                everything(&[
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:PutLogEvents",
                ]),
            ),
            (
                "service-role/AWSLambdaBasicExecutionRole",
                everything(&logs),
            ),
            (
                "AWSXRayDaemonWriteAccess",
                everything(&["xray:PutTraceSegments", "xray:PutTelemetryRecords"]),
            ),
            (
                "AmazonSSMManagedInstanceCore",
                everything(&["ssm:UpdateInstanceInformation", "ssmmessages:*"]),
            ),
            (
                "job-function/SupportUser",
                everything(&[
                    "support:*",
                    "cloudwatch:Get*",
                    "sqs:Get*",
                    "sqs:List*",
                    "sqs:Receive*",
                ]),
            ),
        ] {
            self.put(of_aws(name), text(&statements));
        }
    }

    /// What a tenth of the roles are bounded by.
    fn add_boundaries(&mut self) {
        let usual = [
            "dynamodb:*",
            "events:*",
            "kms:*",
            "logs:*",
            "s3:*",
            "secretsmanager:GetSecretValue",
            "sns:*",
            "sqs:*",
            "ssm:GetParameter*",
            "xray:*",
        ];
        let company = [
            Statement::allow(&usual).sid("Services").on(&["*"]),
            Statement::deny(&["iam:*", "organizations:*"])
                .sid("NoIdentities")
                .on(&["*"]),
        ];
        let messages = [
            "sqs:SendMessage",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueue*",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "logs:*",
        ];
        let own = format!("arn:aws:sqs:*:{ACCOUNT}:*");
        let workload = [Statement::allow(&messages).sid("Messages").on(&[
            own.as_str(),
            "arn:aws:kms:*:*:*",
            "arn:aws:logs:*:*:*",
        ])];
        let storage = [Statement::allow(&["dynamodb:*", "logs:*", "s3:*"])
            .sid("Storage")
            .on(&["*"])];
        let regional = [
            Statement::allow(&["*"]).sid("Everything").on(&["*"]),
            Statement::deny(&[])
                .but(&["iam:*", "sts:*"])
                .sid("HomeRegion")
                .on(&["*"])
                .when(json!({"StringNotEquals": {"aws:RequestedRegion": REGIONS[0]}})),
        ];
        self.put(customer("boundary/company"), typed(&company));
        self.put(customer("boundary/workload"), text(&workload));
        self.put(customer("boundary/storage"), text(&storage));
        self.put(customer("boundary/home-region"), typed(&regional));
    }

    /// What many roles attach.
    fn add_shared(&mut self) {
        let logging = [
            Statement::allow(&["logs:CreateLogStream", "logs:PutLogEvents"])
                .sid("Logs")
                .on(&[format!("arn:aws:logs:*:{ACCOUNT}:log-group:/company/*")]),
        ];
        let tracing = [Statement::allow(&["xray:Put*", "cloudwatch:PutMetricData"])
            .sid("Traces")
            .on(&["*"])];
        let secure = [Statement::deny(&["s3:*", "sqs:*", "sns:*"])
            .sid("DenyInsecureTransport")
            .on(&["*"])
            .when(json!({"Bool": {"aws:SecureTransport": "false"}}))];
        let network = [Statement::deny(&["sqs:SendMessage", "sqs:ReceiveMessage"])
            .sid("DenyOutsideNetwork")
            .on(&["*"])
            .when(json!({"StringNotEqualsIfExists": {"aws:SourceVpce": ["vpce-0a1b2c3d4e5f60718", "vpce-0f1e2d3c4b5a69788"]}}))];
        let metadata = [Statement::allow(&[
            "sqs:ListQueues",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
        ])
        .sid("QueueMetadata")
        .on(&["*"])];
        let no_purge = [Statement::deny(&["sqs:PurgeQueue", "sqs:DeleteQueue"])
            .sid("KeepProduction")
            .on(&[format!("arn:aws:sqs:*:{ACCOUNT}:prod-*")])];
        let by_tag = |actions: &[&str]| {
            [Statement::allow(actions).sid("OwnTeam").on(&["*"]).when(
                json!({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
            )]
        };
        let partner = [Statement::allow(&["sqs:SendMessage"])
            .sid("ToPartner")
            .on(&[format!("arn:aws:sqs:*:{PARTNER}:inbound-*")])];
        for (name, document) in [
            ("company-logging", typed(&logging)),
            ("company-tracing", typed(&tracing)),
            ("company-secure-transport", typed(&secure)),
            ("company-network", typed(&network)),
            ("company-queue-metadata", typed(&metadata)),
            ("company-keep-production", typed(&no_purge)),
            (
                "own-team-send",
                typed(&by_tag(&["sqs:SendMessage", "sqs:GetQueueUrl"])),
            ),
            (
                "own-team-receive",
                typed(&by_tag(&[
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                ])),
            ),
            ("partner-delivery", typed(&partner)),
        ] {
            self.put(customer(name), document);
        }
    }

    fn add_of_team(&mut self, team: &str) {
        let secrets = [
            Statement::allow(&["secretsmanager:GetSecretValue", "ssm:GetParameter*"])
                .sid("Secrets")
                .on(&[
                    format!("arn:aws:secretsmanager:*:{ACCOUNT}:secret:{team}/*"),
                    format!("arn:aws:ssm:*:{ACCOUNT}:parameter/{team}/*"),
                ]),
        ];
        let developers = [
            Statement::allow(&["sqs:ListQueues", "sqs:GetQueue*"])
                .sid("Look")
                .on(&["*"]),
            Statement::allow(&["sqs:ReceiveMessage"])
                .sid("Development")
                .on(&[format!("arn:aws:sqs:*:{ACCOUNT}:dev-*")])
                .when(json!({"StringEquals": {"aws:ResourceTag/team": team}})),
            Statement::allow(&["sqs:SendMessage"])
                .sid("Scratch")
                .on(&[format!("arn:aws:sqs:*:{ACCOUNT}:{team}-scratch-*")]),
        ];
        self.put(customer(&format!("{team}-secrets")), typed(&secrets));
        self.put(customer(&format!("{team}-developers")), typed(&developers));
    }
}

/// What every role of a service needs besides messages.
fn base(component: &str) -> [Statement; 3] {
    [
        Statement::allow(&[
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ])
        .sid("Tables")
        .on(&[
            format!("arn:aws:dynamodb:*:{ACCOUNT}:table/{component}-*"),
            format!("arn:aws:dynamodb:*:{ACCOUNT}:table/{component}-*/index/*"),
        ]),
        Statement::allow(&["s3:GetObject", "s3:PutObject", "s3:ListBucket"])
            .sid("Files")
            .on(&[
                format!("arn:aws:s3:::acme-{component}"),
                format!("arn:aws:s3:::acme-{component}/*"),
            ]),
        Statement::allow(&["cloudwatch:PutMetricData"])
            .sid("Metrics")
            .on(&["*"])
            .when(json!({"StringEquals": {"cloudwatch:namespace": component}})),
    ]
}

/// A policy of AWS, by its name with its path.
#[expect(clippy::expect_used, reason = "the names are constants")]
pub(super) fn of_aws(name: &str) -> Arn {
    Arn::build("aws", "iam", "", "aws", &format!("policy/{name}")).expect("a name without colons")
}

/// A policy of the company.
pub(super) fn customer(name: &str) -> Arn {
    arn("iam", "", &format!("policy/{name}"))
}
