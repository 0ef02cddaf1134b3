//! The way out of `assumable-loop`: one step cut on the way to one of the two sides, by the statement that lets the principal ask
//! or by the trust policy that lets it in.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::change::Change;
use super::document::{Draft, as_text, member, texts, with};
use super::proof::Claims;
use super::taking::{Taking, each_once, without_repetitions};
use super::{Ground, Plan, Proposal, applied, is_not_ours};
use crate::access::Access;
use crate::account::{Account, PolicyText, Role};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::finding::Finding;
use crate::graph::Graph;
use crate::policy::{Effect, Json, PolicyKind};
use crate::rules::{Audit, Switching, switching};

const ASSUME: &str = "sts:AssumeRole";
/// Steps that are cut, at most: who can become so many roles needs a look at what it is for.
const MOST_CUTS: usize = 6;

/// A step that is cut: from one principal into a role.
struct Step {
    from: Arn,
    from_kind: Kind,
    to: Arn,
    /// Which side the principal keeps: the other way is cut.
    keeps: &'static str,
}

pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    let mut accounts: Vec<Account> = ground.access.accounts.to_vec();
    let mut closing = Closing::default();
    let mut denied: BTreeMap<Arn, BTreeSet<String>> = BTreeMap::new();
    for round in 0..=MOST_CUTS {
        let access = Access::compute(&accounts);
        let graph = Graph::new(&access);
        let audit = Audit {
            accounts: &accounts,
            access: &access,
            graph: &graph,
            settings: ground.settings,
        };
        let mut principals = access.principals.iter();
        let subject = principals
            .position(|one| one.arn.as_str() == &*finding.subject.arn)
            .ok_or_else(|| "the principal is not among those that were decided".to_owned())?;
        let Some(found) = switching(&audit, subject) else {
            break;
        };
        if round == MOST_CUTS {
            return Err(format!(
                "it can become both sides on more than {MOST_CUTS} ways; look for the one statement that gives most of them"
            ));
        }
        let step = step(&access, subject, &found)?;
        let cut = match by_statements(&accounts, &step) {
            Ok(changes) => CutStep {
                changes,
                note: None,
            },
            Err(obstacle) => by_deny(ground, &accounts, &step, &mut denied, &obstacle)?,
        };
        closing.tell(&step, cut.note, &finding.subject.arn);
        let next = accounts
            .iter()
            .map(|account| applied(account, &cut.changes));
        let next: Vec<Account> = next.collect();
        closing.changes.extend(cut.changes);
        drop(graph);
        drop(access);
        accounts = next;
    }
    if closing.changes.is_empty() {
        return Err("the ways to both sides were not found again".to_owned());
    }
    let name = finding.subject.arn.rsplit('/').next().unwrap_or_default();
    Ok(closing.proposal(name))
}

/// The steps that are cut, and what is to be told of them.
#[derive(Default)]
struct Closing {
    changes: Vec<Change>,
    claims: Claims,
    notes: Vec<String>,
    /// The roles that somebody can no longer assume.
    closed: BTreeMap<String, Vec<String>>,
    keeps: Option<&'static str>,
}

impl Closing {
    fn tell(&mut self, step: &Step, note: Option<String>, subject: &str) {
        let (from, to) = (step.from.name(), step.to.name());
        self.keeps.get_or_insert(step.keeps);
        self.claims
            .cut_steps
            .insert((step.from.shared(), step.to.shared()));
        self.claims.principals.insert(step.from.shared());
        let who = format!("{} {from}", step.from_kind);
        let roles = self.closed.entry(who).or_default();
        roles.push(format!("role {to}"));
        if step.from.as_str() != subject {
            self.notes.push(format!(
                "Others who can become {from} no longer reach {to} either: it is {from} that changes."
            ));
        }
        self.notes.extend(note);
    }

    fn proposal(mut self, name: &str) -> Proposal {
        let keeps = self.keeps.unwrap_or("one side");
        self.notes.insert(
            0,
            format!(
                "Which of the two sides {name} needs only the team knows. Here it keeps {keeps}; to keep the other, cut the other way in the \
                 same manner. A person who needs both at times can be let in for that time only."
            ),
        );
        let closed = self.closed.iter();
        let mut promises: Vec<String> = closed
            .map(|(who, roles)| format!("{who} can no longer assume {}", listed(roles)))
            .collect();
        let gist = format!("Close the way to one side: {}.", promises.join("; "));
        promises.push("nobody else can assume more or fewer roles than before".to_owned());
        promises.push("what each role may do on every queue is as it was".to_owned());
        Proposal {
            plan: Plan {
                gist,
                changes: without_repetitions(self.changes),
                placements: Vec::new(),
                notes: each_once(self.notes),
            },
            claims: self.claims,
            promises,
        }
    }
}

