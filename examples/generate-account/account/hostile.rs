//! What somebody does to an account who wants an audit of it never to end: the longest policy that IAM takes, made of
//! wildcards, on every role, and a thousand statements in the groups of every user.

use patscan::account::{Account, Group, InlinePolicy, ManagedPolicy, PolicyText};
use serde_json::json;

use super::arn;
use super::document::{Statement, text};
use super::managed::customer;
use super::random::Random;

/// The longest managed policy, in characters without spaces ("IAM and AWS STS quotas").
const LONGEST_POLICY: usize = 6_144;
/// The most that the inline policies of a group may have together.
const LONGEST_INLINE: usize = 5_120;
/// The most groups that a user can be in.
const MOST_GROUPS: usize = 10;
const GROUPS: usize = 20;
const STATEMENTS_OF_GROUPS: usize = 1_000;

/// Makes the account hostile.
pub(super) fn make_hostile(account: &mut Account, seed: u64) {
    let policy = customer("wildcards");
    account.policies.push(ManagedPolicy {
        arn: policy.clone(),
        document: Some(longest_policy(seed)),
    });
    for role in &mut account.roles {
        role.attached.push(policy.clone());
    }
    let groups: Vec<Group> = (0..GROUPS).map(|number| group(seed, number)).collect();
    for (number, user) in account.users.iter_mut().enumerate() {
        let left = MOST_GROUPS.saturating_sub(user.groups.len());
        // Every other user is in the first half of the groups, the others in the second.
        let some = groups
            .iter()
            .cycle()
            .skip(number % 2 * MOST_GROUPS)
            .take(left);
        user.groups
            .extend(some.map(|group| group.arn.name().to_owned()));
        user.groups.sort();
    }
    account.groups.extend(groups);
    account.sort();
}

fn longest_policy(seed: u64) -> PolicyText {
    let mut random = Random::of(seed, "wildcards", 0);
    let mut statements = Vec::new();
    loop {
        statements.push(statement(&mut random));
        if text(&statements).as_str().len() > LONGEST_POLICY {
            statements.pop();
            return text(&statements);
        }
    }
}

fn group(seed: u64, number: usize) -> Group {
    let mut random = Random::of(seed, "wildcards of groups", number);
    let mut statements = Vec::new();
    while statements.len() < STATEMENTS_OF_GROUPS / GROUPS {
        statements.push(statement(&mut random));
        if text(&statements).as_str().len() > LONGEST_INLINE {
            statements.pop();
        }
    }
    Group {
        arn: arn("iam", "", &format!("group/wildcards-{number}")),
        inline: vec![InlinePolicy {
            name: "wildcards".to_owned(),
            document: text(&statements),
        }],
        attached: Vec::new(),
    }
}

/// A short statement with as many wildcards as fit; one in ten denies, one in ten has a condition.
fn statement(random: &mut Random) -> Statement {
    let action = random.pick(&[
        "sqs:*",
        "sqs:S*",
        "sqs:*e*e*",
        "sqs:*M*e",
        "s*s:*e*",
        "*",
        "*:*e*",
        "s?s:?????*",
    ]);
    let statement = if random.chance(100) {
        Statement::deny(&[random.pick(&["sqs:Purge*", "sqs:*m?v*", "*:*Perm*"])])
    } else {
        Statement::allow(&[action])
    };
    let statement = statement.on(&[format!("arn:aws:sqs:*:*:{}", pattern(random))]);
    if random.chance(100) {
        statement
            .when(json!({"StringLike": {"aws:ResourceTag/team": format!("*{}*", letter(random))}}))
    } else {
        statement
    }
}

fn pattern(random: &mut Random) -> String {
    let mut pattern = String::from("*");
    for _ in 0..2 + random.below(4) {
        pattern.push(letter(random));
        pattern.push_str(random.pick(&["*", "*", "?*", "*?", "*-*"]));
    }
    pattern
}

fn letter(random: &mut Random) -> char {
    random.pick(&[
        'a', 'c', 'd', 'e', 'i', 'm', 'n', 'o', 'p', 'r', 's', 't', 'u', '-',
    ])
}
