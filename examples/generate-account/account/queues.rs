//! Queues and the keys that encrypt them, with what their own policies say.

use std::collections::BTreeMap;

use patscan::account::{
    Encryption, Grant, Key, KeyManager, PolicyText, Queue, QueueAttributes, Redrive, RedriveAllow,
    Tag,
};
use patscan::arn::Arn;
use serde_json::json;

use super::document::{Statement, console, text};
use super::landscape::{Landscape, PlannedQueue};
use super::random::Random;
use super::roles::PlannedRole;
use super::{ACCOUNT, ORGANIZATION, PARTNER};

/// Whom a queue's own policy names.
#[derive(Clone, Copy)]
enum Named {
    Topic,
    Bucket,
    Rule,
    /// What the console writes: the account itself.
    Owner,
    Roles,
    PartnerAccount,
    PartnerRole,
    Organization,
    Everyone,
    /// Nobody: the policy only denies.
    Nobody,
}

/// In a thousand queue policies.
const NAMED: [(usize, Named); 10] = [
    (270, Named::Topic),
    (110, Named::Bucket),
    (150, Named::Rule),
    (170, Named::Owner),
    (120, Named::Roles),
    (40, Named::PartnerAccount),
    (30, Named::PartnerRole),
    (35, Named::Organization),
    (3, Named::Everyone),
    (72, Named::Nobody),
];

pub(super) fn queues(land: &Landscape, roles: &[PlannedRole]) -> Vec<Queue> {
    let planned = land.queues.iter().enumerate();
    let mut queues: Vec<Queue> = planned
        .map(|(number, planned)| queue(land, roles, number, planned))
        .collect();
    for planned in &land.queues {
        if let Some(target) = planned
            .dead_letters
            .and_then(|target| queues.get_mut(target))
            && let Some(attributes) = &mut target.attributes
            && planned.fifo
        {
            attributes.redrive_allow = Some(RedriveAllow::ByQueue {
                source_queues: vec![planned.arn.clone()],
            });
        }
    }
    queues
}

fn queue(land: &Landscape, roles: &[PlannedRole], number: usize, planned: &PlannedQueue) -> Queue {
    let mut random = land.random("attributes", number);
    let (region, name) = (planned.arn.region(), planned.arn.resource());
    let dead_letters = planned
        .dead_letters
        .and_then(|target| land.queues.get(target));
    let policy = random
        .chance(340)
        .then(|| policy(land, roles, number, planned, &mut random));
    let encryption = match planned.key {
        Some(key) => Encryption::Kms {
            key: match land.keys.get(key) {
                Some(arn) if random.chance(700) => arn.to_string(),
                _ => alias(key),
            },
        },
        None if random.chance(30) => Encryption::Kms {
            key: "alias/aws/sqs".to_owned(),
        },
        None if random.chance(50) => Encryption::None,
        None => Encryption::SqsManaged,
    };
    Queue {
        arn: planned.arn.clone(),
        url: format!("https://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}"),
        attributes: Some(QueueAttributes {
            policy,
            redrive: dead_letters.map(|target| Redrive {
                dead_letter_queue: target.arn.clone(),
                max_receive_count: random.pick(&[3, 5, 10]),
            }),
            redrive_allow: None,
            encryption,
            fifo: planned.fifo,
        }),
        tags: Some(tags(land, planned, &mut random)),
    }
}

fn tags(land: &Landscape, planned: &PlannedQueue, random: &mut Random) -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let mut tags = Vec::new();
    if random.chance(100) {
        return tags;
    }
    if let Some(component) = planned.component {
        let component = land.component(component);
        tags.push(tag("env", component.environment));
        tags.push(tag("service", &component.service));
    }
    tags.push(tag("team", planned.team));
    tags
}