/// The step to cut: where the way to the sending side leaves the other, or, where it does not, where the other goes on.
fn step(access: &Access<'_>, subject: usize, found: &Switching) -> Result<Step, String> {
    let common = found
        .sender
        .iter()
        .zip(&found.receiver)
        .take_while(|(one, other)| one == other)
        .count();
    let (way, keeps) = if found.sender.len() > common {
        (&found.sender, "receiving")
    } else {
        (&found.receiver, "sending")
    };
    let from = match common.checked_sub(1) {
        Some(last) => way.get(last).copied(),
        None => Some(subject),
    };
    let principal = |index: usize| access.principals.get(index);
    let ends = from
        .and_then(principal)
        .zip(way.get(common).copied().and_then(principal));
    let (from, to) =
        ends.ok_or_else(|| "the ways to both sides were not found again".to_owned())?;
    Ok(Step {
        from: from.arn.clone(),
        from_kind: from.kind,
        to: to.arn.clone(),
        keeps,
    })
}

struct CutStep {
    changes: Vec<Change>,
    note: Option<String>,
}

/// Cuts a step by the principal's own statement where it names the role, by the trust policy where that names the principal, or by
/// both. The error says why neither does.
fn by_statements(accounts: &[Account], step: &Step) -> Result<Vec<Change>, String> {
    let mut obstacles = Vec::new();
    let asking = asking(accounts, step).unwrap_or_else(|obstacle| {
        obstacles.push(obstacle);
        Vec::new()
    });
    let trusting = trusting(accounts, step).unwrap_or_else(|obstacle| {
        obstacles.push(obstacle);
        Vec::new()
    });
    let both = [asking.clone(), trusting.clone()].concat();
    for changes in [asking, trusting, both] {
        if !changes.is_empty() && is_cut(accounts, &changes, step) {
            return Ok(changes);
        }
    }
    let reason = obstacles.into_iter().next();
    Err(reason.unwrap_or_else(|| "no statement names it alone".to_owned()))
}

/// Cuts a step by an explicit Deny: in a policy of the role that asks, which grows by what was denied it before; or, of a user, in
/// the trust policy of the role that it asks for.
fn by_deny(
    ground: &Ground<'_>,
    accounts: &[Account],
    step: &Step,
    denied: &mut BTreeMap<Arn, BTreeSet<String>>,
    obstacle: &str,
) -> Result<CutStep, String> {
    let asks = role(ground.access.accounts, &step.from);
    let asks = asks.filter(|(_, role)| is_not_ours(&role.arn).is_none());
    if let Some((account, owner)) = asks {
        let roles = denied.entry(step.from.clone()).or_default();
        roles.insert(step.to.to_string());
        let taking = Taking {
            account,
            role: owner,
            action: ASSUME,
            resources: roles.iter().cloned().collect(),
            existing: Vec::new(),
        };
        let changes = vec![taking.denied("KeepsToOneSide")];
        if is_cut(accounts, &changes, step) {
            let note = format!(
                "It is denied to role {} instead of taken from its policies: {obstacle}.",
                step.from.name()
            );
            return Ok(CutStep {
                changes,
                note: Some(note),
            });
        }
    }
    Ok(CutStep {
        changes: denying(accounts, step)?,
        note: Some(format!(
            "Role {} denies {} in its trust policy, so that nobody else is touched: {obstacle}.",
            step.to.name(),
            step.from.name()
        )),
    })
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [start @ .., last] if !start.is_empty() => format!("{} and {last}", start.join(", ")),
        only => only.concat(),
    }
}

fn is_cut(accounts: &[Account], changes: &[Change], step: &Step) -> bool {
    let accounts: Vec<Account> = accounts
        .iter()
        .map(|account| applied(account, changes))
        .collect();
    let access = Access::prepare(&accounts);
    let becoming = access.becoming();
    let mut principals = access.principals.iter();
    let Some(from) = principals.position(|one| *one.arn == step.from) else {
        return false;
    };
    !becoming.steps(from).iter().any(|known| {
        let role = access.principals.get(known.role);
        role.is_some_and(|role| *role.arn == step.to)
    })
}

