//! The worked cases of `fixtures/decisions/`, decided through `patscan simulate`'s own code and by the binary itself.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

use serde_json::Value;

use crate::patscan::Patscan;

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

/// The requests of all cases, a line each.
fn input(cases: &[Case]) -> String {
    cases
        .iter()
        .map(|case| case.request.to_string() + "\n")
        .collect()
}

/// The library's answers, none of which may be an error.
fn answers(input: &str) -> String {
    let mut output = Vec::new();
    let broken =
        patscan::commands::simulate::decide_lines(BufReader::new(input.as_bytes()), &mut output)
            .unwrap();
    let output = String::from_utf8(output).unwrap();
    assert_eq!(broken, 0, "{output}");
    output
}

#[test]
fn every_worked_case_gets_the_decision_that_its_table_gives() {
    let cases = cases();
    assert!(cases.len() > 700, "only {} cases were read", cases.len());
    let decisions: Vec<Value> = answers(&input(&cases))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(decisions.len(), cases.len());
    let wrong: BTreeMap<&str, String> = cases
        .iter()
        .zip(&decisions)
        .filter_map(|(case, decision)| {
            Some((case.id.as_str(), difference(decision, &case.expect)?))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cases: {wrong:#?}",
        wrong.len(),
        cases.len()
    );
}

#[test]
fn the_binary_answers_every_worked_case_as_the_library_does() {
    let input = input(&cases());
    let expected = answers(&input);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.jsonl");
    std::fs::write(&file, &input).unwrap();
    for run in [
        Patscan::new(["simulate"]).arg(&file).run(),
        Patscan::new(["simulate", "-"]).stdin(&input).run(),
    ] {
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!(run.stdout == expected, "the answers differ");
    }
}

#[test]
fn what_was_decided_before_changes_no_answer() {
    let input = input(&cases());
    let expected = answers(&input);
    // By the third time every policy comes out of what is kept of earlier lines.
    let again = answers(&input.repeat(3));
    assert!(again == expected.repeat(3), "the answers differ");
}
