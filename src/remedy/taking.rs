//! Something that a role may do, taken from it: out of its own policies where they can be rewritten, or by an explicit Deny.

use std::collections::BTreeSet;

use super::change::{Change, Owner};
use super::document::{Draft, Obstacle, document, statement, without, written};
use super::free_name;
use crate::account::{Account, InlinePolicy, PolicyText, Role};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{Effect, PolicyKind};

/// Other resources that are written out where a pattern gave them, at most: beyond that a Deny says it shorter.
const MOST_WRITTEN_OUT: usize = 20;

/// What is left of a document.
pub(super) enum Left {
    /// Nothing that gives anything.
    Nothing,
    /// This.
    Text(String),
}

/// What is left of a policy, none where it stays as it is; or why it cannot be rewritten.
pub(super) type Rewritten = Result<Option<Left>, Obstacle>;

pub(super) fn owner(role: &Arn) -> Owner {
    Owner {
        kind: Kind::Role,
        arn: role.clone(),
    }
}

/// The policies of a role as `rewrite` leaves them; it answers none for those that stay. A policy that others carry as well, or
/// that AWS writes, is replaced by a copy of the role's own.
pub(super) fn rewritten<'a>(
    account: &'a Account,
    role: &'a Role,
    rewrite: &mut dyn FnMut(&str, &'a str) -> Rewritten,
) -> Result<Vec<Change>, Obstacle> {
    let mut changes = Vec::new();
    let owner = owner(&role.arn);
    for policy in &role.inline {
        let Some(left) = rewrite(&policy.name, policy.document.as_str())? else {
            continue;
        };
        changes.push(match left {
            Left::Nothing => Change::DeleteInline {
                owner: owner.clone(),
                name: policy.name.clone(),
            },
            Left::Text(text) => Change::PutInline {
                owner: owner.clone(),
                policy: InlinePolicy {
                    name: policy.name.clone(),
                    document: PolicyText::new(&text),
                },
                replaces: true,
            },
        });
    }
    let mut names: Vec<String> = role.inline.iter().map(|one| one.name.clone()).collect();
    for arn in &role.attached {
        let mut policies = account.policies.iter();
        let Some(text) = policies
            .find(|policy| policy.arn == *arn)
            .and_then(|policy| policy.document.as_ref())
        else {
            continue;
        };
        let Some(left) = rewrite(arn.name(), text.as_str())? else {
            continue;
        };
        match left {
            Left::Text(text) if is_only_carrier(account, role, arn) => {
                changes.push(Change::SetManaged {
                    policy: arn.clone(),
                    document: PolicyText::new(&text),
                });
                continue;
            }
            Left::Text(text) => {
                let mut taken = names.iter().map(String::as_str);
                let name = free_name(arn.name(), 128, &mut taken);
                names.push(name.clone());
                changes.push(Change::PutInline {
                    owner: owner.clone(),
                    policy: InlinePolicy {
                        name,
                        document: PolicyText::new(&text),
                    },
                    replaces: false,
                });
            }
            Left::Nothing => {}
        }
        // Others carry the policy, or AWS writes it: the role gets a copy of its own.
        changes.push(Change::Detach {
            owner: owner.clone(),
            policy: arn.clone(),
        });
    }
    Ok(changes)
}

/// Whether a role alone carries a policy that the account can change.
fn is_only_carrier(account: &Account, role: &Role, policy: &Arn) -> bool {
    if policy.account() != account.id.as_str() {
        return false;
    }
    let carries = |attached: &[Arn], boundary: Option<&Arn>| {
        attached.contains(policy) || boundary == Some(policy)
    };
    let mut users = account.users.iter();
    let mut groups = account.groups.iter();
    let mut others = account.roles.iter().filter(|one| one.arn != role.arn);
    role.boundary.as_ref() != Some(policy)
        && !users.any(|user| carries(&user.attached, user.boundary.as_ref()))
        && !groups.any(|group| carries(&group.attached, None))
        && !others.any(|role| carries(&role.attached, role.boundary.as_ref()))
}

/// An action on some resources that is to be taken from a role.
pub(super) struct Taking<'a> {
    pub(super) account: &'a Account,
    pub(super) role: &'a Role,
    /// The action, as AWS writes it.
    pub(super) action: &'static str,
    pub(super) resources: Vec<String>,
    /// The resources that are known, which a pattern is written out as.
    pub(super) existing: Vec<&'a str>,
}

