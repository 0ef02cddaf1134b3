//! What the checks by schema do not see: limits, links and what a reader matches findings by.

use serde_json::Value;

use super::*;
use crate::report::example;

fn written(report: &Report) -> (Value, Written) {
    let mut text = Vec::new();
    let written = write(report, &mut text).unwrap();
    (serde_json::from_slice(&text).unwrap(), written)
}

#[test]
fn every_result_has_a_path_that_says_where_it_is() {
    let (log, _) = written(&example::report());
    let results = log["runs"][0]["results"].as_array().unwrap();
    let uri = |place: usize| {
        let location = &results[place]["locations"][0];
        location["physicalLocation"]["artifactLocation"]["uri"].clone()
    };
    assert_eq!(uri(0), "aws/111122223333/eu-west-1/sqs/public-intake.json");
    assert_eq!(uri(1), "aws/111122223333/global/iam/orders-worker.json");
    let fingerprints = &results[0]["partialFingerprints"];
    assert_eq!(
        fingerprints["patscanFindingId/v1"],
        example::report().findings[0].id
    );
}

#[test]
fn hostile_names_are_segments_of_a_path_and_stay_text() {
    assert_eq!(segment(".."), "%2E%2E");
    assert_eq!(segment(""), "_");
    assert_eq!(segment("orders.fifo"), "orders.fifo");
    assert_eq!(segment("<img onerror>"), "%3Cimg%20onerror%3E");
    assert_eq!(segment("a/b?c#d"), "a%2Fb%3Fc%23d");
    assert_eq!(plain("see [me](http://x)"), "see \\[me\\](http://x)");
    assert_eq!(plain("{0} ${aws:username}"), "{{0}} ${{aws:username}}");
    assert_eq!(plain("${aws:username} [1]"), "${aws:username} [1]");
    assert_eq!(plain("a\nb\u{202e}"), "a\nb\\u{202e}");
}

#[test]
fn what_could_not_be_read_is_told_and_makes_the_run_fail() {
    let (log, _) = written(&example::report());
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notifications = invocation["toolExecutionNotifications"].as_array().unwrap();
    let levels: Vec<_> = notifications.iter().map(|one| &one["level"]).collect();
    assert_eq!(
        levels,
        ["warning", "error", "error", "error", "note", "note"]
    );
    assert_eq!(
        notifications[1]["message"]["text"],
        "account 111122223333: sqs:GetQueueAttributes in us-east-1 of arn:aws:sqs:us-east-1:111122223333:legacy-a failed \
         (AccessDenied): who else has access is not known; allow sqs:GetQueueAttributes to the auditing role"
    );
    let (log, _) = written(&example::clean());
    assert_eq!(
        log["runs"][0]["invocations"][0]["executionSuccessful"],
        true
    );
}

#[test]
fn a_waived_finding_is_suppressed_and_the_others_say_that_they_are_not() {
    let report = example::hostile(&["<b>".to_owned()]);
    let (log, _) = written(&report);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let suppressed = results[0]["suppressions"].as_array().unwrap();
    assert_eq!(suppressed[0]["justification"], "<b>: <b>");
    for result in &results[1..] {
        assert_eq!(result["suppressions"], Value::Array(Vec::new()));
    }
    let (log, _) = written(&example::report());
    assert!(log["runs"][0]["results"][0].get("suppressions").is_none());
}

#[test]
fn over_the_limit_the_gravest_are_kept_and_the_others_counted() {
    let mut report = example::report();
    let grave = report.findings[0].clone();
    let light = report.findings[5].clone();
    report.findings = vec![grave; MOST_RESULTS];
    report
        .findings
        .extend([light.clone(), light.clone(), light]);
    let (log, written) = written(&report);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!((results.len(), written.left_out), (MOST_RESULTS, 3));
    assert!(results.iter().all(|result| result["level"] == "error"));
}

#[test]
fn tags_of_a_page_are_among_those_that_are_kept() {
    for rule in RULES {
        let descriptor = Descriptor::of(rule).unwrap();
        let tags = &descriptor.properties.tags;
        assert!(tags.len() <= MOST_TAGS);
        let kept: Vec<&String> = tags.iter().take(10).collect();
        for own in rule.front_matter().unwrap().tags {
            assert!(kept.iter().any(|tag| *tag == own), "{}: {own}", rule.id);
        }
        assert!(descriptor.full_description.text.len() < 1024, "{}", rule.id);
    }
}
