//! `name-pattern` and `cross-environment`: silent without `[names]`, and mistakes in it are told.

use serde_json::Value;

use crate::patscan::{Patscan, fixture};

fn analyze(toml: &str) -> Patscan {
    let folder = tempfile::tempdir().unwrap().keep();
    let file = folder.join("patscan.toml");
    std::fs::write(&file, toml).unwrap();
    Patscan::new(["analyze", "-f", "json", "--exit-zero"])
        .arg(fixture("names"))
        .arg("--config")
        .arg(file)
}

fn findings(report: &Value, rule: &str) -> Vec<Value> {
    let findings = report["findings"].as_array().unwrap();
    let of_rule = findings.iter().filter(|finding| finding["rule"] == rule);
    of_rule.cloned().collect()
}

#[test]
fn nothing_is_said_of_names_where_nothing_is_settled() {
    let report = analyze("").run().json();
    assert!(findings(&report, "name-pattern").is_empty());
    assert!(findings(&report, "cross-environment").is_empty());
}

#[test]
fn many_names_are_one_finding() {
    let toml = "[names]\npattern = \"<env>-x\"\nenvironments = [\"dev\"]\n[rules.name-pattern]\none-by-one = 3";
    let report = analyze(toml).run().json();
    let [finding] = &findings(&report, "name-pattern")[..] else {
        panic!("{report}");
    };
    assert_eq!(
        finding["title"],
        "7 roles, one user, one group, 5 queues and 2 functions are not named as settled"
    );
    assert_eq!(finding["subject"]["kind"], "account");
    assert_eq!(finding["resources"].as_array().unwrap().len(), 16);
}

#[test]
fn without_a_place_for_it_the_environment_is_a_word_of_the_name() {
    let toml = "[names]\nenvironments = [\"dev\", \"staging\", \"prod\"]";
    let report = analyze(toml).run().json();
    assert!(findings(&report, "name-pattern").is_empty());
    let crossing = findings(&report, "cross-environment");
    let titles: Vec<_> = crossing.iter().map(|finding| &finding["title"]).collect();
    assert_eq!(
        titles,
        [
            "role dev-orders-api of dev can send to queue prod-orders",
            "role staging-orders-worker of staging can, under conditions, receive from queue prod-orders"
        ]
    );
}

/// The crossings of the fixture once everyone of the account may send to the queue of prod, told one by one up to `most`.
fn with_a_wide_queue(most: u32) -> Vec<String> {
    let text = std::fs::read_to_string(fixture("names")).unwrap();
    let mut snapshot: Value = serde_json::from_str(&text).unwrap();
    let queues = snapshot["account"]["queues"].as_array_mut().unwrap();
    let prod = queues
        .iter_mut()
        .find(|queue| queue["arn"].as_str().unwrap().ends_with(":prod-orders"))
        .unwrap();
    prod["attributes"]["policy"] = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": prod["arn"],
        "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}}]});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    std::fs::write(&file, snapshot.to_string()).unwrap();
    let toml = format!(
        "[names]\nenvironments = [\"dev\", \"staging\", \"prod\"]\n[rules.cross-environment]\none-by-one = {most}"
    );
    let config = folder.path().join("patscan.toml");
    std::fs::write(&config, toml).unwrap();
    let report = Patscan::new(["analyze", "-f", "json", "--exit-zero"])
        .arg(&file)
        .arg("--config")
        .arg(&config)
        .run()
        .json();
    let crossing = findings(&report, "cross-environment");
    crossing
        .iter()
        .map(|finding| finding["title"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_queue_that_lets_everyone_in_is_one_finding() {
    assert_eq!(
        with_a_wide_queue(3),
        ["queue prod-orders of prod can be used by 4 principals of other environments"]
    );
    let one_by_one = with_a_wide_queue(4);
    assert_eq!(one_by_one.len(), 4, "{one_by_one:?}");
    assert!(one_by_one.iter().all(|title| title.starts_with("role ")));
}

#[test]
fn a_mistake_is_told_by_line() {
    for (toml, says) in [
        (
            "[names]\npattern = \"<env\"",
            "line 2: `<` is not closed in the pattern; write `<word>`, or `[-<word>]` for what may be left out",
        ),
        (
            "[output]\n[names]\npattern = \"<env>-a\"",
            "line 2: the pattern has `<env>`, and no environments are named; add `environments = [\"dev\", \"prod\"]`",
        ),
        (
            "[names]\npaths = [\"apps\"]",
            "line 1: `apps` is no IAM path; write it between slashes, as `/apps/`",
        ),
        (
            "[names]\nkinds = [\"topic\"]",
            "line 2: names of `topic` are not looked at; use role, user, group, queue or function",
        ),
        (
            "[names]\npatern = \"a\"",
            "line 2: there is no key `patern` in [names]; did you mean `pattern`?",
        ),
    ] {
        let run = analyze(toml).run();
        let failure = run.failure();
        assert!(failure.contains(says), "{failure}");
    }
}