fn role<'a>(accounts: &'a [Account], arn: &Arn) -> Option<(&'a Account, &'a Role)> {
    accounts.iter().find_map(|account| {
        let role = account.roles.iter().find(|role| role.arn == *arn)?;
        Some((account, role))
    })
}

/// The policies of a role without what lets it ask for the other.
fn asking(accounts: &[Account], step: &Step) -> Result<Vec<Change>, String> {
    let Some((account, owner)) = role(accounts, &step.from) else {
        return Err("what a user may do it has from groups, which others share".to_owned());
    };
    if let Some(reason) = is_not_ours(&owner.arn) {
        return Err(reason);
    }
    let roles = accounts.iter().flat_map(|account| &account.roles);
    let taking = Taking {
        account,
        role: owner,
        action: ASSUME,
        resources: vec![step.to.to_string()],
        existing: roles.map(|role| role.arn.as_str()).collect(),
    };
    taking.narrowed()
}

fn read_trust(role: &Role) -> Result<Draft<'_>, String> {
    if let Some(reason) = is_not_ours(&role.arn) {
        return Err(reason);
    }
    Draft::read(role.trust.as_str(), PolicyKind::Trust).map_err(|obstacle| {
        let name = role.arn.name();
        format!("the trust policy of role {name} cannot be changed: {obstacle}")
    })
}

fn set_trust(role: &Role, text: &str) -> Vec<Change> {
    vec![Change::SetTrust {
        role: role.arn.clone(),
        document: PolicyText::new(text),
    }]
}

/// The trust policy without the principal, where it is named.
fn trusting(accounts: &[Account], step: &Step) -> Result<Vec<Change>, String> {
    let (_, entered) =
        role(accounts, &step.to).ok_or_else(|| "the role was not found again".to_owned())?;
    let draft = read_trust(entered)?;
    let mut differs = false;
    let mut statements: Vec<Json<'_>> = Vec::new();
    for said in &draft.statements {
        let allows = said
            .parsed
            .as_ref()
            .is_some_and(|parsed| parsed.effect == Effect::Allow);
        let Some(Json::Object(kinds)) = member(&said.json, "Principal").filter(|_| allows) else {
            statements.push(said.json.clone());
            continue;
        };
        let mut others: Vec<(Cow<'_, str>, Json<'_>)> = Vec::new();
        let mut named = false;
        for (kind, entries) in kinds {
            let entries: Vec<&str> = match entries {
                Json::Array(items) => items.iter().filter_map(as_text).collect(),
                single => as_text(single).into_iter().collect(),
            };
            let kept: Vec<String> = entries
                .iter()
                .filter(|entry| kind != "AWS" || **entry != step.from.as_str())
                .map(|&entry| entry.to_owned())
                .collect();
            named |= kept.len() < entries.len();
            if !kept.is_empty() {
                others.push((kind.clone(), texts(kept)));
            }
        }
        if !named {
            statements.push(said.json.clone());
            continue;
        }
        differs = true;
        if !others.is_empty() {
            statements.push(with(&said.json, "Principal", Some(Json::Object(others))));
        }
    }
    if !differs {
        return Err(format!(
            "the trust policy of role {} lets it in without naming it",
            entered.arn.name()
        ));
    }
    if statements.is_empty() {
        return Err(format!(
            "the trust policy of role {} names nobody else, and AWS takes none that is empty",
            entered.arn.name()
        ));
    }
    Ok(set_trust(entered, &draft.write(statements)))
}

/// The trust policy with a statement that keeps the principal out.
fn denying(accounts: &[Account], step: &Step) -> Result<Vec<Change>, String> {
    let (_, entered) =
        role(accounts, &step.to).ok_or_else(|| "the role was not found again".to_owned())?;
    let draft = read_trust(entered)?;
    let mut statements: Vec<Json<'_>> = draft
        .statements
        .iter()
        .map(|said| said.json.clone())
        .collect();
    let text = |text: &str| Json::String(text.to_owned().into());
    statements.push(Json::Object(vec![
        ("Sid".into(), text("KeepsToOneSide")),
        ("Effect".into(), text("Deny")),
        (
            "Principal".into(),
            Json::Object(vec![("AWS".into(), text(step.from.as_str()))]),
        ),
        ("Action".into(), text(ASSUME)),
    ]));
    let changes = set_trust(entered, &draft.write(statements));
    if is_cut(accounts, &changes, step) {
        Ok(changes)
    } else {
        Err(format!(
            "role {} lets {} in whatever its trust policy denies",
            entered.arn.name(),
            step.from.name()
        ))
    }
}
