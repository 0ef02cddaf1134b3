//! Roles: who may assume them, what they may do with queues, and what binds them.

use patscan::account::{InlinePolicy, PolicyText, Role, Tag};
use patscan::arn::Arn;
use serde_json::{Value, json};

use super::document::{Statement, text, typed};
use super::landscape::{Component, Landscape, PlannedQueue};
use super::managed::{Shelf, customer, of_aws};
use super::random::Random;
use super::{ACCOUNT, PARTNER, arn};

const SENDER: [&str; 2] = ["sqs:SendMessage", "sqs:GetQueueUrl"];
const CONSUMER: [&str; 4] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
];
const PARTS: [&str; 12] = [
    "api",
    "worker",
    "publisher",
    "consumer",
    "scheduler",
    "importer",
    "exporter",
    "notifier",
    "webhook",
    "batch",
    "cleanup",
    "replay",
];

/// A role, and what the rest of the account must know of it.
pub(super) struct PlannedRole {
    pub(super) role: Role,
    pub(super) trusted: Trusted,
    /// The queue that it takes messages from, by index, when it is one of its own.
    pub(super) consumes: Option<usize>,
    /// Whether it was given both sides of one queue by literal ARN, with nothing in the way.
    pub(super) is_narrow_loop: bool,
}

/// Who assumes a role.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trusted {
    Functions,
    Tasks,
    Instances,
    /// Another service of AWS.
    Service(&'static str),
    /// People who sign on through the company's identity provider, with their tags.
    People,
    /// The pipeline that deploys.
    Pipeline,
    /// Other roles of the account.
    OwnAccount,
    Partner,
}

const TRUSTED: [(usize, Trusted); 9] = [
    (500, Trusted::Functions),
    (230, Trusted::Tasks),
    (90, Trusted::Instances),
    (30, Trusted::Service("states.amazonaws.com")),
    (30, Trusted::Service("events.amazonaws.com")),
    (40, Trusted::People),
    (30, Trusted::Pipeline),
    (35, Trusted::OwnAccount),
    (15, Trusted::Partner),
];

/// What a role may do with queues.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    None,
    /// To one, two or three queues of its service, by name.
    Send,
    /// From one or two.
    Consume,
    /// From one queue to another.
    Stage,
    /// Both sides of one queue: what patscan looks for.
    Loop,
    SendByPrefix,
    ConsumeByPrefix,
    EverythingByPrefix,
    DeadLetters,
    SendEverywhere,
    ConsumeEverywhere,
    EverythingEverywhere,
    SendByTag,
    ConsumeByTag,
    ByTeamInName,
    NotAction,
    NotResource,
    Partner,
    /// A managed policy of AWS.
    Aws(&'static str),
}

/// In a thousand roles.
const RIGHTS: [(usize, Rights); 24] = [
    (150, Rights::None),
    (310, Rights::Send),
    (250, Rights::Consume),
    (120, Rights::Stage),
    (12, Rights::Loop),
    (30, Rights::SendByPrefix),
    (20, Rights::ConsumeByPrefix),
    (12, Rights::EverythingByPrefix),
    (10, Rights::DeadLetters),
    (5, Rights::SendEverywhere),
    (4, Rights::ConsumeEverywhere),
    (4, Rights::EverythingEverywhere),
    (8, Rights::SendByTag),
    (8, Rights::ConsumeByTag),
    (8, Rights::ByTeamInName),
    (3, Rights::NotAction),
    (3, Rights::NotResource),
    (8, Rights::Partner),
    (
        15,
        Rights::Aws("service-role/AWSLambdaSQSQueueExecutionRole"),
    ),
    (8, Rights::Aws("ReadOnlyAccess")),
    (3, Rights::Aws("AmazonSQSFullAccess")),
    (6, Rights::Aws("AmazonSQSReadOnlyAccess")),
    (2, Rights::Aws("PowerUserAccess")),
    (1, Rights::Aws("AdministratorAccess")),
];

pub(super) fn roles(land: &Landscape, count: usize, shelf: &mut Shelf) -> Vec<PlannedRole> {
    (0..count).map(|number| role(land, number, shelf)).collect()
}

