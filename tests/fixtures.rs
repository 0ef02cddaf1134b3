//! Every fixture account gives exactly the findings that its `expected.json` lists: none missing, none besides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::patscan::{audit, fixtures};

/// What a report says of one subject under one rule, as far as fixtures go.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    severity: String,
    /// Queue ARNs; none where the fixture lists none.
    queues: Option<BTreeSet<String>>,
    grade: Option<String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn expected(scenario: &str) -> Value {
    let file = fixtures().join(scenario).join("expected.json");
    let content = std::fs::read_to_string(&file).unwrap();
    serde_json::from_str(&content).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn key(finding: &Value) -> (String, String) {
    let subject = match &finding["subject"] {
        Value::String(arn) => arn.clone(),
        subject => text(&subject["arn"]),
    };
    (text(&finding["rule"]), subject)
}

/// The grade of a loop finding: that of its closest resource.
fn grade(finding: &Value) -> Option<String> {
    let grades: BTreeSet<String> = finding["resources"]
        .as_array()?
        .iter()
        .filter_map(|resource| resource["grade"].as_str().map(str::to_owned))
        .collect();
    ["wired", "permitted", "conditional"]
        .into_iter()
        .find(|grade| grades.contains(*grade))
        .map(str::to_owned)
}

fn check(scenario: &str) {
    let report = audit(scenario);
    let expected = expected(scenario);
    let wanted: BTreeMap<_, _> = expected["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let queues = finding["queues"]
                .as_array()
                .filter(|queues| !queues.is_empty())
                .map(|queues| queues.iter().map(text).collect());
            let seen = Seen {
                severity: text(&finding["severity"]),
                queues,
                grade: finding["grade"].as_str().map(str::to_owned),
            };
            (key(finding), seen)
        })
        .collect();
    let found: BTreeMap<_, _> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let wanted = wanted.get(&key(finding));
            // What the fixture leaves open is not compared; queue names stand for their ARNs.
            let queues = wanted
                .and_then(|wanted| wanted.queues.as_ref())
                .map(|queues| {
                    finding["resources"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(|resource| resource["kind"] == "queue")
                        .map(|resource| {
                            let arn = text(&resource["arn"]);
                            let name = arn.rsplit(':').next().unwrap().to_owned();
                            if queues.contains(&name) { name } else { arn }
                        })
                        .collect()
                });
            let seen = Seen {
                severity: text(&finding["severity"]),
                queues,
                grade: wanted
                    .and_then(|wanted| wanted.grade.as_ref())
                    .and_then(|_| grade(finding)),
            };
            (key(finding), seen)
        })
        .collect();
    let differences: Vec<String> = wanted
        .keys()
        .chain(found.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|key| wanted.get(key) != found.get(key))
        .map(|key| {
            format!(
                "{key:?}: expected {:?}, found {:?}",
                wanted.get(key),
                found.get(key)
            )
        })
        .collect();
    assert!(differences.is_empty(), "{scenario}: {differences:#?}");

    for gap in expected["gaps"].as_array().into_iter().flatten() {
        let named = report["coverage"]["gaps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|found| found["resource"] == gap["resource"] && found["effect"] == "may-hide");
        assert!(named, "{scenario}: no gap names {}", gap["resource"]);
    }
}

#[test]
fn every_fixture_account_gives_exactly_its_findings() {
    let mut scenarios: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    scenarios.sort();
    assert!(scenarios.len() > 5, "{scenarios:?}");
    for scenario in scenarios {
        check(&scenario);
    }
}