fn policy(
    land: &Landscape,
    roles: &[PlannedRole],
    number: usize,
    planned: &PlannedQueue,
    random: &mut Random,
) -> PolicyText {
    let own = planned.arn.as_str();
    let region = planned.arn.region();
    let service = planned
        .component
        .map_or(planned.team, |place| land.component(place).name.as_str());
    let from_service = |name: &str, source: String| {
        Statement::allow(&["sqs:SendMessage"])
            .for_principal(json!({ "Service": name }))
            .on(&[own])
            .when(json!({"ArnEquals": {"aws:SourceArn": source}}))
    };
    let aws = |principal: &str, actions: &[&str]| {
        Statement::allow(actions)
            .for_principal(json!({ "AWS": principal }))
            .on(&[own])
    };
    let named = random.weighted(&NAMED).unwrap_or(Named::Nobody);
    let mut statements: Vec<Statement> = match named {
        Named::Topic => {
            let topic = format!("arn:aws:sns:{region}:{ACCOUNT}:{service}-topic");
            vec![from_service("sns.amazonaws.com", topic).sid("topic")]
        }
        Named::Bucket => {
            let bucket = format!("arn:aws:s3:::acme-{service}");
            vec![from_service("s3.amazonaws.com", String::new()).when(json!({
                "ArnLike": {"aws:SourceArn": bucket},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            }))]
        }
        Named::Rule => {
            let rule = format!("arn:aws:events:{region}:{ACCOUNT}:rule/{service}-rule");
            vec![from_service("events.amazonaws.com", rule).sid("rule")]
        }
        Named::Owner => {
            vec![aws(&format!("arn:aws:iam::{ACCOUNT}:root"), &["SQS:*"]).sid("__owner_statement")]
        }
        Named::Roles => named_roles(land, roles, number, own, random),
        Named::PartnerAccount => {
            vec![
                aws(
                    &format!("arn:aws:iam::{PARTNER}:root"),
                    &["sqs:SendMessage"],
                )
                .sid("partner"),
            ]
        }
        Named::PartnerRole => {
            let role = format!("arn:aws:iam::{PARTNER}:role/acme-{service}");
            vec![aws(&role, &["sqs:ReceiveMessage", "sqs:DeleteMessage"]).sid("partner")]
        }
        Named::Organization => vec![
            aws("*", &["sqs:SendMessage"])
                .sid("organization")
                .when(json!({"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}})),
        ],
        Named::Everyone => vec![aws("*", &["sqs:SendMessage"]).sid("everyone")],
        Named::Nobody => Vec::new(),
    };
    let deny = |sid: &str, actions: &[&str]| {
        Statement::deny(actions)
            .sid(sid)
            .for_principal(json!("*"))
            .on(&[own])
    };
    if statements.is_empty() || random.chance(300) {
        statements.push(
            deny("DenyInsecureTransport", &["sqs:*"])
                .when(json!({"Bool": {"aws:SecureTransport": "false"}})),
        );
    }
    if random.chance(20) {
        statements.push(deny("DenyOutsideNetwork", &["sqs:ReceiveMessage"]).when(
            json!({"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-0a1b2c3d4e5f60718"}}),
        ));
    }
    match named {
        Named::Owner => console(&statements),
        _ => text(&statements),
    }
}

/// Up to two roles of the queue's own service, as senders.
fn named_roles(
    land: &Landscape,
    roles: &[PlannedRole],
    number: usize,
    own: &str,
    random: &mut Random,
) -> Vec<Statement> {
    let place = number % land.components.len();
    let of_service: Vec<&PlannedRole> = roles
        .iter()
        .skip(place)
        .step_by(land.components.len())
        // A second grant would make a loop where none was meant.
        .filter(|planned| planned.consumes != Some(number))
        .collect();
    if of_service.is_empty() {
        return Vec::new();
    }
    let mut senders: Vec<&str> = (0..2)
        .map(|_| random.pick(&of_service).role.arn.as_str())
        .collect();
    senders.sort_unstable();
    senders.dedup();
    vec![
        Statement::allow(&["sqs:SendMessage"])
            .sid("senders")
            .for_principal(json!({ "AWS": senders }))
            .on(&[own]),
    ]
}

/// The alias of the key with this number.
fn alias(key: usize) -> String {
    format!("alias/queues-{key}")
}

pub(super) fn keys(land: &Landscape, roles: &[PlannedRole]) -> Vec<Key> {
    let keys = land.keys.iter().enumerate();
    keys.map(|(number, arn)| key(land, roles, number, arn))
        .collect()
}

fn key(land: &Landscape, roles: &[PlannedRole], number: usize, arn: &Arn) -> Key {
    let mut random = land.random("key policy", number);
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let mut statements = vec![
        Statement::allow(&["kms:*"])
            .sid("Enable IAM User Permissions")
            .for_principal(json!({ "AWS": root }))
            .on(&["*"]),
    ];
    let users: Vec<&PlannedRole> = roles
        .iter()
        .skip(number * 4)
        .step_by(land.components.len())
        .collect();
    let mut grants = Vec::new();
    if !users.is_empty() {
        let chosen = random.pick(&users).role.arn.as_str();
        if random.chance(300) {
            statements.push(
                Statement::allow(&["kms:Decrypt", "kms:GenerateDataKey"])
                    .sid("ThroughQueues")
                    .for_principal(json!({ "AWS": chosen }))
                    .on(&["*"])
                    .when(json!({"StringEquals": {
                        "kms:ViaService": format!("sqs.{}.amazonaws.com", arn.region()),
                        "kms:CallerAccount": ACCOUNT,
                    }})),
            );
        }
        if random.chance(100) {
            grants.push(Grant {
                id: random.hex(64),
                grantee: chosen.to_owned(),
                operations: vec!["Decrypt".to_owned(), "GenerateDataKey".to_owned()],
                context_subset: BTreeMap::new(),
                context_equals: None,
                source_arn: None,
            });
        }
    }
    if random.chance(500) {
        statements.push(
            Statement::allow(&["kms:Decrypt", "kms:GenerateDataKey*"])
                .sid("Deliveries")
                .for_principal(json!({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}))
                .on(&["*"])
                .when(json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
        );
    }
    Key {
        arn: arn.clone(),
        aliases: Some(vec![alias(number)]),
        manager: KeyManager::Customer,
        state: "Enabled".to_owned(),
        policy: Some(text(&statements)),
        grants: Some(grants),
    }
}