fn role(land: &Landscape, number: usize, shelf: &mut Shelf) -> PlannedRole {
    let mut random = land.random("role", number);
    let component = land.component(number);
    let trusted = random.weighted(&TRUSTED).unwrap_or(Trusted::Functions);
    let name = role_name(land, component, number);
    let rights = if number == 0 {
        // However small the account, someone may do everything.
        Rights::Aws("AdministratorAccess")
    } else {
        random.weighted(&RIGHTS).unwrap_or(Rights::None)
    };
    let mut drawn = Drawn {
        land,
        component,
        random,
        shelf,
        inline: Vec::new(),
        attached: Vec::new(),
        consumes: None,
        is_narrow_loop: false,
    };
    drawn.rights(rights);
    drawn.what_runs(trusted);
    // Loops that are counted on have nothing in their way.
    if !drawn.is_narrow_loop {
        drawn.denials();
    }
    let boundary = drawn.boundary();
    let tags = drawn.tags();
    let random = &mut drawn.random;
    let instance_profiles = match trusted {
        Trusted::Instances => vec![arn("iam", "", &format!("instance-profile/{name}"))],
        _ => Vec::new(),
    };
    let role = Role {
        arn: arn("iam", "", &format!("role/{}{name}", path(trusted))),
        id: format!("AROA{}", random.letters(17)),
        trust: trust(trusted, component, random),
        tags,
        inline: drawn.inline,
        attached: drawn.attached,
        boundary,
        instance_profiles,
    };
    PlannedRole {
        role,
        trusted,
        consumes: drawn.consumes,
        is_narrow_loop: drawn.is_narrow_loop,
    }
}

fn role_name(land: &Landscape, component: &Component, number: usize) -> String {
    let round = number / land.components.len();
    let part = PARTS.get(round % PARTS.len()).unwrap_or(&"worker");
    match round / PARTS.len() {
        0 => format!("{}-{part}", component.name),
        times => format!("{}-{part}-{}", component.name, times + 1),
    }
}

fn path(trusted: Trusted) -> &'static str {
    match trusted {
        Trusted::People => "aws-reserved/sso.amazonaws.com/eu-west-1/",
        Trusted::Pipeline => "deploy/",
        Trusted::Service(_) => "service-role/",
        _ => "",
    }
}

/// A role while its policies are drawn.
struct Drawn<'l> {
    land: &'l Landscape,
    component: &'l Component,
    random: Random,
    shelf: &'l mut Shelf,
    inline: Vec<InlinePolicy>,
    attached: Vec<Arn>,
    consumes: Option<usize>,
    is_narrow_loop: bool,
}

impl<'l> Drawn<'l> {
    fn rights(&mut self, rights: Rights) {
        let service = format!("arn:aws:sqs:*:{ACCOUNT}:{}-*", self.component.name);
        let allow = |actions: &[&str], resource: &str| Statement::allow(actions).on(&[resource]);
        match rights {
            Rights::None => {}
            Rights::Send => {
                for _ in 0..=self.random.below(3) {
                    self.send_to_one();
                }
            }
            Rights::Consume => {
                for _ in 0..=self.random.below(2) {
                    self.consume_one();
                }
            }
            Rights::Stage => self.stage(),
            Rights::Loop => self.one_loop(),
            Rights::SendByPrefix => self.put("queues", &[allow(&SENDER, &service)]),
            Rights::ConsumeByPrefix => self.put("queues", &[allow(&CONSUMER, &service)]),
            Rights::EverythingByPrefix => self.put("queues", &[allow(&["sqs:*"], &service)]),
            Rights::DeadLetters => {
                let scope = self.random.pick(&["", "prod-", "dev-"]);
                let resource = format!("arn:aws:sqs:*:{ACCOUNT}:{scope}*-dlq");
                self.put("dead-letters", &[allow(&CONSUMER, &resource)]);
            }
            Rights::SendEverywhere => self.put("queues", &[allow(&["sqs:SendMessage"], "*")]),
            Rights::ConsumeEverywhere => {
                self.put("queues", &[allow(&CONSUMER, "arn:aws:sqs:*:*:*")]);
            }
            Rights::EverythingEverywhere => self.put("queues", &[allow(&["sqs:*"], "*")]),
            Rights::SendByTag => self.attached.push(customer("own-team-send")),
            Rights::ConsumeByTag => {
                let by_environment = json!({"StringEquals": {
                    "aws:PrincipalTag/env": "prod",
                    "aws:ResourceTag/env": "${aws:PrincipalTag/env}",
                }});
                if self.random.chance(300) {
                    let statement = allow(&["sqs:ReceiveMessage"], "*").when(by_environment);
                    self.put("production", &[statement]);
                } else {
                    self.attached.push(customer("own-team-receive"));
                }
            }
            Rights::ByTeamInName => {
                let actions: &[&str] = if self.random.chance(500) {
                    &SENDER
                } else {
                    &CONSUMER
                };
                let resource = format!("arn:aws:sqs:*:{ACCOUNT}:${{aws:PrincipalTag/team}}-*");
                self.put("team-queues", &[allow(actions, &resource)]);
            }
            Rights::NotAction => {
                let statement = Statement::allow(&[])
                    .but(&[
                        "iam:*",
                        "organizations:*",
                        "sqs:ReceiveMessage",
                        "sqs:Purge*",
                    ])
                    .on(&["*"]);
                self.put("all-but", &[statement]);
            }
            Rights::NotResource => {
                let others = format!("arn:aws:sqs:*:{ACCOUNT}:prod-*");
                let statement = Statement::allow(&["sqs:SendMessage"]).everywhere_but(&[others]);
                self.put("all-but-production", &[statement]);
            }
            Rights::Partner => self.attached.push(customer("partner-delivery")),
            Rights::Aws(name) => self.attached.push(of_aws(name)),
        }
    }

