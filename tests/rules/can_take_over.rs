//! What a finding of `can-take-over` tells: the ways, whom they lead to, what that gives, and the proof of each action.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::patscan::audit;

fn findings() -> Vec<Value> {
    audit("can-take-over")["findings"]
        .as_array()
        .unwrap()
        .clone()
}

fn finding(name: &str) -> Value {
    let mut findings = findings().into_iter();
    findings
        .find(|finding| {
            finding["rule"] == "can-take-over"
                && finding["subject"]["arn"].as_str().unwrap().ends_with(name)
        })
        .unwrap_or_else(|| panic!("nothing is told of {name}"))
}

/// The actions, and rights at their end, that the evidence names.
fn proved(finding: &Value) -> BTreeSet<&str> {
    let evidence = finding["evidence"].as_array().unwrap();
    let capabilities = evidence.iter().map(|one| one["capability"].as_str());
    capabilities.map(Option::unwrap).collect()
}

#[test]
fn every_action_of_a_way_and_the_right_at_its_end_are_proved() {
    for (name, actions) in [
        (
            "role/pipeline",
            &[
                "iam:PassRole",
                "lambda:CreateFunction",
                "lambda:InvokeFunction",
                "receive",
            ][..],
        ),
        (
            "role/planner",
            &["iam:PassRole", "scheduler:CreateSchedule", "send"],
        ),
        ("user/dora", &["lambda:UpdateFunctionCode", "receive"]),
        ("user/kira", &["iam:CreateAccessKey", "send"]),
        ("user/olaf", &["receive", "ssm:StartSession"]),
    ] {
        let actions: BTreeSet<&str> = actions.iter().copied().collect();
        assert_eq!(proved(&finding(name)), actions, "{name}");
    }
}

#[test]
fn it_names_whom_it_leads_to_and_what_that_gives() {
    let planner = finding("role/planner");
    assert_eq!(
        planner["title"],
        "role planner can act as role generator to send to queue orders"
    );
    assert_eq!(
        planner["detail"],
        "With scheduler:CreateSchedule and iam:PassRole it makes a schedule that sends as role generator."
    );
    let pipeline = finding("role/pipeline");
    let names: Vec<&str> = pipeline["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            one["arn"]
                .as_str()
                .unwrap()
                .rsplit([':', '/'])
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(names, ["consumer", "generator", "orders"]);
}

#[test]
fn the_name_that_is_allowed_is_the_one_that_is_asked_about() {
    let planner = finding("role/planner");
    let evidence = planner["evidence"].as_array().unwrap();
    let schedule = evidence
        .iter()
        .find(|one| one["capability"] == "scheduler:CreateSchedule")
        .unwrap();
    assert_eq!(
        schedule["resource"],
        "arn:aws:scheduler:eu-west-1:111122223333:schedule/planned/x"
    );
}

#[test]
fn what_hangs_on_a_condition_says_so() {
    let found = finding("user/olaf");
    assert_eq!(found["verdict"], "conditional");
    assert_eq!(
        found["conditions"],
        json!(["aws:MultiFactorAuthPresent Bool true (in the call to SSM)"])
    );
}

#[test]
fn both_sides_that_one_could_act_as_are_no_loop_of_rights() {
    let loops: Vec<Value> = findings()
        .into_iter()
        .filter(|finding| {
            let rule = finding["rule"].as_str().unwrap();
            rule.ends_with("-loop")
                && finding["subject"]["arn"] != "arn:aws:iam::111122223333:user/both"
        })
        .collect();
    assert_eq!(loops, Vec::<Value>::new());
}
