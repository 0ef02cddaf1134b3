//! The pipeline between collecting and reporting: accounts in, report out.

use chrono::{DateTime, Utc};

use crate::access::{Access, Capability, QueueSet, Who, held_together};
use crate::account::{Account, Note, User};
use crate::finding::{Certainty, Entity, Kind};
use crate::graph::Graph;
use crate::parallel::few_in_parallel;
use crate::policy::Formula;
use crate::report::{AccountGap, AccountNote, Coverage, FlowEnd, MOST_FLOWS, QueueFlow, Report};
use crate::rules::{self, Audit, Settings};
use crate::triage::{Known, causes, triage, waive};

/// Audits accounts.
pub fn audit(accounts: &[Account], settings: &Settings, generated_at: DateTime<Utc>) -> Report {
    report(&Access::compute(accounts), settings, generated_at)
}

/// The report on what access was found.
pub fn report(access: &Access<'_>, settings: &Settings, generated_at: DateTime<Utc>) -> Report {
    let accounts = access.accounts;
    let graph = Graph::new(access);
    let findings = rules::check_all(&Audit {
        accounts,
        access,
        graph: &graph,
        settings,
    });
    let (flows, more_flows) = flows(&graph);
    let mut report = Report::new(generated_at, accounts, triage(accounts, findings), flows);
    report.more_flows = more_flows;
    report.rules_off = settings.off();
    report.coverage = coverage(access);
    report
        .coverage
        .add_notes(accounts.iter().filter_map(unasked_access_keys));
    report
}

/// Snapshots that an older patscan made hold no access keys: said once, since nobody looked whether services work as users.
fn unasked_access_keys(account: &Account) -> Option<AccountNote> {
    let unasked = |user: &&User| user.access_keys.is_none();
    let number = account.users.iter().filter(unasked).count();
    if number == 0 || account.coverage.lacks_access_keys() {
        return None;
    }
    let of_users = match number {
        1 => "one user".to_owned(),
        number => format!("{number} users"),
    };
    Some(AccountNote {
        account: account.id.clone(),
        note: Note {
            region: None,
            service: "iam".to_owned(),
            resource: None,
            detail: format!(
                "access keys of {of_users} are not in the snapshot, so user-as-service was not checked for them; make a new one \
                 with `patscan --save-snapshot FILE`"
            ),
        },
    })
}

/// Adds to a report what is known of its findings: which are accepted, what is new since an earlier report, and
/// what causes many of them.
pub fn know(report: &mut Report, known: &Known) {
    if let Some(waivers) = &known.waivers {
        let today = report.generated_at.date_naive();
        let notes = waive(&mut report.findings, waivers, today, known.warn_days);
        report.waiver_notes = Some(notes);
    }
    if let Some(baseline) = &known.baseline {
        let scope = report.scope();
        report.since = Some(baseline.compare(&mut report.findings, &scope));
    }
    report.causes = causes(&report.findings);
}

/// What the accounts could not be asked, and what showed to be missing when it was needed.
pub fn coverage(access: &Access<'_>) -> Coverage {
    let mut coverage = Coverage::of(access.accounts);
    let lacking = access.gaps().into_iter().filter_map(|(account, gap)| {
        Some(AccountGap {
            account: access.account(account)?.id.clone(),
            gap,
        })
    });
    coverage.add_gaps(lacking);
    coverage
}

/// Who sends to and who receives from the queues that are shown, those with loops first, and how many there are besides.
fn flows(graph: &Graph<'_>) -> (Vec<QueueFlow>, usize) {
    let access = graph.access;
    let with_loops = held_together(graph.looped());
    let all: QueueSet = access
        .queues
        .iter()
        .zip(0..)
        .map(|(_, number)| number)
        .collect();
    let mut shown: Vec<usize> = access
        .queues_of(&with_loops)
        .chain(access.queues_of(&(&all - &with_loops)))
        .map(|(index, _)| index)
        .take(MOST_FLOWS)
        .collect();
    shown.sort_unstable();
    // Few queues, but with everybody to be looked at for each.
    let flows: Vec<QueueFlow> = few_in_parallel(&shown, |queue| flow(graph, *queue))
        .into_iter()
        .flatten()
        .collect();
    let more = access.queues.len() - flows.len();
    (flows, more)
}

/// Who sends to and who receives from one queue.
fn flow(graph: &Graph<'_>, queue: usize) -> Option<QueueFlow> {
    let access = graph.access;
    let audited = access.queues.get(queue)?;
    let number = u32::try_from(queue).ok()?;
    let mut flow = QueueFlow {
        queue: Entity::new(Kind::Queue, audited.queue.arn.shared()),
        generators: Vec::new(),
        consumers: Vec::new(),
        administrators: 0,
    };
    for (index, principal) in access.principals.iter().enumerate() {
        let Some(rights) = access.rights_on(index, queue) else {
            continue;
        };
        if graph.is_administrator(index) && rights.are_complete() {
            flow.administrators += 1;
            continue;
        }
        flow.add(
            &Entity::new(principal.kind, principal.arn.shared()),
            rights.when(Capability::Send),
            rights.when(Capability::Receive),
            graph
                .looped()
                .get(index)
                .is_some_and(|queues| queues.contains(number)),
        );
    }
    let public = |capability| {
        audited
            .outsiders
            .iter()
            .any(|outsider| outsider.who == Who::Anonymous && outsider.when(capability).is_always())
    };
    for outsider in &audited.outsiders {
        // A statement for everyone covers services as well; "anyone" says it all.
        let is_service = matches!(outsider.who, Who::Service(_));
        let when = |capability| {
            if is_service && public(capability) {
                &Formula::Never
            } else {
                outsider.when(capability)
            }
        };
        let entity = outsider.who.entity();
        // Outsiders are many, not one that could feed itself.
        flow.add(
            &entity,
            when(Capability::Send),
            when(Capability::Receive),
            false,
        );
    }
    for side in [&mut flow.generators, &mut flow.consumers] {
        // Everyone with and without credentials is one "anyone", named first: the surer of the two stays.
        side.sort_by(|a, b| {
            let is_named = |end: &FlowEnd| end.entity.kind != Kind::Anyone;
            (is_named(a), &a.entity)
                .cmp(&(is_named(b), &b.entity))
                .then_with(|| (b.certainty, b.both).cmp(&(a.certainty, a.both)))
        });
        side.dedup_by(|next, kept| next.entity == kept.entity);
    }
    Some(flow)
}

impl QueueFlow {
    /// Puts a principal on the sides that it stands on. What only an unreadable policy could give is a gap, not a flow.
    fn add(&mut self, entity: &Entity, send: &Formula, receive: &Formula, both: bool) {
        for (side, when) in [(&mut self.generators, send), (&mut self.consumers, receive)] {
            if when.rests_on_what_was_read() {
                side.push(FlowEnd {
                    entity: entity.clone(),
                    certainty: Certainty::of(when),
                    both,
                });
            }
        }
    }
}
