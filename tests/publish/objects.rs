//! S3: objects that are written once, partitioned, encrypted as asked, and found by their content.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Workshop, json, publish};
use crate::emulator::{ACCOUNT, Answer, Canned, Moto};

/// Every object of the bucket: name, and what is known of it.
fn stored(moto: &Moto) -> Vec<Value> {
    serde_json::from_str(&moto.seed("stored_objects.py")).unwrap()
}

#[test]
fn the_report_and_its_findings_are_stored_once() {
    let moto = Moto::start();
    let workshop = Workshop::new();
    moto.seed("bucket.py");
    let report = workshop.edited(&workshop.report("r.json"), "report.json", |report| {
        report["generated_at"] = json!("2026-11-01T08:00:00Z");
    });
    let to = format!("s3://audits/patscan/?kms-key=alias/audits&owner={ACCOUNT}");
    let run = publish(&report, &to, &moto.url(), &[]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "s3://audits/patscan/: stored 2 objects\n")
    );
    let objects = stored(&moto);
    let names: Vec<&str> = objects
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for (name, (part, extension)) in names
        .iter()
        .zip([("findings", ".jsonl"), ("reports", ".json")])
    {
        let start = format!("patscan/{part}/account={ACCOUNT}/date=2026-11-01/080000Z-");
        assert!(
            name.starts_with(&start) && name.ends_with(extension),
            "{name}"
        );
    }
    for object in &objects {
        assert_eq!(object["encryption"], "aws:kms");
        assert!(
            object["key"].as_str().unwrap().contains("alias/audits"),
            "{object}"
        );
        assert_eq!(object["metadata"]["patscan-complete"], "true");
    }
    // The report is the file, byte for byte.
    assert_eq!(
        objects[1]["body"].as_str().unwrap().as_bytes(),
        std::fs::read(&report).unwrap()
    );
    let lines: Vec<Value> = objects[0]["body"]
        .as_str()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.len(),
        json(&report)["findings"].as_array().unwrap().len()
    );
    assert!(
        lines
            .iter()
            .all(|line| line["schema"] == "patscan.finding/v1" && line["account"] == ACCOUNT)
    );

    let again = publish(&report, &to, &moto.url(), &[]);
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (
            0,
            "s3://audits/patscan/: 2 objects stored before, nothing to do\n"
        )
    );
    assert_eq!(stored(&moto), objects);
    let later = workshop.edited(&report, "later.json", |report| {
        report["generated_at"] = json!("2026-11-02T08:00:00Z");
    });
    publish(&later, "s3://audits/patscan/?format=json", &moto.url(), &[]);
    assert_eq!(stored(&moto).len(), 3, "a later report stands beside it");
}

#[test]
fn findings_of_several_accounts_stand_in_partitions_of_their_own() {
    let moto = Moto::start();
    let workshop = Workshop::new();
    moto.seed("bucket.py");
    let report = workshop.edited(&workshop.report("r.json"), "two.json", |report| {
        let mut other: Value =
            serde_json::from_str(&report.to_string().replace(ACCOUNT, "444455556666")).unwrap();
        let accounts = report["accounts"].as_array_mut().unwrap();
        accounts.push(other["accounts"][0].take());
        let findings = report["findings"].as_array_mut().unwrap();
        findings.append(other["findings"].as_array_mut().unwrap());
    });
    let run = publish(&report, "s3://audits", &moto.url(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let objects = stored(&moto);
    assert_eq!(objects.len(), 3);
    for (object, account) in objects.iter().zip([ACCOUNT, "444455556666"]) {
        let name = object["name"].as_str().unwrap();
        assert!(
            name.starts_with(&format!("findings/account={account}/")),
            "{name}"
        );
        let body = object["body"].as_str().unwrap();
        assert!(
            body.lines()
                .all(|line| line.contains(&format!(r#""account":"{account}""#)))
        );
    }
    assert!(
        objects[2]["name"]
            .as_str()
            .unwrap()
            .starts_with("reports/account=several/")
    );
}

#[test]
fn a_bucket_elsewhere_is_asked_in_its_region_and_another_writer_is_waited_for() {
    let calls = AtomicUsize::new(0);
    let aws = Canned::start(move |request| {
        (request.operation == "PutObject").then(|| {
            if request.region != "eu-central-1" {
                return Answer::error(request, 301, "PermanentRedirect")
                    .with("x-amz-bucket-region", "eu-central-1");
            }
            match calls.fetch_add(1, Ordering::SeqCst) {
                0 => Answer::error(request, 409, "ConditionalRequestConflict"),
                _ => Answer::ok(""),
            }
        })
    });
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let run = publish(&report, "s3://audits?format=json", aws.url(), &[]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "s3://audits/: stored 1 object\n")
    );
    let regions: Vec<String> = aws.received().into_iter().map(|one| one.region).collect();
    assert_eq!(regions, ["us-east-1", "eu-central-1", "eu-central-1"]);
}

#[test]
fn what_may_not_be_stored_is_told() {
    let aws = Canned::start(|request| {
        (request.operation == "PutObject").then(|| Answer::denied(request))
    });
    let workshop = Workshop::new();
    let run = publish(
        &workshop.report("report.json"),
        "s3://audits/x",
        aws.url(),
        &["-q"],
    );
    assert_eq!(run.code, 2);
    assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
    assert!(
        run.stderr.contains("s3:PutObject failed (AccessDenied)"),
        "{run:?}"
    );
    assert!(
        run.stderr
            .contains("patscan iam-policy --with s3://audits/x/"),
        "{run:?}"
    );
}
