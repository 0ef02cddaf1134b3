//! The report read back through types that know the contract and nothing of the writer.

use std::sync::Arc;

use super::*;
use crate::finding::Finding;
use crate::report::example;
use crate::report::text::is_hidden;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    schema: String,
    tool: ReadTool,
    generated_at: String,
    accounts: Vec<ReadAccount>,
    coverage: ReadCoverage,
    summary: std::collections::BTreeMap<String, usize>,
    #[serde(default)]
    waiver_notes: Vec<ReadNoteOnWaiver>,
    baseline: Option<ReadBaseline>,
    findings: Vec<ReadFinding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadNoteOnWaiver {
    waiver: usize,
    alarm: bool,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadBaseline {
    generated_at: String,
    gone: Vec<ReadOldFinding>,
    not_covered: Vec<ReadOldFinding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is what is checked")]
struct ReadOldFinding {
    id: String,
    rule: String,
    severity: String,
    title: String,
    account: String,
    region: String,
    subject: ReadEntity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is what is checked")]
struct ReadWaiver {
    standing: String,
    owner: String,
    reason: String,
    expires: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadTool {
    name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadAccount {
    id: String,
    alias: Option<String>,
    partition: String,
    regions: Vec<String>,
    scanned_at: String,
    counts: std::collections::BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadCoverage {
    complete: bool,
    gaps: Vec<ReadGap>,
    notes: Vec<ReadNote>,
    skipped: Vec<ReadSkipped>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadGap {
    account: String,
    region: Option<String>,
    service: String,
    operation: String,
    resource: Option<String>,
    error: String,
    effect: String,
    detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadNote {
    account: String,
    region: Option<String>,
    service: String,
    resource: Option<String>,
    detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadSkipped {
    account: String,
    service: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadFinding {
    id: String,
    rule: String,
    severity: String,
    title: String,
    detail: String,
    account: String,
    region: String,
    subject: ReadEntity,
    principals: Vec<ReadPrincipal>,
    resources: Vec<ReadResource>,
    #[serde(default)]
    more_resources: u64,
    verdict: String,
    conditions: Vec<String>,
    evidence: Vec<ReadEvidence>,
    remedy: ReadRemedy,
    fingerprint: String,
    #[serde(default)]
    audience: Option<String>,
    status: String,
    waiver: Option<ReadWaiver>,
    change: String,
    first_seen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadEntity {
    kind: String,
    arn: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadPrincipal {
    kind: String,
    arn: String,
    workloads: Vec<ReadEntity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadResource {
    kind: String,
    arn: String,
    verdict: String,
    grade: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadEvidence {
    capability: String,
    resource: String,
    layer: String,
    policy: String,
    statement: String,
    effect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadRemedy {
    summary: String,
}

fn json(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_report_with_everything() {
    insta::with_settings!({filters => vec![(r#""version": "[^"]+""#, r#""version": "[version]""#)]}, {
        insta::assert_snapshot!(json(&example::report()));
    });
}

#[test]
fn the_contract_is_kept_to_the_letter() {
    let report = example::report();
    let text = json(&report);
    assert!(text.ends_with("}\n"));
    assert_eq!(text, json(&report.clone()));
    let read: Read = serde_json::from_str(&text).unwrap();
    assert_eq!(read.schema, "patscan.report/v1");
    assert_eq!(
        (read.tool.name.as_str(), read.tool.version.as_str()),
        ("patscan", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(read.generated_at, "2026-01-31T08:00:00Z");

    let account = &read.accounts[0];
    assert_eq!(
        (account.id.as_str(), account.alias.as_deref()),
        ("111122223333", Some("acme-prod"))
    );
    assert_eq!(account.partition, "aws");
    assert_eq!(account.regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(account.scanned_at, "2026-01-31T07:58:12Z");
    let counted: Vec<&str> = account.counts.keys().map(String::as_str).collect();
    assert_eq!(
        counted,
        [
            "functions",
            "groups",
            "instances",
            "queues",
            "roles",
            "users"
        ]
    );
    assert_eq!(account.counts["roles"], 41);

    assert!(!read.coverage.complete);
    let gap = &read.coverage.gaps[0];
    assert_eq!(
        (
            gap.account.as_str(),
            gap.region.as_deref(),
            gap.resource.as_deref()
        ),
        ("111122223333", Some("global"), None)
    );
    assert_eq!(
        (gap.service.as_str(), gap.operation.as_str()),
        ("organizations", "ListPolicies")
    );
    assert_eq!(
        (gap.error.as_str(), gap.effect.as_str()),
        ("AccessDenied", "may-overstate")
    );
    assert!(!gap.detail.is_empty());
    assert_eq!(read.coverage.gaps[1].effect, "may-hide");
    assert!(!text.contains(r#""region": null"#));
    let note = &read.coverage.notes[0];
    assert_eq!(
        (
            note.account.as_str(),
            note.region.as_deref(),
            note.service.as_str()
        ),
        ("111122223333", Some("eu-west-1"), "sqs")
    );
    assert!(note.resource.is_some() && !note.detail.is_empty());
    let skipped = &read.coverage.skipped[0];
    assert_eq!(
        (skipped.account.as_str(), skipped.service.as_str()),
        ("111122223333", "ec2")
    );

    let summary: Vec<(&str, usize)> = read
        .summary
        .iter()
        .map(|(word, number)| (word.as_str(), *number))
        .collect();
    assert_eq!(
        summary,
        [
            ("critical", 1),
            ("high", 1),
            ("info", 1),
            ("low", 1),
            ("medium", 2)
        ]
    );
}

#[test]
fn findings_are_written_with_all_they_hold() {
    let report = example::report();
    let read: Read = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(read.findings.len(), report.findings.len());
    for (read, finding) in read.findings.iter().zip(&report.findings) {
        assert_eq!((&*read.id, &*read.rule), (&*finding.id, finding.rule));
        assert_eq!(read.severity, finding.severity.as_str());
        assert_eq!(
            (&*read.title, &*read.detail),
            (&*finding.title, &*finding.detail)
        );
        assert_eq!(
            (&*read.account, &*read.region),
            (finding.account.as_str(), &*finding.region)
        );
        assert_eq!(read.subject.kind, finding.subject.kind.as_str());
        assert_eq!(*read.subject.arn, *finding.subject.arn);
        assert_eq!(read.verdict, finding.certainty.as_str());
        assert_eq!(read.conditions, finding.conditions);
        assert_eq!(read.remedy.summary, finding.remedy);
        assert_eq!(read.fingerprint, finding.fingerprint.to_string());
        assert_eq!(read.audience, None);
        assert_eq!((&*read.status, &*read.change), ("open", "new"));
        let principals: Vec<(&str, &str, usize)> = read
            .principals
            .iter()
            .map(|one| (&*one.kind, &*one.arn, one.workloads.len()))
            .collect();
        let expected: Vec<(&str, &str, usize)> = finding
            .principals
            .iter()
            .map(|one| {
                (
                    one.entity.kind.as_str(),
                    &*one.entity.arn,
                    one.workloads.len(),
                )
            })
            .collect();
        assert_eq!(principals, expected);
        let resources: Vec<(&str, &str, &str, Option<&str>)> = read
            .resources
            .iter()
            .map(|one| (&*one.kind, &*one.arn, &*one.verdict, one.grade.as_deref()))
            .collect();
        let expected: Vec<(&str, &str, &str, Option<&str>)> = finding
            .resources
            .iter()
            .map(|one| {
                (
                    one.entity.kind.as_str(),
                    &*one.entity.arn,
                    one.certainty.as_str(),
                    one.grade.map(crate::finding::Grade::as_str),
                )
            })
            .collect();
        assert_eq!(resources, expected);
        assert_eq!(read.more_resources, finding.more_resources);
        let evidence: Vec<[&str; 6]> = read
            .evidence
            .iter()
            .map(|one| {
                [
                    &*one.capability,
                    &*one.resource,
                    &*one.layer,
                    &*one.policy,
                    &*one.statement,
                    &*one.effect,
                ]
            })
            .collect();
        let expected: Vec<[&str; 6]> = finding
            .evidence
            .iter()
            .map(|one| {
                [
                    &*one.capability,
                    &*one.resource,
                    one.layer,
                    &*one.policy,
                    &*one.statement,
                    one.effect,
                ]
            })
            .collect();
        assert_eq!(evidence, expected);
    }
    assert_eq!(read.findings[1].principals[0].workloads[0].kind, "instance");
}

#[test]
fn a_grade_is_left_out_where_there_is_none() {
    let mut report = example::report();
    report.findings.truncate(1);
    assert!(!json(&report).contains("grade"));
}

#[test]
fn hidden_characters_are_escaped_and_read_back_as_they_were() {
    for name in example::hostile_names() {
        let report = example::hostile(std::slice::from_ref(&name));
        let text = json(&report);
        assert!(
            !text.chars().any(|one| one != '\n' && is_hidden(one)),
            "{text}"
        );
        let read: Read = serde_json::from_str(&text).unwrap();
        assert_eq!(read.findings[0].title, name);
        assert_eq!(read.accounts[0].alias.as_deref(), Some(&*name));
        let [alarm, quiet] = &read.waiver_notes[..] else {
            panic!("{text}")
        };
        assert_eq!((alarm.waiver, alarm.alarm, quiet.alarm), (1, true, false));
        assert_eq!(alarm.text, name);
        let baseline = read.baseline.unwrap();
        assert_eq!(baseline.generated_at, name);
        assert_eq!((baseline.gone.len(), baseline.not_covered.len()), (1, 1));
        assert_eq!(read.findings[0].first_seen.as_ref(), Some(&name));
        assert!(read.findings[0].waiver.is_some());
    }
    let report = example::hostile(&["a\u{7f}\u{202e}\u{e0041}z".to_owned()]);
    assert!(json(&report).contains(r#""title": "a\u007f\u202e\udb40\udc41z""#));
}

#[test]
fn a_report_written_in_pieces_is_the_report_written_in_one() {
    let few = example::report();
    let mut none = few.clone();
    none.findings.clear();
    let mut many = few.clone();
    many.findings = few
        .findings
        .iter()
        .cycle()
        .take(FINDINGS_AT_A_TIME * 3 + 1)
        .cloned()
        .collect();
    for report in [none, few, many] {
        let mut in_one = Vec::new();
        write_value(&ReportView::of(&report), &mut in_one).unwrap();
        assert_eq!(json(&report), String::from_utf8(in_one).unwrap());
    }
}

#[test]
fn json_is_indented_as_serde_json_does() {
    let value = serde_json::json!({
        "empty": {}, "none": [], "list": [[], [{}], {"a": [1, "b\n", null]}, "c"], "last": {"d": {"e": [[[]]]}}
    });
    let mut ours = Vec::new();
    write_value(&value, &mut ours).unwrap();
    let theirs = serde_json::to_string_pretty(&value).unwrap() + "\n";
    assert_eq!(String::from_utf8(ours).unwrap(), theirs);
}

/// Every format that writes lists of findings once for all who share them.
fn written(report: &Report) -> [Vec<u8>; 2] {
    [super::write, crate::report::jsonl::write].map(|write| {
        let mut text = Vec::new();
        write(report, &mut text).unwrap();
        text
    })
}

#[test]
fn a_list_that_findings_share_is_written_as_one_that_they_do_not() {
    let mut apart = example::hostile(&example::hostile_names());
    let findings = apart.findings.iter();
    let longest = findings.max_by_key(|one| (one.resources.len(), one.evidence.len()));
    let Finding {
        resources,
        evidence,
        ..
    } = longest.unwrap().finding.clone();
    assert!(resources.len() > 1 && !evidence.is_empty());
    let mut shared = apart.clone();
    for (shared, apart) in shared.findings.iter_mut().zip(&mut apart.findings) {
        shared.finding.resources = Arc::clone(&resources);
        shared.finding.evidence = Arc::clone(&evidence);
        apart.finding.resources = resources.to_vec().into();
        apart.finding.evidence = evidence.to_vec().into();
    }
    // One that is empty as well.
    for report in [&mut shared, &mut apart] {
        report.findings[0].finding.evidence = [].into();
    }
    shared.findings[1].finding.evidence = Arc::clone(&shared.findings[0].finding.evidence);
    apart.findings[1].finding.evidence = [].into();
    assert_eq!(written(&shared), written(&apart));
}
