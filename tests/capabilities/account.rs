//! Accounts as the cases write them, in short, and the snapshots that they stand for.
//!
//! Things are named as people name them (`orders`, `app`), what a case leaves out is filled in, and what is misspelt is
//! refused. `fixtures/README.md` describes the form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) const REGION: &str = "eu-west-1";

/// The accounts of the project's worked cases, A to C, and two more.
pub(super) fn account_id(letter: &str) -> &'static str {
    match letter {
        "A" => "111122223333",
        "B" => "444455556666",
        "C" => "777788889999",
        "D" => "222233334444",
        "MANAGEMENT" => "999900001111",
        _ => panic!("there is no account `{letter}`"),
    }
}

/// `role/app`, `B:role/x`, `sns.amazonaws.com` or `*` as answers name them.
pub(super) fn principal(name: &str) -> String {
    let (letter, resource) = letter_and(name);
    if resource.contains('/') {
        format!("arn:aws:iam::{}:{resource}", account_id(letter))
    } else {
        resource.to_owned()
    }
}

/// `orders`, `us-east-1/orders` or `B:orders` as an ARN.
pub(super) fn queue(name: &str) -> String {
    let (letter, rest) = letter_and(name);
    let (region, name) = rest.split_once('/').unwrap_or((REGION, rest));
    format!("arn:aws:sqs:{region}:{}:{name}", account_id(letter))
}

