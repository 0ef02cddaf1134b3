//! What a troubled scan may say, compared with an untroubled one of the same account.
//!
//! Every account is taken apart into facts. A fact that only one of the two scans knows needs a gap that says why: of a call
//! that tells the fact or leads to it, and of the fact's region. Gaps themselves must be what the table of calls announces, and
//! without one that may hide something no finding may be missing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use patscan::account::Account;
use patscan::audit::audit;
use patscan::collect::{CALLS, CollectError, IfDenied};
use patscan::finding::Severity;
use patscan::report::Report;
use serde_json::Value;

use crate::emulator::{Fault, Record};

/// A call that could have told a fact: service, operation (`*` for any), and region (none for global services).
type Cause = (&'static str, &'static str, Option<String>);

/// The facts of an account, each with what tells it.
type Facts = BTreeMap<String, BTreeSet<Cause>>;

/// The rules that report what somebody may not do.
const RESTING_ON_A_REFUSAL: [&str; 3] = [
    "broken-delivery-",
    "queue-without-consumer-",
    "queue-without-generator-",
];

/// The untroubled account.
pub(super) struct Truth {
    pub(super) account: Account,
    facts: Facts,
    findings: BTreeMap<String, Told>,
}

impl Truth {
    pub(super) fn of(account: Account) -> Self {
        assert_eq!(account.coverage.gaps, [], "the account is read whole");
        let findings = findings(&account);
        assert!(
            findings.len() > 5,
            "there is something to lose: {findings:?}"
        );
        let value = serde_json::to_value(&account).unwrap();
        let facts = facts(&value, &value);
        Self {
            account,
            facts,
            findings,
        }
    }

    /// What is wrong with the outcome of a scan; empty when nothing is.
    pub(super) fn objections(
        &self,
        outcome: &Result<Account, CollectError>,
        records: &[Record],
    ) -> Vec<String> {
        match outcome {
            Ok(account) => self.objections_to(account),
            Err(error) => objections_to_end(error, records),
        }
    }

    fn objections_to(&self, account: &Account) -> Vec<String> {
        let mut objections = Vec::new();
        for gap in &account.coverage.gaps {
            let call = CALLS
                .iter()
                .find(|call| call.service == gap.service && call.operation == gap.operation);
            let announced = call.map(|call| call.if_denied);
            if announced != Some(IfDenied::Gap(gap.effect)) {
                objections.push(format!("no such gap is announced: {gap:?}"));
            }
            if gap.detail.is_empty() || gap.error.is_empty() || gap.detail.contains('\n') {
                objections.push(format!("the gap says too little or too much: {gap:?}"));
            }
        }
        let value = serde_json::to_value(account).unwrap();
        let truth = serde_json::to_value(&self.account).unwrap();
        let facts = facts(&value, &truth);
        let has_gap = |(service, operation, region): &Cause| {
            account.coverage.gaps.iter().any(|gap| {
                gap.service == *service
                    && (*operation == "*" || gap.operation == *operation)
                    && gap.region == *region
            })
        };
        let regions_unknown = account
            .coverage
            .gaps
            .iter()
            .any(|gap| gap.operation == "DescribeRegions");
        let excused = |causes: &BTreeSet<Cause>| regions_unknown || causes.iter().any(has_gap);
        for (fact, causes) in &self.facts {
            if !facts.contains_key(fact) && !excused(causes) {
                objections.push(format!("missing without a gap: {fact}"));
            }
        }
        for (fact, causes) in &facts {
            if !self.facts.contains_key(fact) && !excused(causes) {
                objections.push(format!("invented without a gap: {fact}"));
            }
        }
        if account.coverage.is_complete() {
            self.object_to_findings(account, &mut objections);
        }
        if !objections.is_empty() {
            objections.push(format!("gaps: {:#?}", account.coverage.gaps));
        }
        objections
    }

    /// What only may overstate leaves the report complete: then nothing may be missing or milder. More access than there is can
    /// cover up what rests on a refusal, and make of a finding another one that is as grave and about the same queue.
    fn object_to_findings(&self, account: &Account, objections: &mut Vec<String>) {
        let found = findings(account);
        let overstated = !account.coverage.gaps.is_empty();
        for (id, missing) in &self.findings {
            let told = found.get(id);
            if told.is_some_and(|told| told.severity >= missing.severity) {
                continue;
            }
            let rests_on_refusal = RESTING_ON_A_REFUSAL.iter().any(|rule| id.starts_with(rule));
            let told_instead = found.iter().any(|(id, told)| {
                self.findings.get(id) != Some(told)
                    && told.severity >= missing.severity
                    && !told.about.is_disjoint(&missing.about)
            });
            if !(overstated && (rests_on_refusal || told_instead)) {
                objections.push(format!("complete, and yet without {id}: {}", missing.title));
            }
        }
    }
}

