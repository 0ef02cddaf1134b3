//! The way out of `overbroad-wildcard`: what holders can really do today, action by action and queue by queue.
//!
//! Only the actions of SQS and the queues that were read can be written out. Where a statement is about other services as well,
//! or reaches further than what was read, there is nothing to write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Change, Owner};
use super::document::{Draft, Obstacle, Said, as_text, member, texts, with};
use super::proof::Claims;
use super::{Ground, Plan, Proposal, account, is_not_ours};
use crate::access::{Capability, SQS_ACTIONS};
use crate::account::{Account, InlinePolicy, PolicyText};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::finding::Finding;
use crate::policy::{Json, PolicyKind, ResourceSet, Statement};

/// One policy with statements that are too wide.
struct Wide<'a> {
    text: &'a str,
    /// The labels of those statements.
    labels: BTreeSet<Arc<str>>,
    /// What to do with the new text.
    place: Place,
}

enum Place {
    Inline { owner: Owner, name: String },
    Managed(Arn),
}

pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    let account = account(ground, finding)?;
    let wides = wide_policies(account, finding)?;
    let holders = holders(ground, finding);
    if holders.is_empty() {
        return Err(
            "nobody holds it today, so that nothing tells what it is needed for: take it off whoever carries it"
                .to_owned(),
        );
    }
    let mut changes = Vec::new();
    let mut notes = Vec::new();
    for wide in wides {
        let draft = Draft::read(wide.text, PolicyKind::Identity)?;
        let mut statements = Vec::new();
        for said in &draft.statements {
            match &said.parsed {
                Some(parsed) if wide.labels.contains(said.label.as_str()) => {
                    statements.extend(narrowed(ground, account, &holders, said, parsed)?);
                }
                _ => statements.push(said.json.clone()),
            }
        }
        if statements.is_empty() {
            return Err(
                "nobody can do anything by it today, so that nothing would be left of it: take it off whoever carries it"
                    .to_owned(),
            );
        }
        let text = PolicyText::new(&draft.write(statements));
        changes.push(match wide.place {
            Place::Inline { owner, name } => Change::PutInline {
                owner,
                policy: InlinePolicy {
                    name,
                    document: text,
                },
                replaces: true,
            },
            Place::Managed(policy) => Change::SetManaged {
                policy,
                document: text,
            },
        });
    }
    if changes.is_empty() {
        return Err("the statements that are too wide were not found again".to_owned());
    }
    notes.push(
        "This is what holders can do today, written out. Take out the actions and queues that they do not use: \"Last accessed\" in IAM lists what is used."
            .to_owned(),
    );
    notes.push("Queues that come later have to be added by name.".to_owned());
    let mut claims = Claims::default();
    for index in &holders {
        if let Some(principal) = ground.access.principals.get(*index) {
            claims.principals.insert(principal.arn.shared());
        }
    }
    let number = holders.len();
    let who = match number {
        1 => "its one holder".to_owned(),
        _ => format!("each of its {number} holders"),
    };
    Ok(Proposal {
        plan: Plan {
            gist: String::new(),
            changes,
            placements: Vec::new(),
            notes,
        },
        claims,
        promises: vec![
            "the statements name every action and, but for listing queues, every queue".to_owned(),
            format!(
                "{who} can send, receive, delete, purge and administer on every queue where it could"
            ),
        ],
    })
}

