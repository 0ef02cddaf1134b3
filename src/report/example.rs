//! A hand-made report that uses every feature of the formats, for their tests.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::*;
use crate::account::{Gap, GapEffect, Note};
use crate::finding::{Evidence, Grade, Kind, PrincipalRef, ResourceRef, finding_id};
use crate::triage::{Audience, SinceBaseline, Standing, Status, WaivedBy, WaiverNote, triage};

const ACCOUNT: &str = "111122223333";

pub(super) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

pub(super) fn role(name: &str) -> Entity {
    Entity::new(Kind::Role, format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
}

pub(super) fn queue(name: &str) -> Entity {
    Entity::new(
        Kind::Queue,
        format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"),
    )
}

fn function(name: &str) -> Entity {
    Entity::new(
        Kind::Function,
        format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}"),
    )
}

fn policy(name: &str) -> Entity {
    Entity::new(
        Kind::Policy,
        format!("arn:aws:iam::{ACCOUNT}:policy/{name}"),
    )
}

fn on(entity: Entity, certainty: Certainty, grade: Option<Grade>) -> ResourceRef {
    ResourceRef {
        entity,
        certainty,
        grade,
    }
}

fn held_by(entity: Entity, workloads: Vec<Entity>) -> PrincipalRef {
    PrincipalRef { entity, workloads }
}

pub(super) fn finding(rule: &'static str, severity: Severity, subject: Entity) -> Finding {
    let region = if subject.kind == Kind::Queue {
        "eu-west-1"
    } else {
        "global"
    };
    Finding {
        id: finding_id(rule, &account(), &subject),
        rule,
        severity,
        title: "something is too wide".to_owned(),
        detail: "The facts in words.".to_owned(),
        account: account(),
        region: region.to_owned(),
        principals: vec![held_by(subject.clone(), Vec::new())],
        subject,
        resources: [].into(),
        more_resources: 0,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: [].into(),
        more_evidence: 0,
        remedy: "Give only what is needed.".to_owned(),
    }
}

fn findings() -> Vec<Finding> {
    let worker = role("service-role/orders-worker");
    let instance = Entity::new(
        Kind::Instance,
        format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0abc1234def567890"),
    );
    let long = role("CdkPlatformStack-PaymentReconciliationFunctionServiceRole3F2A-1ABCDEFGH");
    vec![
        Finding {
            title: "anyone can send to queue `public-intake`".to_owned(),
            principals: vec![held_by(Entity::new(Kind::Anyone, "*"), Vec::new())],
            resources: Arc::new([on(queue("public-intake"), Certainty::Allowed, None)]),
            remedy: "Name the senders in the queue policy, or add a condition on aws:SourceArn.".to_owned(),
            ..finding("public-queue", Severity::Critical, queue("public-intake"))
        },
        Finding {
            title: "role `orders-worker` can both send to and receive from 7 queues; one loop runs by itself".to_owned(),
            principals: vec![held_by(worker.clone(), vec![instance, function("orders-fn"), function("orders-retry")])],
            resources: Arc::new([
                on(queue("invoices"), Certainty::Conditional, Some(Grade::Conditional)),
                on(queue("notifications-email"), Certainty::Allowed, Some(Grade::Permitted)),
                on(queue("notifications-sms"), Certainty::Allowed, Some(Grade::Permitted)),
                on(queue("orders"), Certainty::Allowed, Some(Grade::Wired)),
                on(queue("payments"), Certainty::Allowed, Some(Grade::Permitted)),
                on(queue("refunds"), Certainty::Allowed, Some(Grade::Permitted)),
                on(queue("shipments.fifo"), Certainty::Allowed, Some(Grade::Permitted)),
            ]),
            evidence: Arc::new([
                Evidence {
                    capability: "send".into(),
                    resource: queue("orders").arn,
                    layer: "identity",
                    policy: policy("QueuesFull").arn,
                    statement: "#1".into(),
                    effect: "Allow",
                },
                Evidence {
                    capability: "receive".into(),
                    resource: queue("orders").arn,
                    layer: "identity",
                    policy: "role orders-worker / policy inline".into(),
                    statement: "Consume".into(),
                    effect: "Allow",
                },
            ]),
            remedy: "Split it: keep receive and delete here, and give sqs:SendMessage to a role of its own that only the generator runs as.".to_owned(),
            ..finding("queue-feedback-loop", Severity::High, worker)
        },
        Finding {
            title: "policy `ReadEverything` gives sqs:* on every queue to 8 principals".to_owned(),
            principals: (1..=8).map(|number| held_by(role(&format!("batch-{number}")), Vec::new())).collect(),
            resources: Arc::new([on(queue("orders"), Certainty::Allowed, None), on(queue("payments"), Certainty::Conditional, None)]),
            remedy: "Name the queues and the actions.".to_owned(),
            ..finding("overbroad-wildcard", Severity::Medium, policy("ReadEverything"))
        },
        Finding {
            title: format!("role `{}` can feed itself through queue `reconciliation`", "CdkPlatformStack-PaymentReconciliationFunctionServiceRole3F2A-1ABCDEFGH"),
            principals: vec![held_by(long.clone(), vec![function("CdkPlatformStack-PaymentReconciliationFunction3F2A")])],
            resources: Arc::new([on(queue("reconciliation"), Certainty::Conditional, Some(Grade::Conditional))]),
            certainty: Certainty::Conditional,
            conditions: vec![
                "aws:PrincipalTag/team equals `payments`".to_owned(),
                "aws:SourceVpce is one of `vpce-0123456789abcdef0`, `vpce-0fedcba9876543210`".to_owned(),
            ],
            remedy: "Split the role into a generator and a consumer.".to_owned(),
            ..finding("queue-feedback-loop", Severity::Medium, long)
        },
        Finding {
            title: "user `alice` has policies of her own instead of a group's".to_owned(),
            resources: Arc::new([on(policy("QueuesFull"), Certainty::Allowed, None)]),
            certainty: Certainty::Conditional,
            ..finding("direct-user-policy", Severity::Low, Entity::new(Kind::User, format!("arn:aws:iam::{ACCOUNT}:user/staff/alice")))
        },
        finding("unused-role", Severity::Info, role("old-batch")),
    ]
}

