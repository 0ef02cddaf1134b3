//! What the checks by schema do not see: limits of length and number, and what is archived.

use serde_json::Value;

use super::*;
use crate::report::example;

fn findings(report: &Report) -> Vec<Value> {
    let mut text = Vec::new();
    write(report, &mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn length(value: &Value) -> usize {
    value.as_str().unwrap().encode_utf16().count()
}

#[test]
fn hostile_texts_stay_within_the_limits() {
    let mut report = example::hostile(&example::hostile_names());
    let many = (0..200).map(|number| crate::finding::ResourceRef {
        entity: example::queue(&format!("q{number}")),
        certainty: Certainty::Allowed,
        grade: None,
    });
    report.findings[0].finding.resources = many.collect();
    for finding in findings(&report) {
        let required = [
            "SchemaVersion",
            "Id",
            "ProductArn",
            "GeneratorId",
            "AwsAccountId",
            "CreatedAt",
            "UpdatedAt",
            "Title",
            "Description",
            "Resources",
            "Types",
            "Severity",
        ];
        for name in required {
            assert!(finding.get(name).is_some(), "{name}: {finding}");
        }
        for (name, most) in [
            ("Id", 512),
            ("Title", 256),
            ("Description", 1024),
            ("GeneratorId", 512),
        ] {
            assert!(
                (1..=most).contains(&length(&finding[name])),
                "{name}: {finding}"
            );
            assert!(!finding[name].as_str().unwrap().trim().is_empty());
        }
        let resources = finding["Resources"].as_array().unwrap();
        assert!((1..=32).contains(&resources.len()));
        for resource in resources {
            assert!((1..=512).contains(&length(&resource["Id"])), "{resource}");
        }
        for value in finding["ProductFields"].as_object().unwrap().values() {
            assert!((1..=2048).contains(&length(value)));
        }
        assert_eq!(
            finding["FindingProviderFields"]["Severity"],
            finding["Severity"]
        );
        for never in ["Note", "Workflow", "UserDefinedFields", "VerificationState"] {
            assert!(finding.get(never).is_none());
        }
    }
    let first = &findings(&report)[0];
    assert_eq!(first["ProductFields"]["patscan/status"], "waived");
    let more: usize = first["ProductFields"]["patscan/more-resources"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(more > 160, "{more}");
}

#[test]
fn a_finding_belongs_to_the_default_product_of_its_account_and_region() {
    let report = example::report();
    let findings = findings(&report);
    let product = |region: &str| {
        format!("arn:aws:securityhub:{region}:111122223333:product/111122223333/default")
    };
    assert_eq!(findings[0]["ProductArn"], product("eu-west-1"));
    // Of IAM, in a scan with the region that tells of it.
    assert_eq!(findings[1]["ProductArn"], product("us-east-1"));
    assert_eq!(findings[1]["Resources"][0]["Type"], "AwsIamRole");
    assert_eq!(findings[1]["Compliance"]["Status"], "FAILED");
    assert_eq!(findings[3]["Compliance"]["Status"], "WARNING");
    assert_eq!(findings[0]["CreatedAt"], "2026-01-31T07:58:12Z");
    assert_eq!(findings[0]["UpdatedAt"], "2026-01-31T08:00:00Z");
    let mut elsewhere = report;
    elsewhere.accounts[0].regions = vec!["eu-west-1".to_owned()];
    assert_eq!(
        super::tests::findings(&elsewhere)[1]["ProductArn"],
        product("eu-west-1")
    );
}

#[test]
fn what_is_gone_is_archived_and_keeps_its_beginning() {
    let mut report = example::report();
    let gone = serde_json::json!({
        "id": "public-queue-0123456789ab", "rule": "public-queue", "severity": "critical", "title": "anyone can send",
        "account": "111122223333", "region": "eu-west-1", "first_seen": "2026-01-02T03:04:05Z",
        "subject": {"kind": "queue", "arn": "arn:aws:sqs:eu-west-1:111122223333:q"}, "principals": [], "resources": [],
        "verdict": "allowed", "conditions": [], "status": "open"
    });
    report.since = Some(crate::triage::SinceBaseline {
        made_at: "2026-01-30T00:00:00Z".to_owned(),
        gone: vec![serde_json::from_value(gone).unwrap()],
        not_covered: Vec::new(),
    });
    let findings = findings(&report);
    let archived = findings.last().unwrap();
    assert_eq!(archived["RecordState"], "ARCHIVED");
    assert_eq!(archived["Compliance"]["Status"], "PASSED");
    assert_eq!(archived["CreatedAt"], "2026-01-02T03:04:05Z");
    assert_eq!(archived["Resources"][0]["Type"], "AwsSqsQueue");
    assert_eq!(archived["Severity"]["Label"], "CRITICAL");
    assert_eq!(findings[0]["RecordState"], "ACTIVE");
}