/// The policies that the finding is about.
fn wide_policies<'a>(account: &'a Account, finding: &Finding) -> Result<Vec<Wide<'a>>, String> {
    let mut labels: BTreeMap<&str, BTreeSet<Arc<str>>> = BTreeMap::new();
    for evidence in finding.evidence.iter() {
        let of_policy = labels.entry(&evidence.policy).or_default();
        of_policy.insert(Arc::clone(&evidence.statement));
    }
    let subject = &finding.subject;
    let inline = |kind: Kind, arn: &Arn, policies: &'a [InlinePolicy]| -> Vec<Wide<'a>> {
        policies
            .iter()
            .filter_map(|policy| {
                let name = crate::access::inline_name(kind, arn, &policy.name);
                Some(Wide {
                    text: policy.document.as_str(),
                    labels: labels.get(name.as_str())?.clone(),
                    place: Place::Inline {
                        owner: Owner {
                            kind,
                            arn: arn.clone(),
                        },
                        name: policy.name.clone(),
                    },
                })
            })
            .collect()
    };
    let is_subject = |arn: &Arn| arn.as_str() == &*subject.arn;
    match subject.kind {
        Kind::Policy => {
            let mut policies = account.policies.iter();
            let policy = policies.find(|policy| is_subject(&policy.arn));
            let known = policy.and_then(|policy| Some((policy, policy.document.as_ref()?)));
            let (policy, text) =
                known.ok_or_else(|| "the text of the policy was not read".to_owned())?;
            if policy.arn.account() != account.id.as_str() {
                return Err(
                    "AWS writes this policy; attach a policy of your own in its place, with the actions and resources that are used"
                        .to_owned(),
                );
            }
            Ok(vec![Wide {
                text: text.as_str(),
                labels: labels.remove(&*subject.arn).unwrap_or_default(),
                place: Place::Managed(policy.arn.clone()),
            }])
        }
        Kind::Role => {
            let mut roles = account.roles.iter();
            let role = roles.find(|role| is_subject(&role.arn));
            let role = role.ok_or_else(|| "the role was not read".to_owned())?;
            match is_not_ours(&role.arn) {
                Some(reason) => Err(reason),
                None => Ok(inline(Kind::Role, &role.arn, &role.inline)),
            }
        }
        Kind::Group => {
            let mut groups = account.groups.iter();
            let group = groups.find(|group| is_subject(&group.arn));
            Ok(group.map_or_else(Vec::new, |one| inline(Kind::Group, &one.arn, &one.inline)))
        }
        Kind::User => {
            let mut users = account.users.iter();
            let user = users.find(|user| is_subject(&user.arn));
            Ok(user.map_or_else(Vec::new, |one| inline(Kind::User, &one.arn, &one.inline)))
        }
        _ => Err(
            "whom the queue is for is known to the team only: name those principals and their actions in its policy"
                .to_owned(),
        ),
    }
}

/// The users and roles that carry the policies, by index.
fn holders(ground: &Ground<'_>, finding: &Finding) -> Vec<usize> {
    let named: BTreeSet<&Entity> = finding.principals.iter().map(|one| &one.entity).collect();
    let principals = ground.access.principals.iter().enumerate();
    principals
        .filter(|(_, one)| named.contains(&Entity::new(one.kind, one.arn.shared())))
        .map(|(index, _)| index)
        .collect()
}

/// The resources of a statement that can be written out; the error says why it cannot.
fn writable<'s>(
    account: &Account,
    said: &Said<'_>,
    parsed: &'s Statement,
) -> Result<&'s ResourceSet, Obstacle> {
    let label = &said.label;
    let resources = parsed.resources.as_ref();
    let (Some(resources), false) = (resources, parsed.actions.negated) else {
        return Err(format!(
            "statement {label} names what it does not give (NotAction), and what is meant by the rest only the team knows"
        ));
    };
    if resources.negated {
        return Err(format!(
            "statement {label} names where it gives nothing (NotResource), and what is meant by the rest only the team knows"
        ));
    }
    let of_sqs = |text: &String| text.to_lowercase().starts_with("sqs:");
    if !parsed.actions.texts.iter().all(of_sqs) {
        return Err(format!(
            "statement {label} is about other services than SQS, whose actions in use patscan does not know"
        ));
    }
    if parsed.has_variable_resources() {
        return Err(format!(
            "statement {label} names queues by a variable, which stands for others in each request"
        ));
    }
    let elsewhere = |pattern: &crate::policy::ResourcePattern| {
        let known = pattern.text().split(':').nth(4);
        !pattern.is_everything()
            && known.is_none_or(|known| known != account.id.as_str() && known != "*")
    };
    if let Some(foreign) = resources.patterns.iter().find(|one| elsewhere(one)) {
        return Err(format!(
            "statement {label} reaches queues of other accounts ({})",
            foreign.text()
        ));
    }
    Ok(resources)
}