/// A scan may end without a report when nobody knows whose account it is, when its credentials have run out, and when nothing
/// at all could be read.
fn objections_to_end(error: &CollectError, records: &[Record]) -> Vec<String> {
    let troubled = |record: &&Record| record.fault.is_some();
    let caller = |record: &&Record| record.request.service == "sts";
    let hit = |faults: &[Fault]| {
        records
            .iter()
            .any(|record| record.fault.is_some_and(|fault| faults.contains(&fault)))
    };
    let justified = match error {
        CollectError::ExpiredCredentials { .. } => hit(&[Fault::Expired]),
        _ if records
            .iter()
            .filter(caller)
            .any(|record| troubled(&record)) =>
        {
            true
        }
        CollectError::NoPermission { .. } | CollectError::Unreachable { .. } => records
            .iter()
            .filter(|record| !caller(record))
            .all(|record| troubled(&record)),
        _ => false,
    };
    let text = error.to_string();
    let mut objections = Vec::new();
    if !justified {
        objections.push(format!("the scan ended for no good reason: {text}"));
    }
    if text.contains('\n') || text.is_empty() {
        objections.push(format!("not one line: {text}"));
    }
    objections
}

fn report(account: &Account) -> Report {
    let settings = patscan::rules::Settings::default();
    audit(
        std::slice::from_ref(account),
        &settings,
        DateTime::UNIX_EPOCH,
    )
}

/// What a finding tells.
#[derive(Debug, PartialEq)]
struct Told {
    severity: Severity,
    title: String,
    about: BTreeSet<String>,
}

/// The findings by id.
fn findings(account: &Account) -> BTreeMap<String, Told> {
    report(account)
        .findings
        .iter()
        .map(|triaged| {
            let finding = &triaged.finding;
            let about = finding.resources.iter();
            let told = Told {
                severity: finding.severity,
                title: finding.title.clone(),
                about: about.map(|about| about.entity.arn.to_string()).collect(),
            };
            (finding.id.clone(), told)
        })
        .collect()
}

/// Takes an account apart. `truth` is the untroubled account, whose deliveries tell how channels and keys are come by.
fn facts(account: &Value, truth: &Value) -> Facts {
    let mut facts = Facts::new();
    let mut add = |kind: &str, fact: &Value, causes: BTreeSet<Cause>| {
        facts.insert(format!("{kind} {fact}"), causes);
    };
    let iam = || BTreeSet::from([("iam", "*", None)]);
    for kind in ["users", "groups", "roles", "policies"] {
        for item in list(account, kind) {
            add(kind, item, iam());
        }
    }
    for region in list(account, "regions") {
        add("region", region, BTreeSet::new());
    }
    add(
        "organization",
        &account["organization"],
        BTreeSet::from([("organizations", "*", None)]),
    );
    for queue in list(account, "queues") {
        let region = region_of(&queue["arn"]);
        let of = |operation| ("sqs", operation, region.clone());
        add("queue", &queue["arn"], BTreeSet::from([of("ListQueues")]));
        let with_name = |field: &str| serde_json::json!([queue["arn"], queue[field]]);
        add(
            "attributes",
            &with_name("attributes"),
            BTreeSet::from([of("ListQueues"), of("GetQueueAttributes")]),
        );
        // Tags are asked for only where a policy that was read looks at them.
        let mut causes = iam();
        causes.extend([
            of("ListQueues"),
            of("GetQueueAttributes"),
            of("ListQueueTags"),
        ]);
        add("tags", &with_name("tags"), causes);
    }
    for (kind, service, operation) in [
        ("functions", "lambda", "ListFunctions"),
        ("event_source_mappings", "lambda", "ListEventSourceMappings"),
        ("instances", "ec2", "DescribeInstances"),
    ] {
        for item in list(account, kind) {
            let arn = item.get("arn").unwrap_or(&item["function"]);
            add(
                kind,
                item,
                BTreeSet::from([(service, operation, region_of(arn))]),
            );
        }
    }
    for workload in list(account, "workloads") {
        add("workload", workload, causes_of_workload(workload));
    }
    for delivery in list(account, "deliveries") {
        add("delivery", delivery, causes_of_delivery(delivery));
    }
    for channel in list(account, "channels") {
        add(
            "channel",
            channel,
            causes_of_channel(channel, account, truth),
        );
    }
    for key in list(account, "keys") {
        let region = region_of(&key["arn"]);
        let mut causes = BTreeSet::from([
            ("kms", "*", region.clone()),
            ("sqs", "*", region.clone()),
            ("sns", "*", region.clone()),
            ("s3", "*", None),
            ("s3", "*", region),
        ]);
        for channel in list(truth, "channels") {
            if channel["arn"].as_str().unwrap().starts_with("arn:aws:s3") {
                causes.extend(causes_of_channel(channel, account, truth));
            }
        }
        add("key", key, causes);
    }
    facts
}

