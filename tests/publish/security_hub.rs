//! AWS Security Hub: what is found is imported, what is gone is archived where this run looked, and nothing is done twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Workshop, ids, json, publish};
use crate::emulator::{ACCOUNT, Answer, Canned, Moto, Request};
use crate::patscan::Patscan;

const HUB: &str = "securityhub://eu-west-1";

/// The findings that Security Hub of the emulator holds, by id.
fn held(moto: &Moto) -> BTreeMap<String, Value> {
    let findings: Vec<Value> = serde_json::from_str(&moto.seed("held_findings.py")).unwrap();
    let id = |finding: &Value| finding["Id"].as_str().unwrap().to_owned();
    findings
        .into_iter()
        .map(|finding| (id(&finding), finding))
        .collect()
}

fn at(workshop: &Workshop, report: &Path, name: &str, time: &str) -> std::path::PathBuf {
    workshop.edited(report, name, |report| report["generated_at"] = json!(time))
}

#[test]
fn findings_go_in_once_are_refreshed_and_are_archived_when_gone() {
    let moto = Moto::start();
    let workshop = Workshop::new();
    let first = at(
        &workshop,
        &workshop.report("report.json"),
        "first.json",
        "2026-11-01T08:00:00Z",
    );
    let run = publish(&first, HUB, &moto.url(), &[]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            0,
            "securityhub://eu-west-1: imported 9 findings in 1 region\n"
        )
    );
    let after_first = held(&moto);
    assert_eq!(after_first.keys().cloned().collect::<Vec<_>>(), ids(&first));
    for finding in after_first.values() {
        assert_eq!(finding["RecordState"], "ACTIVE");
        assert_eq!(finding["AwsAccountId"], ACCOUNT);
        let product = format!("arn:aws:securityhub:eu-west-1:{ACCOUNT}:product/{ACCOUNT}/default");
        assert_eq!(finding["ProductArn"], product);
        for never in ["Note", "Workflow", "UserDefinedFields", "VerificationState"] {
            assert!(finding.get(never).is_none());
        }
    }

    let again = publish(&first, HUB, &moto.url(), &[]);
    assert_eq!(
        again.stderr,
        "securityhub://eu-west-1: nothing to do: 9 findings already there\n"
    );
    assert_eq!(held(&moto), after_first);

    // A later run that finds one less.
    let gone = ids(&first)[0].clone();
    let later = workshop.edited(&first, "later.json", |report| {
        report["generated_at"] = json!("2026-11-02T08:00:00Z");
        report["accounts"][0]["scanned_at"] = json!("2026-11-02T07:00:00Z");
        report["findings"]
            .as_array_mut()
            .unwrap()
            .retain(|finding| finding["id"] != gone);
    });
    let run = publish(&later, HUB, &moto.url(), &[]);
    assert_eq!(
        run.stderr,
        "securityhub://eu-west-1: imported 8 findings in 1 region\nsecurityhub://eu-west-1: archived 1 finding no longer found\n"
    );
    let after_later = held(&moto);
    for (id, finding) in &after_later {
        let state = if *id == gone { "ARCHIVED" } else { "ACTIVE" };
        assert_eq!(finding["RecordState"], state, "{id}");
        assert_eq!(
            finding["CreatedAt"], after_first[id]["CreatedAt"],
            "the first stays"
        );
        assert_eq!(finding["UpdatedAt"], "2026-11-02T08:00:00Z");
    }
    assert_eq!(after_later[&gone]["Compliance"]["Status"], "PASSED");

    // An old report that is published late undoes nothing.
    let late = publish(&first, HUB, &moto.url(), &[]);
    assert_eq!(late.code, 0);
    assert!(
        late.stderr
            .contains("left alone, since a later report was there first: 9 findings"),
        "{late:?}"
    );
    assert_eq!(held(&moto), after_later);

    // What comes back was first seen then.
    let back = at(&workshop, &first, "back.json", "2026-11-03T08:00:00Z");
    publish(&back, HUB, &moto.url(), &[]);
    let after_back = held(&moto);
    assert_eq!(after_back[&gone]["RecordState"], "ACTIVE");
    assert_eq!(
        after_back[&gone]["CreatedAt"],
        after_first[&gone]["CreatedAt"]
    );
}

