//! The way out of a user's loop: a group for each side of the queues, each of which keeps its members off the other side. The
//! user becomes a member of one; whatever else it may do stays.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::change::{Change, Owner};
use super::document::{document, statement, written};
use super::proof::{Claims, Meant};
use super::{Ground, MOST_GROUPS, Plan, Proposal, account, free_name, queues_in_words, user};
use crate::access::Capability;
use crate::account::{Account, Group, InlinePolicy, PolicyText, User};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::finding::Finding;
use crate::policy::Effect;

const SENDS: [&str; 1] = ["sqs:sendmessage"];
const RECEIVES: [&str; 3] = [
    "sqs:receivemessage",
    "sqs:deletemessage",
    "sqs:changemessagevisibility",
];

pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    let account = account(ground, finding)?;
    let access = ground.access;
    let user = user(account, finding)?;
    if user.groups.len() >= MOST_GROUPS {
        return Err(format!(
            "the user is in {} groups already, and AWS allows {MOST_GROUPS}: take it out of one first",
            user.groups.len()
        ));
    }
    let mut principals = access.principals.iter();
    let index = principals
        .position(|principal| *principal.arn == user.arn)
        .ok_or_else(|| "the user is not among those that were decided".to_owned())?;
    let looped = ground.graph.looped().get(index);
    let queues: Vec<(usize, Arc<str>)> = looped
        .into_iter()
        .flat_map(|looped| access.queues_of(looped))
        .map(|(queue, audited)| (queue, audited.queue.arn.shared()))
        .collect();
    let [(_, first), ..] = queues.as_slice() else {
        return Err("the queues of the loop are not known".to_owned());
    };
    // What holds under conditions only must not come to hold without them.
    let is_sure = |capability: Capability| {
        queues.iter().all(|(queue, _)| {
            let rights = access.rights_on(index, *queue);
            rights.is_some_and(|rights| rights.when(capability).is_always())
        })
    };
    let receives_surely = is_sure(Capability::Receive) && is_sure(Capability::Delete);
    let base = match queues.len() {
        1 => first
            .rsplit(':')
            .next()
            .unwrap_or("queue")
            .replace('.', "-"),
        _ => user.arn.name().to_owned(),
    };
    let resources: Vec<String> = queues.iter().map(|(_, arn)| arn.to_string()).collect();
    let consumers = Side {
        suffix: "consumers",
        own: &RECEIVES,
        other: &SENDS,
        gives: receives_surely,
    };
    let generators = Side {
        suffix: "generators",
        own: &SENDS,
        other: &RECEIVES,
        gives: true,
    };
    let (consumers, mut changes) = consumers.group(account, &base, &resources)?;
    let (generators, others) = generators.group(account, &base, &resources)?;
    changes.extend(others);
    changes.push(Change::AddMember {
        user: user.arn.clone(),
        group: consumers.clone(),
    });
    let mut claims = Claims::default();
    let who = user.arn.shared();
    claims.principals.insert(Arc::clone(&who));
    for (_, queue) in &queues {
        let key = (Arc::clone(&who), Arc::clone(queue), Capability::Send);
        claims.meant.insert(key, Meant::Gone);
    }
    let short: BTreeSet<&str> = queues
        .iter()
        .map(|(_, arn)| arn.rsplit(':').next().unwrap_or(arn))
        .collect();
    let queues = queues_in_words(&short.into_iter().collect::<Vec<_>>());
    let name = user.arn.name();
    let gist = format!(
        "Make a group for each side of {queues}, {consumers} and {generators}, and {name} a member of one of them. Here it stays a consumer."
    );
    let notes = notes(user, &consumers, &generators);
    Ok(Proposal {
        plan: Plan {
            gist,
            changes,
            placements: Vec::new(),
            notes,
        },
        claims,
        promises: vec![
            format!("user {name} can no longer send to {queues}, whatever its other policies say"),
            format!(
                "user {name} can receive from {queues} as before, and every other right of it on every queue is as it was"
            ),
        ],
    })
}

/// One side of the queues, as a group.
struct Side {
    suffix: &'static str,
    /// What the side does, and what it is kept off.
    own: &'static [&'static str],
    other: &'static [&'static str],
    /// Whether the group gives what its side does.
    gives: bool,
}

impl Side {
    /// The name of the group, and what makes it.
    fn group(
        &self,
        account: &Account,
        base: &str,
        queues: &[String],
    ) -> Result<(String, Vec<Change>), String> {
        let wanted = format!("{base}-{}", self.suffix);
        let mut taken = account.groups.iter().map(|group| group.arn.name());
        let name = free_name(&wanted, 128, &mut taken);
        let arn = Arn::build(
            &account.partition,
            "iam",
            "",
            account.id.as_str(),
            &format!("group/{name}"),
        )
        .map_err(|_| format!("`{name}` cannot be the name of a group"))?;
        let part = |sid: &str, effect: Effect, actions: &[&str]| {
            let actions = actions.iter().map(|action| written(action));
            statement(sid, effect, actions, queues.iter().cloned(), None)
        };
        let mut statements = Vec::new();
        if self.gives {
            statements.push(part("OneSide", Effect::Allow, self.own));
        }
        statements.push(part("NotTheOther", Effect::Deny, self.other));
        let group = Change::AddGroup(Group {
            arn: arn.clone(),
            inline: Vec::new(),
            attached: Vec::new(),
        });
        let policy = Change::PutInline {
            owner: Owner {
                kind: Kind::Group,
                arn,
            },
            policy: InlinePolicy {
                name: "OneSide".to_owned(),
                document: PolicyText::new(&document(statements)),
            },
            replaces: false,
        };
        Ok((name, vec![group, policy]))
    }
}

fn notes(user: &User, consumers: &str, generators: &str) -> Vec<String> {
    let name = user.arn.name();
    let mut notes = vec![
        format!(
            "Which side {name} needs only the team knows. Here it keeps receiving; if it is to send instead, make it a member of {generators} \
             and not of {consumers}."
        ),
        "The Deny in each group holds whatever other policies give. Once those no longer give the other side it can go.".to_owned(),
    ];
    if user
        .access_keys
        .as_ref()
        .is_some_and(|keys| keys.active > 0)
    {
        notes.push(format!(
            "{name} has an active access key. If a program uses it, groups are not the way: give the program two processes with a role each, \
             one that sends and one that receives, and delete the key."
        ));
    }
    notes
}