pub(super) fn end(entity: Entity, certainty: Certainty, both: bool) -> FlowEnd {
    FlowEnd {
        entity,
        certainty,
        both,
    }
}

fn flows() -> Vec<QueueFlow> {
    let worker = || end(role("service-role/orders-worker"), Certainty::Allowed, true);
    let sns = || {
        end(
            Entity::new(Kind::Service, "sns.amazonaws.com"),
            Certainty::Conditional,
            false,
        )
    };
    let partner = Entity::new(Kind::Role, "arn:aws:iam::444455556666:role/partner-gateway");
    let batch =
        (1..=6).map(|number| end(role(&format!("batch-{number}")), Certainty::Allowed, false));
    let long = role("CdkPlatformStack-PaymentReconciliationFunctionServiceRole3F2A-1ABCDEFGH");
    vec![
        QueueFlow {
            queue: queue("audit-trail"),
            generators: batch.collect(),
            consumers: vec![],
            administrators: 3,
        },
        QueueFlow {
            queue: queue("orders"),
            generators: vec![
                end(role("shop-frontend"), Certainty::Allowed, false),
                worker(),
                sns(),
            ],
            consumers: vec![worker()],
            administrators: 3,
        },
        QueueFlow {
            queue: queue("public-intake"),
            generators: vec![
                end(Entity::new(Kind::Anyone, "*"), Certainty::Allowed, false),
                end(partner, Certainty::Conditional, false),
            ],
            consumers: vec![end(role("intake"), Certainty::Allowed, false)],
            administrators: 3,
        },
        QueueFlow {
            queue: queue("reconciliation-of-payments-production.fifo"),
            generators: vec![end(long.clone(), Certainty::Conditional, true)],
            consumers: vec![end(long, Certainty::Conditional, true)],
            administrators: 3,
        },
    ]
}