type Edit<'a> = Box<dyn Fn(&mut Value) + 'a>;

#[test]
fn nothing_is_archived_where_this_run_did_not_look() {
    let moto = Moto::start();
    let workshop = Workshop::new();
    let first = at(
        &workshop,
        &workshop.report("report.json"),
        "first.json",
        "2026-11-01T08:00:00Z",
    );
    publish(&first, HUB, &moto.url(), &[]);
    let before = held(&moto);
    let gap = json!({"account": ACCOUNT, "region": "eu-west-1", "service": "sqs", "operation": "ListQueues", "resource": null,
                     "error": "AccessDenied", "effect": "may-hide", "detail": "queues are unknown"});
    let not_covering: Vec<(&str, Edit<'_>)> = vec![
        (
            "a gap",
            Box::new(|report| {
                report["coverage"]["complete"] = json!(false);
                report["coverage"]["gaps"] = json!([gap]);
            }),
        ),
        (
            "another region",
            Box::new(|report| report["accounts"][0]["regions"] = json!(["us-east-1"])),
        ),
        (
            "a service left out",
            Box::new(|report| {
                report["coverage"]["skipped"] = json!([{"account": ACCOUNT, "service": "lambda"}]);
            }),
        ),
        (
            "rules switched off",
            Box::new(|report| {
                let rules = before
                    .values()
                    .map(|one| one["ProductFields"]["patscan/rule"].clone());
                let mut rules: Vec<Value> = rules.collect();
                rules.dedup();
                report["rules_off"] = json!(rules);
            }),
        ),
    ];
    for (what, edit) in not_covering {
        let report = workshop.edited(&first, "narrow.json", |report| {
            report["generated_at"] = json!("2026-11-02T08:00:00Z");
            report["findings"] = json!([]);
            edit(report);
        });
        let run = publish(&report, HUB, &moto.url(), &[]);
        // Of these only a gap makes the report incomplete: the others are what somebody chose.
        let expected = if what == "a gap" { 3 } else { 0 };
        assert_eq!(run.code, expected, "{what}: {run:?}");
        assert!(
            run.stderr.contains(
                "not archived, since this run did not look where it was found: 9 findings"
            ),
            "{what}: {run:?}"
        );
        assert_eq!(held(&moto), before, "{what}");
    }
    let whole = workshop.edited(&first, "whole.json", |report| {
        report["generated_at"] = json!("2026-11-02T08:00:00Z");
        report["findings"] = json!([]);
    });
    publish(&whole, HUB, &moto.url(), &[]);
    assert!(
        held(&moto)
            .values()
            .all(|one| one["RecordState"] == "ARCHIVED")
    );
}

#[test]
fn what_is_sent_is_what_the_export_writes() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "securityhub:GetFindings" => Some(Answer::ok(r#"{"Findings":[]}"#)),
        "securityhub:BatchImportFindings" => Some(accepted(request)),
        _ => None,
    });
    let workshop = Workshop::new();
    let snapshot = workshop.snapshot("snapshot.json", |_| {});
    let export = workshop.path("export.json");
    let run = Patscan::new(["analyze", "-q", "--publish", "securityhub", "-f"])
        .arg(format!("asff={}", export.display()))
        .arg(&snapshot)
        .env("AWS_ENDPOINT_URL", aws.url())
        .with_credentials()
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let mut sent = imported(&aws);
    let mut exported = json(&export).as_array().unwrap().clone();
    for list in [&mut sent, &mut exported] {
        list.sort_by_key(|finding| finding["Id"].to_string());
    }
    assert_eq!(sent, exported);
    // Each in the region of its product.
    for request in aws
        .received()
        .iter()
        .filter(|one| one.operation == "BatchImportFindings")
    {
        assert!(
            request.mentions(&format!("arn:aws:securityhub:{}:", request.region)),
            "{request:?}"
        );
    }
}

