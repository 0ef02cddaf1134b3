//! The way out of `queue-feedback-loop` and `shared-role`: two roles. The old role stays the consumer, with everything else that
//! it could do; a new one takes over sending to the queues, under the conditions that the old one had. What is known to be a
//! generator moves there, with what the role's policies say of other services.

mod generator;
mod resource;
mod shared;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::change::Change;
use super::document::{Draft, Obstacle, document, statement, without, written};
use super::proof::{Claims, Heir, Meant};
use super::taking::{Left, owner, rewritten};
use super::{
    Ground, Placement, Plan, Proposal, account, free_name, is_not_ours, queues_in_words,
    side_groups,
};
use crate::access::{Capability, Layer, Principal, QueueSet, SQS_ACTIONS, key_of_queue};
use crate::account::{Account, InlinePolicy, Key, PolicyText, Queue, Role};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::finding::Finding;
use crate::policy::{Effect, Json, PolicyKind, Statement};
use crate::rules::sides;

const SEND: &str = "sqs:sendmessage";
const KEY_USES: [&str; 2] = ["kms:generatedatakey", "kms:decrypt"];

pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    match finding.subject.kind {
        Kind::Account => {
            return Err(
                "administrators are meant to be able to do everything; fewer of them is what helps"
                    .to_owned(),
            );
        }
        Kind::User => return side_groups::propose(ground, finding),
        _ => {}
    }
    let mut split = Split::new(ground, finding)?;
    let looped = ground.graph.looped().get(split.index);
    split.queues = looped.map_or_else(Vec::new, |looped| queues(ground, looped));
    if split.queues.is_empty() {
        return Err("the queues of the loop are not known".to_owned());
    }
    split.propose()
}

/// The same for a role that a consumer and generators share.
pub(super) fn propose_shared(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    let mut split = Split::new(ground, finding)?;
    let sides = sides(ground.graph, split.index);
    let sides = sides.filter(|sides| !sides.generators.is_empty());
    let sides = sides.ok_or_else(|| "its two sides were not found again".to_owned())?;
    split.queues = queues(ground, &sides.filled);
    split.generators = sides.generators;
    split.consumers = sides.consumers;
    split.propose()
}

fn queues<'a>(ground: &Ground<'a>, set: &QueueSet) -> Vec<(usize, &'a Queue)> {
    let queues = ground.access.queues_of(set);
    queues
        .map(|(queue, audited)| (queue, audited.queue))
        .collect()
}

struct Split<'a> {
    ground: &'a Ground<'a>,
    account: &'a Account,
    role: &'a Role,
    principal: &'a Principal<'a>,
    /// The index of the role among the principals.
    index: usize,
    /// The queues that the old role is to send to no more, with their index.
    queues: Vec<(usize, &'a Queue)>,
    /// The workloads that move to the new role, and those that AWS empties queues into, by their place. None where nothing tells
    /// what runs as the role apart.
    generators: BTreeSet<usize>,
    consumers: BTreeSet<usize>,
    /// The new role.
    heir: Arn,
}

/// What the old role loses.
#[derive(Default)]
struct Narrowed {
    changes: Vec<Change>,
    /// What patterns gave it besides on the queues, and neither side needs.
    dropped: BTreeSet<&'static str>,
}

impl<'a> Split<'a> {
    fn new(ground: &'a Ground<'a>, finding: &Finding) -> Result<Self, String> {
        let account = account(ground, finding)?;
        let mut roles = account.roles.iter();
        let role = roles
            .find(|role| role.arn.as_str() == &*finding.subject.arn)
            .ok_or_else(|| "the role is not among those that were read".to_owned())?;
        if let Some(reason) = is_not_ours(&role.arn) {
            return Err(reason);
        }
        let mut principals = ground.access.principals.iter().enumerate();
        let (index, principal) = principals
            .find(|(_, principal)| *principal.arn == role.arn)
            .ok_or_else(|| "the role is not among those that were decided".to_owned())?;
        let mut taken = account.roles.iter().map(|role| role.arn.name());
        let wanted = format!("{}-generator", cut(role.arn.name(), 54));
        let name = free_name(&wanted, 64, &mut taken);
        let resource = role.arn.resource();
        let path = resource.strip_suffix(role.arn.name()).unwrap_or("role/");
        let heir = Arn::build(
            role.arn.partition(),
            "iam",
            "",
            role.arn.account(),
            &format!("{path}{name}"),
        )
        .map_err(|_| format!("`{name}` cannot be the name of a role"))?;
        Ok(Self {
            ground,
            account,
            role,
            principal,
            index,
            queues: Vec::new(),
            generators: BTreeSet::new(),
            consumers: BTreeSet::new(),
            heir,
        })
    }