fn gap(operation: &str, service: &str, resource: Option<&str>, effect: GapEffect) -> AccountGap {
    AccountGap {
        account: account(),
        gap: Gap {
            region: resource.map(|_| "us-east-1".to_owned()),
            service: service.to_owned(),
            operation: operation.to_owned(),
            resource: resource.map(|name| format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")),
            error: "AccessDenied".to_owned(),
            effect,
            detail: match effect {
                GapEffect::MayHide => format!(
                    "who else has access is not known; allow {service}:{operation} to the auditing role"
                ),
                GapEffect::MayOverstate => "service control policies are not applied".to_owned(),
            },
        },
    }
}

/// Incomplete, with findings of every severity.
pub(super) fn report() -> Report {
    Report {
        generated_at: time("2026-01-31T08:00:00.987Z"),
        accounts: vec![AccountSummary {
            id: account(),
            alias: Some("acme-prod".to_owned()),
            partition: "aws".to_owned(),
            regions: vec!["eu-west-1".to_owned(), "us-east-1".to_owned()],
            scanned_at: time("2026-01-31T07:58:12Z"),
            counts: Counts {
                users: 1,
                groups: 0,
                roles: 41,
                queues: 12,
                functions: 9,
                instances: 3,
            },
        }],
        coverage: Coverage {
            gaps: vec![
                gap(
                    "ListPolicies",
                    "organizations",
                    None,
                    GapEffect::MayOverstate,
                ),
                gap(
                    "GetQueueAttributes",
                    "sqs",
                    Some("legacy-a"),
                    GapEffect::MayHide,
                ),
                gap(
                    "GetQueueAttributes",
                    "sqs",
                    Some("legacy-b"),
                    GapEffect::MayHide,
                ),
                gap("ListGroups", "iam", None, GapEffect::MayHide),
            ],
            notes: vec![AccountNote {
                account: account(),
                note: Note {
                    region: Some("eu-west-1".to_owned()),
                    service: "sqs".to_owned(),
                    resource: Some(queue("short-lived").arn.to_string()),
                    detail: "deleted between the list and the read".to_owned(),
                },
            }],
            skipped: vec![SkippedService {
                account: account(),
                service: "ec2".to_owned(),
            }],
        },
        findings: triage(&[], findings()),
        flows: flows(),
        causes: Vec::new(),
        rules_off: Vec::new(),
        persona: Audience::default(),
        waiver_notes: None,
        since: None,
        more_flows: 0,
    }
}

/// Complete, without a finding.
pub(super) fn clean() -> Report {
    Report {
        coverage: Coverage::default(),
        findings: Vec::new(),
        flows: Vec::new(),
        ..report()
    }
}

/// `report()` with every text that comes from outside replaced.
pub(super) fn hostile(texts: &[String]) -> Report {
    let mut texts = texts.iter().cycle().cloned();
    let mut text = move || texts.next().unwrap_or_default();
    let mut report = report();
    for account in &mut report.accounts {
        account.alias = Some(text());
        account.partition = text();
        account.regions = vec![text(), text()];
    }
    for missing in &mut report.coverage.gaps {
        missing.gap.region = Some(text());
        missing.gap.service = text();
        missing.gap.operation = text();
        missing.gap.resource = Some(text());
        missing.gap.error = text();
        missing.gap.detail = text();
    }
    for AccountNote { note, .. } in &mut report.coverage.notes {
        note.region = Some(text());
        note.service = text();
        note.resource = Some(text());
        note.detail = text();
    }
    for SkippedService { service, .. } in &mut report.coverage.skipped {
        *service = text();
    }
    let mut entity = |kind: Kind| match kind {
        Kind::Queue => queue(&text()),
        Kind::Role => role(&text()),
        other => Entity::new(other, text()),
    };
    for Finding {
        subject,
        principals,
        resources,
        ..
    } in report
        .findings
        .iter_mut()
        .map(|triaged| &mut triaged.finding)
    {
        *subject = entity(subject.kind);
        for PrincipalRef {
            entity: principal,
            workloads,
        } in principals
        {
            *principal = entity(principal.kind);
            for workload in workloads {
                *workload = entity(workload.kind);
            }
        }
        for ResourceRef {
            entity: resource, ..
        } in Arc::make_mut(resources)
        {
            *resource = entity(resource.kind);
        }
    }
    for flow in &mut report.flows {
        flow.queue = entity(Kind::Queue);
        for end in flow.generators.iter_mut().chain(&mut flow.consumers) {
            end.entity = entity(end.entity.kind);
        }
    }
    for finding in report
        .findings
        .iter_mut()
        .map(|triaged| &mut triaged.finding)
    {
        finding.title = text();
        finding.detail = text();
        finding.region = text();
        finding.remedy = text();
        finding.id = text();
        for condition in &mut finding.conditions {
            *condition = text();
        }
        for evidence in Arc::make_mut(&mut finding.evidence) {
            evidence.policy = text().into();
            evidence.statement = text().into();
        }
    }
    known(&mut report, text);
    report
}

/// Adds what is known of findings, in texts that come from outside.
fn known(report: &mut Report, mut text: impl FnMut() -> String) {
    report.waiver_notes = Some(
        [true, false]
            .map(|is_alarm| WaiverNote {
                number: 1,
                is_alarm,
                text: text(),
            })
            .into(),
    );
    let standings = [Standing::Holds, Standing::Expired, Standing::Lapsed];
    for (finding, standing) in report.findings.iter_mut().zip(standings) {
        finding.first_seen = Some(text());
        finding.waiver = Some(WaivedBy {
            standing,
            owner: text(),
            reason: text(),
            expires: None,
        });
        if standing == Standing::Holds {
            finding.status = Status::Waived;
        }
    }
    let mut gone = || {
        serde_json::from_value(serde_json::json!({
            "id": text(), "rule": text(), "severity": text(), "title": text(), "account": text(), "region": text(),
            "subject": {"kind": text(), "arn": text()}, "principals": [], "resources": [], "verdict": text(), "status": text(),
            "conditions": []
        }))
        .unwrap()
    };
    report.since = Some(SinceBaseline {
        gone: vec![gone()],
        not_covered: vec![gone()],
        made_at: text(),
    });
}

/// Names that try to break out of a line, a cell or a string.
pub(super) fn hostile_names() -> Vec<String> {
    vec![
        "\u{1b}]0;owned\u{7}\u{1b}[2J".to_owned(),
        "a\nb\r\nc\td".to_owned(),
        "\u{202e}nimda\u{2066}\u{200f}".to_owned(),
        "x".repeat(512),
        "注文キュー".repeat(40),
        "🦀👩‍👩‍👧‍👦⚠️".repeat(20),
        "مرحبا لا".repeat(30),
        "e\u{301}\u{302}\u{303}".repeat(100),
        "\u{200b}\u{feff}\u{e0041}\u{9b}".to_owned(),
        format!("arn:aws:iam::111122223333:role/{}", "p/".repeat(240)),
        String::new(),
    ]
}
