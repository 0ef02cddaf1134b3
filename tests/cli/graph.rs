//! `patscan graph` as pictures: what is drawn of the example account, and what is said when a name is not found.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::patscan::{Patscan, Run, audit, fixture};

fn graph(arguments: &[&str]) -> Run {
    Patscan::new(["graph", "--snapshot"])
        .arg(fixture("demo"))
        .arg("-q")
        .args(arguments)
        .run()
}

/// The last parts of the ids of a graph's nodes.
fn names(graph: &Value) -> BTreeSet<String> {
    let nodes = graph["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["label"].as_str().unwrap().to_owned())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_format_draws_the_example_account_with_its_loops() {
    for (format, start, loops) in [
        (
            "dot",
            "digraph patscan {\n",
            "// loop (wired): queue orders",
        ),
        ("mermaid", "flowchart LR\n", "loop wired"),
        ("svg", "<svg xmlns=", "⟲ 1  wired: queue orders"),
        ("html", "<!doctype html>\n", "⟲ 1  wired: queue orders"),
    ] {
        let run = graph(&["-f", format]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{format}");
        assert!(run.stdout.starts_with(start), "{format}");
        assert!(run.stdout.contains(loops), "{format}");
        assert_eq!(run.stdout, graph(&["-f", format]).stdout, "{format}");
    }
}

#[test]
fn a_picture_is_the_same_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.svg");
    let written = graph(&["-f", &format!("svg={}", file.display())]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    let printed = graph(&["-f", "svg"]).stdout;
    assert_eq!(std::fs::read_to_string(file).unwrap(), printed);
}

#[test]
fn a_queue_is_drawn_with_both_its_sides() {
    let by_name = graph(&["--queue", "emails"]).json();
    assert_eq!(
        names(&by_name),
        set(&[
            "emails",
            "mail-host",
            "i-0000000001a2b3c01",
            "i-0000000001a2b3c02",
            "administrator",
            "chiara",
            "deployer"
        ])
    );
    assert_eq!(by_name["loops"].as_array().unwrap().len(), 1);
    for same in [
        "eu-west-1/emails",
        "arn:aws:sqs:eu-west-1:111122223333:emails",
        "https://sqs.eu-west-1.amazonaws.com/111122223333/emails",
    ] {
        assert_eq!(graph(&["--queue", same]).json(), by_name, "{same}");
    }
}

#[test]
fn no_step_leaves_what_was_asked_for() {
    let queue = graph(&["--queue", "emails", "--depth", "0"]).json();
    assert_eq!(names(&queue), set(&["emails"]));
    assert_eq!(queue["edges"], serde_json::json!([]));
    let role = graph(&["--principal", "invoice-generator", "--depth", "0"]).json();
    assert_eq!(role["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(role["edges"][0]["kind"], "runs-as");
}

#[test]
fn each_step_shows_more_up_to_everything_that_hangs_together() {
    let edges = |depth: &str| {
        let graph = graph(&["--queue", "emails", "--depth", depth]).json();
        graph["edges"].as_array().unwrap().len()
    };
    assert!(edges("1") < edges("2") && edges("2") < edges("3"));
    assert_eq!(edges("4"), edges("4294967295"));
}

#[test]
fn a_principal_is_drawn_with_its_queues() {
    let by_name = graph(&["--principal", "mail-host"]).json();
    assert!(names(&by_name).is_superset(&set(&["emails", "mail-host", "price-updates"])));
    let by_arn = graph(&["--principal", "arn:aws:iam::111122223333:role/mail-host"]).json();
    assert_eq!(by_arn, by_name);
    let by_path = graph(&["--principal", "role/mail-host"]).json();
    assert_eq!(by_path, by_name);
    let instance = graph(&["--principal", "i-0000000001a2b3c01"]).json();
    assert!(names(&instance).is_superset(&set(&["emails", "mail-host"])));
}

#[test]
fn a_finding_is_drawn_with_what_it_is_about() {
    let report = audit("demo");
    let findings = report["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| {
            finding["rule"] == "queue-feedback-loop"
                && finding["subject"]["arn"] == "arn:aws:iam::111122223333:role/orders-processor"
        })
        .unwrap();
    let id = found["id"].as_str().unwrap();
    let drawn = graph(&["--finding", id]).json();
    assert_eq!(names(&drawn), set(&["orders", "orders-processor"]));
    assert_eq!(drawn["loops"][0]["grade"], "wired");
    let beginning = &id[..id.len() - 3];
    assert_eq!(graph(&["--finding", beginning]).json(), drawn);
    let farther = graph(&["--finding", id, "--depth", "1"]).json();
    assert!(names(&farther).len() > names(&drawn).len());
    for finding in findings {
        let run = graph(&["--finding", finding["id"].as_str().unwrap(), "-f", "svg"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
}

#[test]
fn names_that_are_not_found_are_answered_by_the_nearest() {
    for (arguments, start) in [
        (
            ["--queue", "order"],
            "there is no queue `order`; the nearest names are `orders`, ",
        ),
        (
            ["--principal", "mailhost"],
            "there is no principal `mailhost`; the nearest names are `mail-host`, ",
        ),
        (
            ["--finding", "queue-feedback-lop"],
            "there is no finding `queue-feedback-lop`; the nearest ids are `queue-feedback-loop-",
        ),
        (
            ["--finding", "queue-feedback-loop"],
            "`queue-feedback-loop` begins the ids of 3 findings; name one in full: `queue-feedback-loop-",
        ),
    ] {
        let run = graph(&arguments);
        let said = run.failure();
        assert!(said.starts_with(start), "{said}");
    }
}

#[test]
fn an_incomplete_picture_says_so() {
    let run = Patscan::new(["graph", "-f", "svg", "--snapshot"])
        .arg(fixture("malformed"))
        .run();
    assert_eq!(run.code, 3);
    assert!(run.stdout.contains("Incomplete: "), "{}", run.stdout);
    assert!(!graph(&["-f", "svg"]).stdout.contains("Incomplete: "));
}