    fn propose(&self) -> Result<Proposal, String> {
        let mut changes = vec![Change::AddRole(Box::new(Role {
            arn: self.heir.clone(),
            id: format!("{}HEIR", self.role.id),
            inline: Vec::new(),
            attached: Vec::new(),
            instance_profiles: Vec::new(),
            ..self.role.clone()
        }))];
        let statements = self.of_generator()?;
        if !statements.is_empty() {
            changes.push(Change::PutInline {
                owner: owner(&self.heir),
                policy: InlinePolicy {
                    name: "Send".to_owned(),
                    document: PolicyText::new(&document(statements)),
                },
                replaces: false,
            });
        }
        let carried = self.carried_over();
        changes.extend(carried.changes);
        let mut notes = carried.notes;
        let (narrowed, by_deny) = match self.narrowed() {
            Ok(narrowed) => (narrowed, false),
            Err(obstacle) => {
                notes.push(format!(
                    "Sending is denied to the role instead of taken from its policies: {obstacle}."
                ));
                (self.denied(), true)
            }
        };
        // What the new role needs comes first, so that nobody is without it in between.
        changes.extend(self.key_policies());
        changes.extend(self.queue_policies(by_deny)?);
        changes.extend(self.moves()?);
        changes.extend(narrowed.changes);

        if !narrowed.dropped.is_empty() {
            let names: Vec<&str> = narrowed.dropped.iter().copied().collect();
            notes.push(format!(
                "A pattern gave the role {} on {} as well. Neither side needs that, and it is left out; give it to what deploys the queues.",
                names.join(", "),
                self.in_words()
            ));
        }
        let placements = if self.generators.is_empty() {
            self.placements()
        } else {
            self.places()
        };
        if self.generators.is_empty() {
            notes.extend(self.notes(&placements));
        } else {
            notes.extend(self.notes_on_moving());
        }
        let claims = self.claims(&changes, !narrowed.dropped.is_empty());
        let (old, new) = (self.role.arn.name(), self.heir.name());
        let queues = self.in_words();
        Ok(Proposal {
            plan: Plan {
                gist: self.gist(),
                changes,
                placements,
                notes,
            },
            claims,
            promises: vec![
                if self.generators.is_empty() {
                    format!("role {old} can receive from {queues} and delete there as before, and can no longer send there")
                } else {
                    format!("role {old} can receive and delete wherever it could, and can no longer send to {queues}")
                },
                format!("role {new} can send to {queues} whenever role {old} could, and can do nothing else that role {old} could not"),
                "every other right on every queue is as it was, of this role and, where a policy of a queue or a key changes, of everybody".to_owned(),
                format!("what the policies of role {old} say of other services is not touched"),
            ],
        })
    }

    fn gist(&self) -> String {
        let (old, new) = (self.role.arn.name(), self.heir.name());
        let queues = self.in_words();
        let giving: BTreeSet<Arc<str>> = self.statements_that_give_sending();
        let by = match giving.iter().collect::<Vec<_>>().as_slice() {
            [only] => format!(" (statement {only})"),
            _ => String::new(),
        };
        if self.generators.is_empty() {
            format!(
                "Take sending to {queues} from role {old}{by}: what runs as {old} then only receives. Whatever really has to send there becomes \
                 a process of its own and runs as a new role, {new}."
            )
        } else {
            let moving: Vec<&str> = self
                .workloads(&self.generators)
                .map(|workload| workload.arn.rsplit(['/', ':']).next().unwrap_or_default())
                .collect();
            let moving = match moving.as_slice() {
                names if names.len() <= 3 => names.join(", "),
                names => format!("{} workloads", names.len()),
            };
            format!(
                "Run {moving} as a new role, {new}, which can send to {queues}, and take sending there from role {old}{by}: what stays with {old} \
                 then only receives."
            )
        }
    }

    /// The statements that give the role sending to any of the queues.
    fn statements_that_give_sending(&self) -> BTreeSet<Arc<str>> {
        let provers = self.ground.access.provers();
        let Some(prover) = provers.of(self.index) else {
            return BTreeSet::new();
        };
        let mut labels = BTreeSet::new();
        for (queue, _) in self.queues.iter().take(20) {
            for session in 0..=self.principal.workloads.len() {
                let proofs = prover.prove_as(session.checked_sub(1), *queue, Capability::Send);
                let giving = proofs.iter().filter(|proof| {
                    proof.effect == Effect::Allow
                        && matches!(proof.layer, Layer::Identity | Layer::Resource)
                });
                labels.extend(giving.map(|proof| Arc::clone(&proof.statement)));
            }
        }
        labels
    }

