//! `user-as-service` and `user-without-group`: unknown keys are not no keys.

use serde_json::{Value, json};

use crate::patscan::{Patscan, audit, fixture};

fn notes(report: &Value) -> Vec<&str> {
    let notes = report["coverage"]["notes"].as_array().unwrap();
    notes
        .iter()
        .map(|note| note["detail"].as_str().unwrap())
        .collect()
}

#[test]
fn users_whose_keys_nobody_looked_at_are_noted_once() {
    let report = audit("users-and-keys");
    let notes = notes(&report);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("access keys of one user are not in the snapshot"));
    assert_eq!(report["coverage"]["complete"], true);
}

#[test]
fn a_gap_that_says_why_takes_the_place_of_the_note() {
    let text = std::fs::read_to_string(fixture("users-and-keys")).unwrap();
    let mut snapshot: Value = serde_json::from_str(&text).unwrap();
    snapshot["account"]["coverage"] = json!({"gaps": [{
        "service": "iam", "operation": "ListAccessKeys", "resource": "arn:aws:iam::111122223333:user/unread",
        "error": "AccessDenied", "effect": "may-hide", "detail": "access keys are unknown"}]});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    std::fs::write(&file, snapshot.to_string()).unwrap();
    let run = Patscan::new(["analyze", "-f", "json"]).arg(&file).run();
    assert_eq!(run.code, 3);
    assert!(notes(&run.json()).is_empty());
}

#[test]
fn the_keys_of_a_service_are_told_with_their_days() {
    let report = audit("users-and-keys");
    let findings = report["findings"].as_array().unwrap();
    let detail = |user: &str| {
        let of_user = |finding: &&Value| {
            finding["rule"] == "user-as-service"
                && finding["subject"]["arn"].as_str().unwrap().ends_with(user)
        };
        let finding = findings.iter().find(of_user).unwrap();
        finding["detail"].as_str().unwrap()
    };
    assert!(detail("user/ci-uploader").starts_with("An access key is active, made on 2021-03-04."));
    assert!(
        detail("user/partner-feed")
            .starts_with("2 access keys are active, made on 2021-03-04 and 2025-06-01.")
    );
}