/// What holders can do of what a statement gives, written out.
fn narrowed<'a>(
    ground: &Ground<'_>,
    account: &Account,
    holders: &[usize],
    said: &Said<'a>,
    parsed: &Statement,
) -> Result<Vec<Json<'a>>, Obstacle> {
    let resources = writable(account, said, parsed)?;
    let queues = ground
        .access
        .queues
        .iter()
        .enumerate()
        .filter(|(_, audited)| {
            let mut patterns = resources.patterns.iter();
            patterns.any(|one| one.could_match(audited.queue.arn.as_str(), PolicyKind::Identity))
        });
    // The queues on which a holder can really do something, by the actions of which that something is made.
    let mut by_actions: BTreeMap<Vec<&'static str>, Vec<String>> = BTreeMap::new();
    for (queue, audited) in queues {
        let actions: Vec<&'static str> = SQS_ACTIONS
            .iter()
            .filter(|action| action.on_queues)
            .filter(|action| parsed.actions.contains(&action.name.to_lowercase()))
            .filter(|action| {
                action
                    .capability
                    .is_none_or(|capability| is_held(ground, holders, queue, capability))
            })
            .map(|action| action.name)
            .collect();
        if !actions.is_empty() {
            let arn = audited.queue.arn.to_string();
            by_actions.entry(actions).or_default().push(arn);
        }
    }
    let mut statements = Vec::new();
    for (actions, queues) in by_actions {
        let is_administration = |action: &&str| {
            SQS_ACTIONS.iter().any(|known| {
                known.name == *action
                    && matches!(
                        known.capability,
                        Some(Capability::Administer | Capability::Purge)
                    )
            })
        };
        // Apart, so that it is seen and can be taken out whole.
        let (administration, others): (Vec<&str>, Vec<&str>) =
            actions.into_iter().partition(is_administration);
        for (part, actions) in [("", others), ("Administration", administration)] {
            if !actions.is_empty() {
                let resources = Json::Array(
                    queues
                        .iter()
                        .map(|queue| Json::String(queue.clone().into()))
                        .collect(),
                );
                statements.push((part, actions, resources));
            }
        }
    }
    if parsed.actions.contains("sqs:listqueues") && resources.is_everything() {
        let everything = Json::String("*".into());
        statements.push(("List", vec!["sqs:ListQueues"], everything));
    }
    let name = member(&said.json, "Sid")
        .and_then(as_text)
        .unwrap_or("Queues");
    Ok(statements
        .into_iter()
        .zip(1..)
        .map(|((part, actions, resources), number)| {
            let number = match number {
                1 => String::new(),
                number => number.to_string(),
            };
            let name = Json::String(format!("{name}{part}{number}").into());
            let narrow = with(&said.json, "Sid", Some(name));
            let actions = texts(actions.into_iter().map(str::to_owned));
            let narrow = with(&narrow, "Action", Some(actions));
            with(&narrow, "Resource", Some(resources))
        })
        .collect())
}

/// Whether some holder has the capability on the queue, perhaps under conditions.
fn is_held(ground: &Ground<'_>, holders: &[usize], queue: usize, capability: Capability) -> bool {
    holders.iter().any(|holder| {
        let rights = ground.access.rights_on(*holder, queue);
        rights.is_some_and(|rights| {
            let mut sessions = rights.sessions();
            sessions.any(|session| !session.when(capability).is_never())
        })
    })
}