    fn send_to_one(&mut self) {
        if let Some((number, queue)) = self.own_queue()
            && self.consumes != Some(number)
        {
            self.grant("send", &SENDER, "kms:GenerateDataKey", queue);
        }
    }

    fn consume_one(&mut self) {
        if let Some((number, queue)) = self.own_queue() {
            self.consumes = Some(number);
            self.grant("consume", &CONSUMER, "kms:Decrypt", queue);
        }
    }

    fn stage(&mut self) {
        self.consume_one();
        self.send_to_one();
    }

    fn one_loop(&mut self) {
        let queues = self.component.queues.iter();
        let plain = queues.filter_map(|number| Some((*number, self.land.queues.get(*number)?)));
        let plain: Vec<_> = plain.filter(|(_, queue)| queue.key.is_none()).collect();
        if plain.is_empty() {
            return;
        }
        let (number, queue) = self.random.pick(&plain);
        self.consumes = Some(number);
        self.is_narrow_loop = true;
        if self.random.chance(500) {
            let actions = [&CONSUMER[..], &SENDER].concat();
            let statement = Statement::allow(&actions)
                .sid("Retry")
                .on(&[queue.arn.as_str()]);
            self.put("queues", &[statement]);
        } else {
            self.grant("consume", &CONSUMER, "kms:Decrypt", queue);
            self.grant("send", &SENDER, "kms:GenerateDataKey", queue);
        }
    }

    /// A queue of its service that is no dead-letter queue.
    fn own_queue(&mut self) -> Option<(usize, &'l PlannedQueue)> {
        if self.component.queues.is_empty() {
            return None;
        }
        let number = self.random.pick(&self.component.queues);
        Some((number, self.land.queues.get(number)?))
    }

    /// One side of one queue: a third of the time by a policy that others attach as well.
    fn grant(&mut self, what: &str, actions: &[&str], on_key: &str, queue: &PlannedQueue) {
        let mut statements = vec![
            Statement::allow(actions)
                .sid(if what == "send" { "Send" } else { "Consume" })
                .on(&[queue.arn.as_str()]),
        ];
        if let Some(key) = queue.key.and_then(|key| self.land.keys.get(key)) {
            statements.push(
                Statement::allow(&[on_key, "kms:Decrypt"])
                    .sid("Key")
                    .on(&[key.as_str()]),
            );
        }
        if self.random.chance(350) {
            let name = format!("{}-{what}", queue.arn.resource().replace('.', "-"));
            let policy = self.shelf.shared(&name, || typed(&statements));
            if !self.attached.contains(&policy) {
                self.attached.push(policy);
            }
        } else {
            let name = format!("{what}-{}", queue.arn.resource());
            if self.inline.iter().all(|policy| policy.name != name) {
                self.put(&name, &statements);
            }
        }
    }

    fn put(&mut self, name: &str, statements: &[Statement]) {
        let document = if self.random.chance(400) {
            typed(statements)
        } else {
            text(statements)
        };
        self.inline.push(InlinePolicy {
            name: name.to_owned(),
            document,
        });
    }

    /// What a role needs for anything but queues.
    fn what_runs(&mut self, trusted: Trusted) {
        let team = self.component.team;
        if self.random.chance(700) {
            let base = format!("{}-base", self.component.name);
            self.attached.push(customer(&base));
        }
        let document = self.runtime();
        self.inline.push(InlinePolicy {
            name: "runtime".to_owned(),
            document,
        });
        match trusted {
            Trusted::Functions => self
                .attached
                .push(of_aws("service-role/AWSLambdaBasicExecutionRole")),
            Trusted::Instances => self.attached.push(of_aws("AmazonSSMManagedInstanceCore")),
            _ => self.attached.push(customer("company-logging")),
        }
        for (policy, per_mille) in [
            (customer("company-tracing"), 400),
            (customer(&format!("{team}-secrets")), 500),
            (customer("company-queue-metadata"), 100),
            (customer("company-keep-production"), 40),
        ] {
            if self.random.chance(per_mille) {
                self.attached.push(policy);
            }
        }
    }

