//! Causes before symptoms: single statements that many findings rest on.
//!
//! A report of hundreds of findings often comes from a handful of statements. Each finding is counted under one of them, the one
//! with the most findings that no other explains yet, so that the numbers add up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use super::{Status, Triaged};
use crate::parallel::in_parallel;

/// Fewer findings under one statement are told one by one.
const FEWEST_FINDINGS: usize = 3;

/// A statement that findings rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The policy, as evidence names it.
    pub policy: Arc<str>,
    /// Its statement, as evidence names it.
    pub statement: Arc<str>,
    /// The findings, as places in the list that was looked at, in its order.
    pub findings: Vec<usize>,
    /// How many principals hold the access that these findings are about.
    pub principals: usize,
    /// The most queues that one of the findings is about.
    pub most_queues: u64,
}

/// The causes of open findings, those with the most findings first.
pub fn causes(findings: &[Triaged]) -> Vec<Cause> {
    let mut resting: BTreeMap<(&Arc<str>, &Arc<str>), Vec<usize>> = BTreeMap::new();
    for (place, statements) in in_parallel(findings, giving).into_iter().enumerate() {
        for statement in statements {
            resting.entry(statement).or_default().push(place);
        }
    }
    resting.retain(|_, places| places.len() >= FEWEST_FINDINGS);

    // The number of findings that a statement still explains only falls, so the top of the heap is right once it was counted
    // again.
    let mut explained = vec![false; findings.len()];
    let mut heap: BinaryHeap<_> = resting
        .iter()
        .map(|(statement, places)| (places.len(), Reverse(*statement)))
        .collect();
    let mut causes = Vec::new();
    while let Some((counted, Reverse(statement))) = heap.pop() {
        let places = resting.get(&statement).map_or(&[][..], Vec::as_slice);
        let open: Vec<usize> = places
            .iter()
            .copied()
            .filter(|place| explained.get(*place) == Some(&false))
            .collect();
        if open.len() < FEWEST_FINDINGS {
            continue;
        }
        if open.len() < counted {
            heap.push((open.len(), Reverse(statement)));
            continue;
        }
        for place in &open {
            if let Some(explained) = explained.get_mut(*place) {
                *explained = true;
            }
        }
        causes.push(cause(statement, open, findings));
    }
    causes
}

/// The statements that give what an open finding is about, each once.
fn giving(finding: &Triaged) -> BTreeSet<(&Arc<str>, &Arc<str>)> {
    if finding.status != Status::Open {
        return BTreeSet::new();
    }
    // What only lets a right pass, or a delivery, causes nothing.
    let giving = finding
        .evidence
        .iter()
        .filter(|one| one.effect == "Allow" && matches!(one.layer, "identity" | "resource"));
    giving.map(|one| (&one.policy, &one.statement)).collect()
}

fn cause(statement: (&Arc<str>, &Arc<str>), places: Vec<usize>, findings: &[Triaged]) -> Cause {
    let of_cause = || places.iter().filter_map(|place| findings.get(*place));
    let principals: BTreeSet<_> = of_cause()
        .flat_map(|finding| &finding.principals)
        .map(|holder| &holder.entity)
        .collect();
    let queues = of_cause().map(|finding| finding.resources.len() as u64 + finding.more_resources);
    Cause {
        policy: Arc::clone(statement.0),
        statement: Arc::clone(statement.1),
        principals: principals.len(),
        most_queues: queues.max().unwrap_or_default(),
        findings: places,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::AccountId;
    use crate::finding::{
        Certainty, Entity, Evidence, Finding, Kind, PrincipalRef, Severity, finding_id,
    };
    use crate::triage::triage;

    fn finding(role: &str, statements: &[(&str, &str, &'static str)]) -> Finding {
        let account = AccountId::parse("111122223333").unwrap();
        let subject = Entity::new(Kind::Role, format!("arn:aws:iam::111122223333:role/{role}"));
        Finding {
            id: finding_id("queue-feedback-loop", &account, &subject),
            rule: "queue-feedback-loop",
            severity: Severity::High,
            title: String::new(),
            detail: String::new(),
            account,
            region: "global".to_owned(),
            principals: vec![PrincipalRef {
                entity: subject.clone(),
                workloads: Vec::new(),
            }],
            subject,
            resources: [].into(),
            more_resources: 7,
            certainty: Certainty::Allowed,
            conditions: Vec::new(),
            evidence: statements
                .iter()
                .map(|(policy, statement, layer)| Evidence {
                    capability: "send".into(),
                    resource: Arc::from("q"),
                    layer,
                    policy: Arc::from(*policy),
                    statement: Arc::from(*statement),
                    effect: "Allow",
                })
                .collect(),
            more_evidence: 0,
            remedy: String::new(),
        }
    }

    #[test]
    fn each_finding_is_under_the_statement_that_explains_the_most() {
        let wide = ("wide", "#1", "identity");
        let queue = ("queue", "all", "resource");
        let findings = triage(
            &[],
            vec![
                finding("a", &[wide, queue]),
                finding("b", &[wide]),
                finding("c", &[wide]),
                finding("d", &[wide, queue]),
                finding("e", &[queue]),
                finding("f", &[queue, ("own", "#1", "identity")]),
            ],
        );
        let found = causes(&findings);
        // Both explain four; the second then explains two that the first does not, which is too few to be told.
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].policy, &*found[0].statement), ("queue", "all"));
        assert_eq!(found[0].findings, [0, 3, 4, 5]);
        assert_eq!((found[0].principals, found[0].most_queues), (4, 7));
    }

    #[test]
    fn what_lets_a_right_pass_is_no_cause() {
        let key = ("key", "#1", "kms");
        let findings = ["a", "b", "c"].map(|role| finding(role, &[key])).to_vec();
        assert!(causes(&triage(&[], findings)).is_empty());
    }

    #[test]
    fn accepted_findings_are_nobodys_symptoms() {
        let wide = ("wide", "#1", "identity");
        let findings = ["a", "b", "c"].map(|role| finding(role, &[wide])).to_vec();
        let mut findings = triage(&[], findings);
        assert_eq!(causes(&findings).len(), 1);
        findings[0].status = Status::Waived;
        assert!(causes(&findings).is_empty());
    }
}