fn letter_and(name: &str) -> (&str, &str) {
    match name.split_once(':') {
        Some((letter, rest)) => (letter, rest),
        None => ("A", name),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Account {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
    roles: BTreeMap<String, Role>,
    queues: BTreeMap<String, Queue>,
    keys: BTreeMap<String, Key>,
    /// Functions by name, with the name of their role.
    functions: BTreeMap<String, String>,
    /// Queues by the name of the function that is invoked with their messages.
    polls: BTreeMap<String, String>,
    /// Instances by id, with the name of their role.
    instances: BTreeMap<String, String>,
    organization: Organization,
    coverage: Value,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            queues: BTreeMap::new(),
            keys: BTreeMap::new(),
            functions: BTreeMap::new(),
            polls: BTreeMap::new(),
            instances: BTreeMap::new(),
            organization: Organization::Word("none".to_owned()),
            coverage: json!({}),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct User {
    allow: Vec<Statement>,
    boundary: Option<Vec<Statement>>,
    groups: Vec<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Group {
    allow: Vec<Statement>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Role {
    allow: Vec<Statement>,
    boundary: Option<Vec<Statement>>,
    /// Services by name, accounts by id; Lambda when nobody is named.
    trust: Vec<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Queue {
    policy: Option<Vec<Statement>>,
    /// `sqs` for keys that SQS manages, else what names a key.
    encryption: Option<String>,
    dead_letters: Option<String>,
    redrive_allow: Option<RedriveAllow>,
    fifo: bool,
    tags: BTreeMap<String, String>,
    /// Its attributes could not be read.
    unread: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RedriveAllow {
    Word(String),
    Queues(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Key {
    region: String,
    policy: Readable<Vec<Statement>>,
    grants: Readable<BTreeMap<String, Map<String, Value>>>,
    aliases: Readable<Vec<String>>,
    state: String,
    manager: String,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            region: REGION.to_owned(),
            policy: Readable::Read(Vec::new()),
            grants: Readable::Read(BTreeMap::new()),
            aliases: Readable::Read(Vec::new()),
            state: "Enabled".to_owned(),
            manager: "customer".to_owned(),
        }
    }
}

/// Something, or the word `unread`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Readable<T> {
    Read(T),
    Unread(String),
}

impl<T> Readable<T> {
    fn read(self) -> Option<T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Unread(word) => {
                assert_eq!(word, "unread");
                None
            }
        }
    }
}

/// `none`, `unread`, or a place in an organization.
#[derive(Deserialize)]
#[serde(untagged)]
enum Organization {
    Word(String),
    Member(Membership),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Membership {
    id: String,
    /// The path below the organization, `r-1/ou-1/`.
    path: Option<String>,
    #[serde(default)]
    is_management: bool,
    #[serde(default)]
    scps: Levels,
    #[serde(default)]
    rcps: Levels,
}

/// `unread`, `off`, or policies by level; a level that is left out has the policy that allows everything.
#[derive(Deserialize)]
#[serde(untagged)]
enum Levels {
    Word(String),
    Levels(BTreeMap<String, BTreeMap<String, Readable<Vec<Statement>>>>),
}

impl Default for Levels {
    fn default() -> Self {
        Self::Levels(BTreeMap::new())
    }
}

/// A statement as AWS writes it. Without an effect it allows; without a resource it is for every one.
#[derive(Deserialize)]
#[serde(transparent)]
struct Statement(Map<String, Value>);

fn document(statements: Vec<Statement>, in_trust: bool) -> Value {
    let fill = |Statement(mut statement): Statement| {
        statement.entry("Effect").or_insert_with(|| json!("Allow"));
        if !in_trust && !statement.contains_key("NotResource") {
            statement.entry("Resource").or_insert_with(|| json!("*"));
        }
        Value::Object(statement)
    };
    let statements: Vec<Value> = statements.into_iter().map(fill).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn inline(statements: Vec<Statement>) -> Value {
    if statements.is_empty() {
        return json!([]);
    }
    json!([{"name": "own", "document": document(statements, false)}])
}

fn tags(tags: &BTreeMap<String, String>) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

impl Account {
    /// The account as a snapshot holds it.
    pub(super) fn snapshot(self, letter: &str) -> Value {
        let id = account_id(letter);
        let mut policies = Vec::new();
        let iam = |resource: String| format!("arn:aws:iam::{id}:{resource}");
        let mut limit = |boundary: Option<Vec<Statement>>, name: &str| {
            boundary.map(|statements| {
                let arn = iam(format!("policy/boundary-of-{name}"));
                policies.push(json!({"arn": arn, "document": document(statements, false)}));
                arn
            })
        };
        let users: Vec<Value> = self
            .users
            .into_iter()
            .map(|(name, user)| {
                json!({"arn": iam(format!("user/{name}")), "id": format!("AIDA{}", name.to_uppercase()),
                    "groups": user.groups, "tags": tags(&user.tags), "boundary": limit(user.boundary, &name),
                    "inline": inline(user.allow)})
            })
            .collect();
        let roles: Vec<Value> = self
            .roles
            .into_iter()
            .map(|(name, role)| {
                let short = name.rsplit('/').next().unwrap();
                json!({"arn": iam(format!("role/{name}")), "id": format!("AROA{}", short.to_uppercase()),
                    "trust": trust(&role.trust), "tags": tags(&role.tags), "boundary": limit(role.boundary, short),
                    "instance_profiles": [iam(format!("instance-profile/{short}"))],
                    "inline": inline(role.allow)})
            })
            .collect();
        let groups: Vec<Value> = self
            .groups
            .into_iter()
            .map(|(name, group)| json!({"arn": iam(format!("group/{name}")), "inline": inline(group.allow)}))
            .collect();
        let function = |name: &str| format!("arn:aws:lambda:{REGION}:{id}:function:{name}");
        let functions: Vec<Value> = self
            .functions
            .iter()
            .map(|(name, role)| json!({"arn": function(name), "role": iam(format!("role/{role}"))}))
            .collect();
        let mappings: Vec<Value> = self
            .polls
            .iter()
            .map(|(name, polled)| {
                json!({"id": name, "source": queue(&format!("{letter}:{polled}")), "function": function(name), "enabled": true})
            })
            .collect();
        let instances: Vec<Value> = self
            .instances
            .iter()
            .map(|(name, role)| {
                json!({"arn": format!("arn:aws:ec2:{REGION}:{id}:instance/{name}"),
                    "instance_profile": iam(format!("instance-profile/{role}"))})
            })
            .collect();
        let queues: Vec<Value> = self
            .queues
            .into_iter()
            .map(|(name, queue)| queue.snapshot(letter, &name))
            .collect();
        let keys: Vec<Value> = self
            .keys
            .into_iter()
            .map(|(name, key)| key.snapshot(id, &name))
            .collect();
        json!({"schema": "patscan.snapshot/v1", "account": {
            "id": id, "partition": "aws", "regions": [REGION, "us-east-1"], "scanned_at": "2026-01-31T08:00:00Z",
            "users": users, "groups": groups, "roles": roles, "policies": policies, "queues": queues, "keys": keys,
            "functions": functions, "event_source_mappings": mappings, "instances": instances,
            "organization": self.organization.snapshot(id), "coverage": self.coverage,
        }})
    }
}

fn trust(names: &[String]) -> Value {
    let names = match names {
        [] => &["lambda.amazonaws.com".to_owned()][..],
        names => names,
    };
    let statement = |name: &String| {
        let is_service = name.ends_with(".amazonaws.com");
        let kind = if is_service { "Service" } else { "AWS" };
        Statement(Map::from_iter([
            ("Principal".to_owned(), json!({ kind: name })),
            ("Action".to_owned(), json!("sts:AssumeRole")),
        ]))
    };
    document(names.iter().map(statement).collect(), true)
}

impl Queue {
    fn snapshot(self, letter: &str, name: &str) -> Value {
        let arn = queue(&format!("{letter}:{name}"));
        let (region, short) = name.split_once('/').unwrap_or((REGION, name));
        let url = format!(
            "https://sqs.{region}.amazonaws.com/{}/{short}",
            account_id(letter)
        );
        let beside = |other: &String| queue(&format!("{letter}:{other}"));
        let encryption = match self.encryption.as_deref() {
            None => json!({"mode": "none"}),
            Some("sqs") => json!({"mode": "sqs-managed"}),
            Some(key) => json!({"mode": "kms", "key": key}),
        };
        let redrive = self
            .dead_letters
            .as_ref()
            .map(|target| json!({"dead_letter_queue": beside(target), "max_receive_count": 3}));
        let redrive_allow = self.redrive_allow.map(|allow| match allow {
            RedriveAllow::Word(word) => json!({ "permission": word }),
            RedriveAllow::Queues(names) => {
                let sources: Vec<String> = names.iter().map(beside).collect();
                json!({"permission": "byQueue", "source_queues": sources})
            }
        });
        let attributes = json!({"encryption": encryption, "redrive": redrive, "redrive_allow": redrive_allow,
            "fifo": self.fifo, "policy": self.policy.map(|statements| document(statements, false))});
        json!({"arn": arn, "url": url, "tags": tags(&self.tags),
            "attributes": if self.unread { Value::Null } else { attributes }})
    }
}

impl Key {
    fn snapshot(self, account: &str, id: &str) -> Value {
        let is_customers = self.manager == "customer";
        let policy = self.policy.read().filter(|_| is_customers);
        let grants = self.grants.read().filter(|_| is_customers).map(|grants| {
            grants
                .into_iter()
                .map(|(id, mut grant)| {
                    grant.insert("id".to_owned(), json!(id));
                    Value::Object(grant)
                })
                .collect::<Vec<_>>()
        });
        json!({"arn": format!("arn:aws:kms:{}:{account}:key/{id}", self.region), "aliases": self.aliases.read(),
            "manager": self.manager, "state": self.state, "grants": grants,
            "policy": policy.map(|statements| document(statements, false))})
    }
}

impl Organization {
    fn snapshot(self, account: &str) -> Value {
        match self {
            Self::Word(word) if word == "none" => json!({"membership": "none"}),
            Self::Word(word) => {
                assert_eq!(word, "unread");
                Value::Null
            }
            Self::Member(member) => {
                let management = if member.is_management {
                    account
                } else {
                    account_id("MANAGEMENT")
                };
                let path = member.path.map(|path| format!("{}/{path}", member.id));
                json!({"membership": "member", "id": member.id, "management_account": management, "path": path,
                    "service_controls": member.scps.snapshot("FullAWSAccess", None),
                    "resource_controls": member.rcps.snapshot("RCPFullAWSAccess", Some("*"))})
            }
        }
    }
}

impl Levels {
    fn snapshot(self, full: &str, principal: Option<&str>) -> Value {
        let mut levels = match self {
            Self::Word(word) if word == "off" => return json!([]),
            Self::Word(word) => {
                assert_eq!(word, "unread");
                return Value::Null;
            }
            Self::Levels(levels) => levels,
        };
        let mut snapshot = Vec::new();
        for target in ["root", "ou", "account"] {
            let mut allow =
                json!({"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"});
            if let Some(principal) = principal {
                allow["Principal"] = json!(principal);
            }
            let everything = json!({"id": format!("p-{full}"), "name": full,
                "document": {"Version": "2012-10-17", "Statement": [allow]}});
            let policies: Vec<Value> = match levels.remove(target) {
                None => vec![everything],
                Some(policies) => policies
                    .into_iter()
                    .map(|(name, statements)| match statements {
                        Readable::Unread(word) if word == "full" => everything.clone(),
                        statements => json!({"id": format!("p-{name}"), "name": name,
                            "document": statements.read().map(|statements| document(statements, false))}),
                    })
                    .collect(),
            };
            snapshot.push(json!({"target": target, "policies": policies}));
        }
        assert!(levels.is_empty(), "levels are root, ou and account");
        Value::Array(snapshot)
    }
}