/// All findings that were imported, in the order of the calls.
fn imported(aws: &Canned) -> Vec<Value> {
    let calls = aws.received();
    let calls = calls
        .iter()
        .filter(|one| one.operation == "BatchImportFindings");
    calls.flat_map(findings_of).collect()
}

fn findings_of(request: &Request) -> Vec<Value> {
    let body: Value = serde_json::from_str(request.input.trim_start()).unwrap();
    body["Findings"].as_array().unwrap().clone()
}

fn accepted(request: &Request) -> Answer {
    let number = findings_of(request).len();
    Answer::ok(json!({"FailedCount": 0, "SuccessCount": number, "FailedFindings": []}).to_string())
}

#[test]
fn findings_that_fail_are_sent_again_or_told_one_by_one() {
    let calls = AtomicUsize::new(0);
    let aws = Canned::start(move |request| match request.call().as_str() {
        "securityhub:GetFindings" => Some(Answer::ok(r#"{"Findings":[]}"#)),
        "securityhub:BatchImportFindings" => {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            let findings = findings_of(request);
            let error = |place: usize, code: &str| json!({"Id": findings[place]["Id"], "ErrorCode": code, "ErrorMessage": "because \u{1b}[31m"});
            let failed = if first {
                vec![error(0, "InternalFailure"), error(1, "InvalidInput")]
            } else {
                Vec::new()
            };
            let success = findings.len() - failed.len();
            Some(Answer::ok(
                json!({"FailedCount": failed.len(), "SuccessCount": success, "FailedFindings": failed}).to_string(),
            ))
        }
        _ => None,
    });
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let run = publish(&report, HUB, aws.url(), &[]);
    assert_eq!(run.code, 2);
    let sent = imported(&aws);
    assert_eq!(sent.len(), 10, "nine, and one of them again");
    let refused = sent[1]["Id"].as_str().unwrap();
    assert!(
        run.stderr.contains(&format!(
            "error: {HUB}: {refused} in eu-west-1: InvalidInput: because \\u{{1b}}[31m\n"
        )),
        "{run:?}"
    );
    assert!(run.stderr.contains("imported 8 findings"));
    assert!(
        run.stderr
            .ends_with("exit 2: not everything was published\n")
    );
}

#[test]
fn a_finding_that_fails_for_ever_is_given_up() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "securityhub:GetFindings" => Some(Answer::ok(r#"{"Findings":[]}"#)),
        "securityhub:BatchImportFindings" => {
            let findings = findings_of(request);
            let errors = findings.iter().map(|one| {
                json!({"Id": one["Id"], "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"})
            });
            let errors: Vec<Value> = errors.collect();
            Some(Answer::ok(
                json!({"FailedCount": errors.len(), "SuccessCount": 0, "FailedFindings": errors})
                    .to_string(),
            ))
        }
        _ => None,
    });
    let workshop = Workshop::new();
    let run = publish(&workshop.report("report.json"), HUB, aws.url(), &["-q"]);
    assert_eq!(run.code, 2);
    assert_eq!(
        run.stderr.matches("ThrottlingException: slow down").count(),
        9
    );
    assert_eq!(aws.count("securityhub:BatchImportFindings"), 5);
}

#[test]
fn many_findings_go_in_runs_of_a_hundred_and_pages_are_read_to_the_end() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "securityhub:GetFindings" if request.mentions("NextToken") => {
            Some(Answer::ok(r#"{"Findings":[]}"#))
        }
        "securityhub:GetFindings" => Some(Answer::ok(r#"{"Findings":[],"NextToken":"more"}"#)),
        "securityhub:BatchImportFindings" => Some(accepted(request)),
        _ => None,
    });
    let workshop = Workshop::new();
    let report = workshop.edited(&workshop.report("report.json"), "many.json", |report| {
        let first = report["findings"][0].clone();
        report["findings"] = (0..250)
            .map(|number| {
                let mut finding = first.clone();
                finding["id"] = json!(format!("overbroad-wildcard-{number:012x}"));
                finding
            })
            .collect();
    });
    let run = publish(&report, HUB, aws.url(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let received = aws.received();
    let calls = received
        .iter()
        .filter(|one| one.operation == "BatchImportFindings");
    let sizes: Vec<usize> = calls.map(|one| findings_of(one).len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(aws.count("securityhub:GetFindings"), 2);
}

#[test]
fn credentials_of_another_account_are_told_apart() {
    let aws = Canned::start(|_| None);
    let workshop = Workshop::new();
    let foreign = Patscan::new([
        "publish",
        "--to",
        "securityhub",
        "--endpoint-url",
        aws.url(),
    ])
    .arg({
        let text = std::fs::read_to_string(workshop.report("report.json")).unwrap();
        let path = workshop.path("foreign.json");
        std::fs::write(&path, text.replace(ACCOUNT, "444455556666")).unwrap();
        path
    })
    .with_credentials()
    .run();
    assert_eq!(foreign.code, 2);
    assert!(
        foreign.stderr.contains(&format!(
            "the report is of 444455556666, and these credentials are of {ACCOUNT}: use a --profile or --assume-role of \
             444455556666"
        )),
        "{foreign:?}"
    );
    assert_eq!(aws.count("securityhub:BatchImportFindings"), 0);
}

#[test]
fn of_several_accounts_the_others_are_named_unless_one_is_meant() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "securityhub:GetFindings" => Some(Answer::ok(r#"{"Findings":[]}"#)),
        "securityhub:BatchImportFindings" => Some(accepted(request)),
        _ => None,
    });
    let workshop = Workshop::new();
    let report = workshop.edited(&workshop.report("report.json"), "two.json", |report| {
        let mut other: Value =
            serde_json::from_str(&report.to_string().replace(ACCOUNT, "444455556666")).unwrap();
        let accounts = report["accounts"].as_array_mut().unwrap();
        accounts.push(other["accounts"][0].take());
        let findings = report["findings"].as_array_mut().unwrap();
        findings.append(other["findings"].as_array_mut().unwrap());
    });
    let both = publish(&report, HUB, aws.url(), &[]);
    assert_eq!(both.code, 2);
    assert!(
        both.stderr.contains("nothing of 444455556666 was imported"),
        "{both:?}"
    );
    assert_eq!(imported(&aws).len(), 9);
    assert!(
        imported(&aws)
            .iter()
            .all(|finding| finding["AwsAccountId"] == ACCOUNT)
    );
    let meant = publish(&report, &format!("{HUB}?account={ACCOUNT}"), aws.url(), &[]);
    assert_eq!(meant.code, 0, "{meant:?}");
}

#[test]
fn a_region_without_security_hub_matters_only_where_there_is_something_to_import() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "securityhub:GetFindings" => Some(Answer::error(request, 401, "InvalidAccessException")),
        _ => None,
    });
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let run = publish(&report, "securityhub", aws.url(), &["-q"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains(&format!(
            "Security Hub is not enabled in eu-west-1 for account {ACCOUNT}; 9 findings not imported; enable it, or name a \
             region that takes all findings: `securityhub://REGION`"
        )),
        "{run:?}"
    );
    let nothing = workshop.edited(&report, "nothing.json", |report| {
        report["findings"] = json!([]);
    });
    let run = publish(&nothing, "securityhub", aws.url(), &[]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "securityhub: nothing found, and nothing to archive\n")
    );
    let denied = Canned::start(|request| {
        (request.operation == "GetFindings").then(|| Answer::denied(request))
    });
    let run = publish(&report, HUB, denied.url(), &["-q"]);
    assert!(
        run.stderr
            .contains("attach what `patscan iam-policy --with publish-securityhub` adds"),
        "{run:?}"
    );
    assert_eq!(denied.count("securityhub:BatchImportFindings"), 0);
}