    /// Storage, secrets and deliveries of the role's own: most of what stands in policies has nothing to do with queues.
    fn runtime(&mut self) -> PolicyText {
        let (name, region) = (&self.component.name, self.component.region);
        let own = self.random.hex(6);
        let here = |service: &str, what: &str| {
            format!("arn:aws:{service}:{region}:{ACCOUNT}:{what}{name}-{own}")
        };
        let files = format!("arn:aws:s3:::acme-{name}-{own}");
        typed(&[
            Statement::allow(&[
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
            ])
            .sid("Table")
            .on(&[
                here("dynamodb", "table/"),
                here("dynamodb", "table/") + "/index/*",
            ]),
            Statement::allow(&["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"])
                .sid("Files")
                .on(&[format!("{files}/*")])
                .when(json!({"StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}})),
            Statement::allow(&["s3:ListBucket", "s3:GetBucketLocation"])
                .sid("Folder")
                .on(&[&files]),
            Statement::allow(&["sns:Publish"])
                .sid("Publish")
                .on(&[here("sns", "")]),
            Statement::allow(&[
                "secretsmanager:GetSecretValue",
                "secretsmanager:DescribeSecret",
            ])
            .sid("Secrets")
            .on(&[here("secretsmanager", "secret:") + "-??????"]),
            Statement::allow(&[
                "ssm:GetParameter",
                "ssm:GetParameters",
                "ssm:GetParametersByPath",
            ])
            .sid("Parameters")
            .on(&[here("ssm", "parameter/") + "/*"]),
            Statement::allow(&["logs:CreateLogStream", "logs:PutLogEvents"])
                .sid("Logs")
                .on(&[here("logs", "log-group:/app/") + ":*"]),
            Statement::allow(&["events:PutEvents"])
                .sid("Events")
                .on(&[here("events", "event-bus/")])
                .when(json!({"StringEquals": {"events:source": format!("acme.{name}")}})),
        ])
    }

    fn denials(&mut self) {
        for (name, per_mille) in [("company-secure-transport", 50), ("company-network", 20)] {
            if self.random.chance(per_mille) {
                self.attached.push(customer(name));
            }
        }
        if self.random.chance(15) {
            let region = self.component.region;
            let statement = Statement::deny(&["sqs:*"])
                .sid("OwnRegion")
                .on(&["*"])
                .when(json!({"StringNotEquals": {"aws:RequestedRegion": region}}));
            self.put("own-region", &[statement]);
        }
    }

    fn boundary(&mut self) -> Option<Arn> {
        const BOUNDARIES: [(usize, &str); 4] = [
            (50, "boundary/company"),
            (30, "boundary/workload"),
            (10, "boundary/storage"),
            (10, "boundary/home-region"),
        ];
        let bounded = self.random.chance(100) && !self.is_narrow_loop;
        let name = self.random.weighted(&BOUNDARIES)?;
        bounded.then(|| customer(name))
    }

    fn tags(&mut self) -> Vec<Tag> {
        if self.random.chance(150) {
            return Vec::new();
        }
        let tag = |key: &str, value: &str| Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        vec![
            tag("env", self.component.environment),
            tag("managed-by", "terraform"),
            tag("service", &self.component.service),
            tag("team", self.component.team),
        ]
    }
}

fn trust(trusted: Trusted, component: &Component, random: &mut Random) -> PolicyText {
    let assume = |principal: Value| Statement::allow(&["sts:AssumeRole"]).for_principal(principal);
    let service = |name: &str| assume(json!({ "Service": name }));
    let statement = match trusted {
        Trusted::Functions => service("lambda.amazonaws.com"),
        Trusted::Tasks => service("ecs-tasks.amazonaws.com")
            .when(json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
        Trusted::Instances => service("ec2.amazonaws.com"),
        Trusted::Service(name) => service(name),
        Trusted::People => Statement::allow(&["sts:AssumeRoleWithSAML", "sts:TagSession"])
            .for_principal(json!({
                "Federated": format!("arn:aws:iam::{ACCOUNT}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"),
            }))
            .when(json!({"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}})),
        Trusted::Pipeline => Statement::allow(&["sts:AssumeRoleWithWebIdentity"])
            .for_principal(json!({
                "Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"),
            }))
            .when(json!({"StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": format!("repo:acme/{}:ref:refs/heads/main", component.service),
            }})),
        Trusted::OwnAccount => {
            let root = assume(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
            if random.chance(500) {
                root.when(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
            } else {
                root
            }
        }
        Trusted::Partner => assume(json!({"AWS": format!("arn:aws:iam::{PARTNER}:root")}))
            .when(json!({"StringEquals": {"sts:ExternalId": random.uuid()}})),
    };
    text(&[statement])
}
