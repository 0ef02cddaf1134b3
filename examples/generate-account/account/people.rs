//! People: users in groups, whose policies say what they may do. A few have a policy of their own.

use chrono::{TimeZone as _, Utc};
use patscan::account::{AccessKeys, Group, InlinePolicy, Tag, User};
use serde_json::json;

use super::document::{Statement, text, typed};
use super::landscape::{Landscape, teams, user_name};
use super::managed::{customer, of_aws};
use super::{ACCOUNT, arn};

/// Groups besides those of the teams, with how many users in a thousand are in each.
const GROUPS: [(&str, usize); 5] = [
    ("operators", 40),
    ("support", 60),
    ("auditors", 30),
    ("sandbox", 300),
    ("administrators", 5),
];

pub(super) fn users(land: &Landscape, count: usize) -> Vec<User> {
    (0..count).map(|number| user(land, number)).collect()
}

fn user(land: &Landscape, number: usize) -> User {
    let mut random = land.random("user", number);
    let name = user_name(land.seed, number);
    let team = random.pick(teams());
    let mut groups = vec![format!("{team}-developers")];
    for (group, per_mille) in GROUPS {
        if random.chance(per_mille) {
            groups.push(group.to_owned());
        }
    }
    let mut inline = Vec::new();
    if random.chance(25) {
        let queue = match random.below(land.queues.len()) {
            chosen if random.chance(800) => land.queues.get(chosen),
            _ => None,
        };
        let resource = queue.map_or_else(
            || format!("arn:aws:sqs:*:{ACCOUNT}:dev-*"),
            |queue| queue.arn.to_string(),
        );
        let actions = if random.chance(500) {
            &["sqs:SendMessage"]
        } else {
            &["sqs:ReceiveMessage"]
        };
        inline.push(InlinePolicy {
            name: "tests".to_owned(),
            document: text(&[Statement::allow(actions).on(&[resource])]),
        });
    }
    let attached = if random.chance(10) {
        vec![of_aws("AmazonSQSReadOnlyAccess")]
    } else if random.chance(5) {
        vec![of_aws("AmazonSQSFullAccess")]
    } else {
        Vec::new()
    };
    let tag = |key: &str, value: &str| Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    User {
        arn: arn("iam", "", &format!("user/{name}")),
        id: format!("AIDA{}", random.letters(17)),
        tags: vec![
            tag("email", &format!("{name}@acme.example")),
            tag("team", team),
        ],
        groups,
        inline,
        attached,
        boundary: random.chance(100).then(|| customer("boundary/home-region")),
        access_keys: Some(access_keys(land, number)),
    }
}

/// Some people work from the command line.
fn access_keys(land: &Landscape, number: usize) -> AccessKeys {
    let mut random = land.random("access-keys", number);
    if !random.chance(150) {
        return AccessKeys::default();
    }
    let day = i64::try_from(number % 1_500).unwrap_or_default();
    let made = Utc.timestamp_opt(1_600_000_000 + 86_400 * day, 0);
    AccessKeys {
        active: 1,
        oldest: made.single(),
        newest: made.single(),
    }
}

pub(super) fn groups(land: &Landscape) -> Vec<Group> {
    let of_teams = teams().iter().map(|team| Group {
        arn: arn("iam", "", &format!("group/{team}-developers")),
        inline: Vec::new(),
        attached: vec![customer(&format!("{team}-developers"))],
    });
    let group = |name: &str, statements: &[Statement], attached: &[&str]| Group {
        arn: arn("iam", "", &format!("group/{name}")),
        inline: if statements.is_empty() {
            Vec::new()
        } else {
            vec![InlinePolicy {
                name: format!("{name}-queues"),
                document: typed(statements),
            }]
        },
        attached: attached.iter().map(|name| of_aws(name)).collect(),
    };
    let dead_letters = format!("arn:aws:sqs:*:{ACCOUNT}:*-dlq");
    let operators = [
        Statement::allow(&[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:StartMessageMoveTask",
        ])
        .sid("DeadLetters")
        .on(&[&dead_letters]),
        Statement::allow(&["sqs:PurgeQueue"])
            .sid("PurgeWithMfa")
            .on(&["*"])
            .when(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
    ];
    let sandbox = [Statement::allow(&["sqs:*"])
        .sid("OwnSandbox")
        .on(&[format!("arn:aws:sqs:*:{ACCOUNT}:${{aws:username}}-*")])];
    let home = land.component(0).region;
    let support = [Statement::deny(&["sqs:ReceiveMessage"])
        .sid("NoCustomerData")
        .on(&[format!("arn:aws:sqs:{home}:{ACCOUNT}:prod-payments*")])];
    of_teams
        .chain([
            group("operators", &operators, &[]),
            group("support", &support, &["job-function/SupportUser"]),
            group("auditors", &[], &["ReadOnlyAccess"]),
            group("sandbox", &sandbox, &[]),
            group("administrators", &[], &["AdministratorAccess"]),
        ])
        .collect()
}