    fn in_words(&self) -> String {
        let names: Vec<&str> = self
            .queues
            .iter()
            .map(|(_, one)| one.arn.resource())
            .collect();
        queues_in_words(&names)
    }

    fn arns(&self) -> Vec<&'a str> {
        self.queues
            .iter()
            .map(|(_, queue)| queue.arn.as_str())
            .collect()
    }

    /// The texts of the role's own policies, with their names; those that were not read give nothing that is known.
    fn documents(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let role = self.role;
        let inline = role
            .inline
            .iter()
            .map(|policy| (policy.name.as_str(), policy.document.as_str()));
        let account = self.account;
        let attached = role.attached.iter().filter_map(move |arn| {
            let policy = account.policies.iter().find(|one| one.arn == *arn)?;
            Some((arn.name(), policy.document.as_ref()?.as_str()))
        });
        inline.chain(attached)
    }

    /// The customer keys of the queues.
    fn keys(&self) -> Vec<&'a Key> {
        let accounts = self.ground.access.accounts;
        let mut keys: Vec<&Key> = self
            .queues
            .iter()
            .filter_map(|(_, queue)| key_of_queue(accounts, queue))
            .collect();
        keys.sort_by_key(|key| &key.arn);
        keys.dedup_by_key(|key| &key.arn);
        keys
    }

    /// The same with the new role where the old one is named.
    fn of_heir(&self, json: &Json<'a>) -> Json<'a> {
        match json {
            Json::String(text) if **text == *self.role.arn.as_str() => {
                Json::String(self.heir.as_str().to_owned().into())
            }
            Json::Array(items) => {
                Json::Array(items.iter().map(|item| self.of_heir(item)).collect())
            }
            Json::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.clone(), self.of_heir(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// The role's own policies and the policies of the queues without sending.
    fn narrowed(&self) -> Result<Narrowed, Obstacle> {
        for (_, queue) in &self.queues {
            self.check_queue_policy(queue)?;
        }
        let mut dropped = BTreeSet::new();
        let changes = rewritten(self.account, self.role, &mut |name, text| {
            self.without_sending(name, text, &mut dropped)
        })?;
        Ok(Narrowed { changes, dropped })
    }

    /// A document without what gives sending to the queues; none where nothing in it does.
    fn without_sending(
        &self,
        name: &str,
        text: &'a str,
        dropped: &mut BTreeSet<&'static str>,
    ) -> Result<Option<Left>, Obstacle> {
        let draft = Draft::read(text, PolicyKind::Identity)
            .map_err(|obstacle| format!("policy {name}: {obstacle}"))?;
        let existing = self.ground.access.queues.iter();
        let existing: Vec<&str> = existing.map(|audited| audited.queue.arn.as_str()).collect();
        let queues = self.arns();
        let mut left = Vec::new();
        let mut differs = false;
        for said in &draft.statements {
            let unneeded = said
                .parsed
                .as_ref()
                .map_or_else(Vec::new, unneeded_by_pattern);
            let lower: Vec<String> = unneeded.iter().map(|name| name.to_lowercase()).collect();
            let gives_sending = |parsed: &Statement| parsed.actions.contains(SEND);
            let mut taken = vec![SEND];
            if said.parsed.as_ref().is_some_and(gives_sending) {
                taken.extend(lower.iter().map(String::as_str));
            }
            match without(said, &taken, &queues, &existing)
                .map_err(|obstacle| format!("in policy {name} {obstacle}"))?
            {
                None => left.push(said.json.clone()),
                Some(parts) => {
                    differs = true;
                    left.extend(parts);
                    dropped.extend(unneeded);
                }
            }
        }
        Ok(differs.then(|| {
            if left.is_empty() {
                Left::Nothing
            } else {
                Left::Text(draft.write(left))
            }
        }))
    }

    /// Sending denied outright, for where it cannot be taken away.
    fn denied(&self) -> Narrowed {
        let mut taken = self.role.inline.iter().map(|policy| policy.name.as_str());
        let name = free_name("SendsNothingBack", 128, &mut taken);
        let queues = self.arns().into_iter().map(str::to_owned);
        let deny = statement(
            "SendsNothingBack",
            Effect::Deny,
            [written(SEND)],
            queues,
            None,
        );
        Narrowed {
            changes: vec![Change::PutInline {
                owner: owner(&self.role.arn),
                policy: InlinePolicy {
                    name,
                    document: PolicyText::new(&document(vec![deny])),
                },
                replaces: false,
            }],
            dropped: BTreeSet::new(),
        }
    }

    fn placements(&self) -> Vec<Placement> {
        let workloads = self.principal.workloads.iter();
        workloads
            .map(|workload| {
                let emptied = self.queues.iter().find(|(queue, _)| {
                    let mut started = self.ground.graph.delivered_to(self.index, *queue);
                    started.any(|one| one == workload)
                });
                match emptied {
                    Some((_, queue)) => Placement {
                        workload: workload.clone(),
                        role: Some(self.role.arn.name().to_owned()),
                        why: format!("AWS empties queue {} into it", queue.arn.resource()),
                    },
                    None => Placement {
                        workload: workload.clone(),
                        role: None,
                        why: format!(
                            "{} if it sends, {} if it receives: nothing in the account says which, so the team decides",
                            self.heir.name(),
                            self.role.arn.name()
                        ),
                    },
                }
            })
            .collect()
    }

    fn notes(&self, placements: &[Placement]) -> Vec<String> {
        let (old, new) = (self.role.arn.name(), self.heir.name());
        let queues = self.in_words();
        let mut notes = Vec::new();
        if placements.iter().all(|placement| placement.role.is_some()) {
            notes.push(format!(
                "What runs as {old} today is a consumer. If a part of it has to send to {queues}, make that part a process of its own that \
                 runs as {new}. If it only sends messages back to try them again, it needs no {new}: let it fail, and the visibility \
                 timeout and the redrive policy of the queue do the rest."
            ));
        } else {
            notes.push(format!(
                "A process that does both is to become two, one for each role. If nothing has to send to {queues}, leave {new} out."
            ));
        }
        if self.role.trust.as_str().contains("\"AWS\"") {
            notes.push(format!(
                "Whoever may become {old} may become {new} as well: name in its trust policy only what is to run as it."
            ));
        }
        notes
    }

    fn claims(&self, changes: &[Change], lessened: bool) -> Claims {
        let mut claims = Claims::default();
        let role = self.role.arn.shared();
        claims.principals.insert(Arc::clone(&role));
        let queues: BTreeSet<Arc<str>> = self
            .queues
            .iter()
            .map(|(_, queue)| queue.arn.shared())
            .collect();
        for queue in &queues {
            let mut mean = |capability, meant| {
                let key = (Arc::clone(&role), Arc::clone(queue), capability);
                claims.meant.insert(key, meant);
            };
            mean(Capability::Send, Meant::Gone);
            if lessened {
                mean(Capability::Purge, Meant::Lessened);
                mean(Capability::Administer, Meant::Lessened);
            }
        }
        for change in changes {
            match change {
                Change::SetQueuePolicy { queue, .. } => {
                    claims.queues.insert(queue.shared());
                }
                Change::SetKeyPolicy { key, .. } => {
                    let accounts = self.ground.access.accounts;
                    let all = self.ground.access.queues.iter();
                    let locked = all.filter(|audited| {
                        key_of_queue(accounts, audited.queue).is_some_and(|known| known.arn == *key)
                    });
                    claims
                        .queues
                        .extend(locked.map(|audited| audited.queue.arn.shared()));
                }
                _ => {}
            }
        }
        claims.heirs.push(Heir {
            arn: self.heir.shared(),
            of: role,
            capability: Capability::Send,
            queues,
        });
        for workload in self.workloads(&self.generators) {
            let arn = Arc::clone(&workload.arn);
            claims.moved.insert(arn, self.heir.shared());
        }
        claims
    }
}

fn cut(name: &str, most: usize) -> String {
    name.chars().take(most).collect()
}

fn contained<'s>(parsed: &Statement, actions: &[&'s str]) -> Vec<&'s str> {
    let given = actions.iter().copied();
    given
        .filter(|action| parsed.actions.contains(action))
        .collect()
}

/// Purging and administration, where a pattern gives them and nobody wrote them out: neither side of a queue needs them.
fn unneeded_by_pattern(parsed: &Statement) -> Vec<&'static str> {
    if parsed.actions.negated {
        return Vec::new();
    }
    let is_written_out = |name: &str| {
        let mut texts = parsed.actions.texts.iter();
        texts.any(|text| text.eq_ignore_ascii_case(name))
    };
    SQS_ACTIONS
        .iter()
        .filter(|action| {
            matches!(
                action.capability,
                Some(Capability::Purge | Capability::Administer)
            )
        })
        .map(|action| action.name)
        .filter(|name| parsed.actions.contains(&name.to_lowercase()) && !is_written_out(name))
        .collect()
}
