//! The worked cases of `fixtures/decisions/`, decided through `patscan simulate`'s own code.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

use serde_json::Value;

struct Case {
    id: String,
    request: Value,
    expect: Value,
}

fn cases() -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/decisions");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let section: Value = serde_json::from_str(&text).unwrap();
        for case in section["cases"].as_array().unwrap() {
            let mut request = case["request"].clone();
            request["id"] = case["id"].clone();
            cases.push(Case {
                id: case["id"].as_str().unwrap().to_owned(),
                request,
                expect: case["expect"].clone(),
            });
        }
    }
    cases
}

/// How a decision differs from what a case expects; nothing when it does not.
fn difference(decision: &Value, expect: &Value) -> Option<String> {
    for key in ["decision", "explicit", "layer"] {
        if !expect[key].is_null() && decision[key] != expect[key] {
            return Some(format!(
                "{key}: {} instead of {}",
                decision[key], expect[key]
            ));
        }
    }
    for assumption in expect["assumptions"].as_array().into_iter().flatten() {
        let named = decision["assumptions"]
            .as_array()
            .is_some_and(|all| all.contains(assumption));
        if !named {
            return Some(format!("the assumption {assumption} is not named"));
        }
    }
    None
}

#[test]
fn every_worked_case_gets_the_decision_that_its_table_gives() {
    let cases = cases();
    assert!(cases.len() > 700, "only {} cases were read", cases.len());
    let input: String = cases
        .iter()
        .map(|case| case.request.to_string() + "\n")
        .collect();
    let mut output = Vec::new();
    let broken =
        patscan::commands::simulate::decide_lines(BufReader::new(input.as_bytes()), &mut output)
            .unwrap();
    let output = String::from_utf8(output).unwrap();
    let decisions: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(decisions.len(), cases.len());
    let wrong: BTreeMap<&str, String> = cases
        .iter()
        .zip(&decisions)
        .filter_map(|(case, decision)| {
            let difference = match decision["error"].as_str() {
                Some(error) => Some(error.to_owned()),
                None => difference(decision, &case.expect),
            };
            Some((case.id.as_str(), difference?))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cases: {wrong:#?}",
        wrong.len(),
        cases.len()
    );
    assert_eq!(broken, 0);
}