fn list<'a>(account: &'a Value, kind: &str) -> &'a [Value] {
    account[kind].as_array().map_or(&[], Vec::as_slice)
}

/// The region in an ARN, if there is one.
fn region_of(arn: &Value) -> Option<String> {
    let region = arn.as_str().unwrap().split(':').nth(3).unwrap_or_default();
    (!region.is_empty()).then(|| region.to_owned())
}

fn causes_of_workload(workload: &Value) -> BTreeSet<Cause> {
    let region = region_of(&workload["arn"]);
    let service = match workload["kind"].as_str().unwrap() {
        "auto-scaling-group" => "autoscaling",
        "task" | "ecs-service" => "ecs",
        "pod-identity" => "eks",
        "state-machine" => "states",
        "pipe" => "pipes",
        "schedule" => "scheduler",
        "crawler" => "glue",
        other => panic!("{other}"),
    };
    // Nothing works around queues where there are none.
    let mut causes = BTreeSet::from([
        (service, "*", region.clone()),
        ("sqs", "ListQueues", region.clone()),
    ]);
    match service {
        "autoscaling" => causes.extend([
            ("ec2", "DescribeLaunchTemplateVersions", region),
            // Names become ARNs by the account's own.
            ("iam", "*", None),
        ]),
        "glue" => causes.extend([("iam", "*", None)]),
        _ => {}
    }
    causes
}

fn causes_of_delivery(delivery: &Value) -> BTreeSet<Cause> {
    let mut region = region_of(&delivery["configured_by"]);
    let kind = delivery["kind"].as_str().unwrap();
    if kind == "notification" {
        region = region_of(&delivery["to"]);
    }
    let mut causes = BTreeSet::from([("sqs", "ListQueues", region.clone())]);
    let of = |service, operation| (service, operation, region.clone());
    causes.extend(match kind {
        "subscription" => vec![of("sns", "*")],
        "event-rule" | "event-bus" => vec![of("events", "*")],
        "pipe" => vec![of("pipes", "*")],
        "schedule" => vec![of("scheduler", "*")],
        "task" => vec![of("states", "*")],
        "integration" => vec![of("apigateway", "*")],
        "iot-rule" => vec![of("iot", "*")],
        "lifecycle-hook" => vec![of("autoscaling", "*")],
        "crawler" => vec![of("glue", "*"), ("iam", "*", None)],
        "move-task" => vec![
            of("sqs", "GetQueueAttributes"),
            of("sqs", "ListMessageMoveTasks"),
        ],
        "destination" => vec![
            of("lambda", "*"),
            // A function without a role that exists is not asked.
            ("iam", "GetAccountAuthorizationDetails", None),
        ],
        // Buckets are asked where something may take what they send.
        "notification" => vec![
            ("s3", "*", None),
            of("s3", "*"),
            of("lambda", "ListFunctions"),
            of("events", "*"),
            of("sns", "*"),
            of("sqs", "*"),
        ],
        other => panic!("{other}"),
    });
    causes
}

/// A channel is known by the deliveries that touch it.
fn causes_of_channel(channel: &Value, account: &Value, truth: &Value) -> BTreeSet<Cause> {
    let arn = &channel["arn"];
    let region = region_of(arn);
    let service = match arn.as_str().unwrap().split(':').nth(2).unwrap() {
        "sns" => "sns",
        "events" => "events",
        "lambda" => "lambda",
        "s3" => "s3",
        other => panic!("{other}"),
    };
    let mut causes = BTreeSet::from([(service, "*", region)]);
    let deliveries = list(truth, "deliveries")
        .iter()
        .chain(list(account, "deliveries"));
    for delivery in deliveries {
        if delivery["from"] == *arn || delivery["to"] == *arn {
            let mut own = causes_of_delivery(delivery);
            if service == "s3" {
                own.insert(("s3", "*", region_of(&delivery["to"])));
            }
            causes.extend(own);
        }
    }
    causes
}