impl Taking<'_> {
    /// The policies of the role without the action on the resources; none where no statement gives it.
    pub(super) fn narrowed(&self) -> Result<Vec<Change>, Obstacle> {
        let action = self.action.to_lowercase();
        let resources: Vec<&str> = self.resources.iter().map(String::as_str).collect();
        rewritten(self.account, self.role, &mut |name, text| {
            let draft = Draft::read(text, PolicyKind::Identity)
                .map_err(|obstacle| format!("policy {name}: {obstacle}"))?;
            let mut left = Vec::new();
            let mut differs = false;
            for said in &draft.statements {
                let Some(parts) = without(said, &[&action], &resources, &self.existing)
                    .map_err(|obstacle| format!("in policy {name} {obstacle}"))?
                else {
                    left.push(said.json.clone());
                    continue;
                };
                let patterns = said.parsed.as_ref().and_then(|one| one.resources.as_ref());
                let patterns = patterns.map_or(&[][..], |resources| &resources.patterns);
                let wide: Vec<_> = patterns
                    .iter()
                    .filter(|one| {
                        !resources.contains(&one.text()) && one.text().contains(['*', '?'])
                    })
                    .collect();
                let reached = self.existing.iter().filter(|known| {
                    let mut wide = wide.iter();
                    wide.any(|one| one.could_match(known, PolicyKind::Identity))
                });
                if reached.count() > MOST_WRITTEN_OUT {
                    return Err(format!(
                        "in policy {name} statement {} reaches too many others to write them out",
                        said.label
                    ));
                }
                // What is not known cannot be written out, and would be lost.
                if !self.action.starts_with("sqs:") && !wide.is_empty() {
                    return Err(format!(
                        "in policy {name} statement {} reaches more than what was read",
                        said.label
                    ));
                }
                differs = true;
                left.extend(parts);
            }
            Ok(differs.then(|| {
                if left.is_empty() {
                    Left::Nothing
                } else {
                    Left::Text(draft.write(left))
                }
            }))
        })
    }

    /// The action denied outright on the resources, which takes nothing else.
    pub(super) fn denied(&self, name: &str) -> Change {
        let mut taken = self.role.inline.iter().map(|policy| policy.name.as_str());
        let policy = free_name(name, 128, &mut taken);
        let deny = statement(
            name,
            Effect::Deny,
            [written(&self.action.to_lowercase())],
            self.resources.iter().cloned(),
            None,
        );
        Change::PutInline {
            owner: owner(&self.role.arn),
            policy: InlinePolicy {
                name: policy,
                document: PolicyText::new(&document(vec![deny])),
            },
            replaces: false,
        }
    }
}

/// The changes without those that a later one of the same policy makes void. What is new at first is new at last, and what is new
/// and goes again is never there.
pub(super) fn without_repetitions(changes: Vec<Change>) -> Vec<Change> {
    let mut new: BTreeSet<(Owner, String)> = BTreeSet::new();
    let mut known: BTreeSet<(Owner, String)> = BTreeSet::new();
    for change in &changes {
        if let Some(policy) = policy_of(change)
            && known.insert(policy.clone())
            && matches!(
                change,
                Change::PutInline {
                    replaces: false,
                    ..
                }
            )
        {
            new.insert(policy);
        }
    }
    let mut seen: BTreeSet<(Owner, String)> = BTreeSet::new();
    let mut kept: Vec<Change> = Vec::with_capacity(changes.len());
    for mut change in changes.into_iter().rev() {
        if let Some(policy) = policy_of(&change) {
            let is_new = new.contains(&policy);
            if !seen.insert(policy) || (is_new && matches!(change, Change::DeleteInline { .. })) {
                continue;
            }
            if let Change::PutInline { replaces, .. } = &mut change {
                *replaces = !is_new;
            }
        }
        kept.push(change);
    }
    kept.reverse();
    kept
}

/// The policy that a change writes or deletes, by whose it is and its name.
fn policy_of(change: &Change) -> Option<(Owner, String)> {
    match change {
        Change::PutInline { owner, policy, .. } => Some((owner.clone(), policy.name.clone())),
        Change::DeleteInline { owner, name } => Some((owner.clone(), name.clone())),
        Change::SetManaged { policy, .. } => Some((owner(policy), String::new())),
        Change::SetTrust { role, .. } => Some((owner(role), "/trust".to_owned())),
        _ => None,
    }
}

/// The notes, each once.
pub(super) fn each_once(notes: Vec<String>) -> Vec<String> {
    let mut told = BTreeSet::new();
    notes
        .into_iter()
        .filter(|note| told.insert(note.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(name: &str, text: &str, replaces: bool) -> Change {
        let role = Arn::parse("arn:aws:iam::111122223333:role/app").unwrap();
        Change::PutInline {
            owner: owner(&role),
            policy: InlinePolicy {
                name: name.to_owned(),
                document: PolicyText::new(text),
            },
            replaces,
        }
    }

    fn delete(name: &str) -> Change {
        let role = Arn::parse("arn:aws:iam::111122223333:role/app").unwrap();
        Change::DeleteInline {
            owner: owner(&role),
            name: name.to_owned(),
        }
    }

    #[test]
    fn of_several_changes_of_one_policy_the_last_counts() {
        let changes = vec![
            put("own", "1", true),
            put("copy", "1", false),
            put("passing", "1", false),
            put("own", "2", true),
            put("copy", "2", true),
            delete("passing"),
            delete("old"),
        ];
        let wanted = vec![
            put("own", "2", true),
            put("copy", "2", false),
            delete("old"),
        ];
        assert_eq!(without_repetitions(changes), wanted);
    }
}
