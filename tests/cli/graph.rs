//! `patscan graph` as pictures: what is drawn of the example account, and what is said when a name is not found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
fn what_surrounds_a_topic_a_bucket_or_a_bus_is_drawn_by_its_name() {
    let around = |place: &str| {
        Patscan::new(["graph", "--snapshot"])
            .arg(fixture("message-cycles"))
            .args(["-q", "--queue", place])
            .run()
    };
    for (place, others) in [
        ("image-events", ["images", "resizer"]),
        ("eu-west-1/image-events", ["images", "resizer"]),
        (
            "arn:aws:sns:eu-west-1:111122223333:image-events",
            ["images", "resizer"],
        ),
        ("shop-uploads", ["uploads", "thumbnailer"]),
        ("work", ["jobs", "scheduler"]),
        ("eu-west-1/work", ["jobs", "scheduler"]),
    ] {
        let run = around(place);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{place}");
        let drawn = names(&run.json());
        for name in others {
            assert!(drawn.contains(name), "{place}: {drawn:?}");
        }
        assert!(!drawn.contains("pong"), "{place}: {drawn:?}");
    }
    // A queue outranks a topic of its name.
    let run = around("news");
    let graph = run.json();
    let nodes = graph["nodes"].as_array().unwrap();
    let queue = nodes
        .iter()
        .any(|node| node["kind"] == "queue" && node["label"] == "news");
    assert!(queue, "{nodes:?}");
    let run = around("us-east-1/image-events");
    let unknown = run.failure();
    assert!(
        unknown.starts_with("there is no queue `us-east-1/image-events`"),
        "{unknown}"
    );
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

/// The snapshot of an account whose messages come back over buckets, topics, buses and other services.
fn snapshot_of_ways_back() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/graphs/ways-back.json")
}

fn ways_back(arguments: &[&str]) -> Run {
    Patscan::new(["graph", "--snapshot"])
        .arg(snapshot_of_ways_back())
        .arg("-q")
        .args(arguments)
        .run()
}

/// The end of an id: what follows the last slash or colon.
fn last(id: &Value) -> &str {
    let id = id.as_str().unwrap();
    id.rsplit(['/', ':']).next().unwrap()
}

/// The loops in words: the grade, then the names.
fn loops(graph: &Value) -> Vec<String> {
    let loops = graph["loops"].as_array().unwrap().iter();
    let mut loops: Vec<String> = loops
        .map(|found| {
            let path = found["path"].as_array().unwrap();
            assert_eq!(path.first(), path.last());
            let names: Vec<&str> = path.iter().map(last).collect();
            format!(
                "{}: {}",
                found["grade"].as_str().unwrap(),
                names.join(" > ")
            )
        })
        .collect();
    loops.sort();
    loops
}

/// The edges of a kind in words.
fn edges(graph: &Value, kind: &str) -> BTreeSet<String> {
    let edges = graph["edges"].as_array().unwrap().iter();
    edges
        .filter(|edge| edge["kind"] == kind)
        .map(|edge| {
            let conditions = edge["conditions"].as_array().unwrap().iter();
            let conditions: Vec<&str> = conditions.map(|one| one.as_str().unwrap()).collect();
            assert_eq!(edge["verdict"] == "conditional", !conditions.is_empty());
            let when = if conditions.is_empty() {
                String::new()
            } else {
                format!(" if {}", conditions.join(" and "))
            };
            format!("{} > {}{when}", last(&edge["from"]), last(&edge["to"]))
        })
        .collect()
}

#[test]
fn ways_back_over_several_places_are_loops_whose_steps_are_edges() {
    let graph = ways_back(&[]).json();
    assert_eq!(
        loops(&graph),
        [
            "permitted: billing > billing > billing > shipping > shipping > billing",
            "wired: archive > archiver > archiver > acme-archive > default > archive",
            "wired: orders > order-worker > order-worker > order-events > orders",
            "wired: uploads > resizer > resizer > acme-uploads > uploads",
        ]
    );
    let ends: BTreeSet<(&str, &str)> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap()))
        .collect();
    for found in graph["loops"].as_array().unwrap() {
        let path: Vec<&str> = found["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        for step in path.windows(2) {
            assert!(ends.contains(&(step[0], step[1])), "{step:?}");
        }
    }
}

#[test]
fn a_queue_is_drawn_with_the_whole_way_on_which_its_messages_come_back() {
    for queue in ["orders", "archive", "billing", "shipping"] {
        let graph = ways_back(&["--queue", queue]).json();
        assert_eq!(loops(&graph).len(), 1, "{queue}");
    }
}

#[test]
fn what_puts_something_in_and_what_is_delivered_are_edges() {
    let graph = ways_back(&[]).json();
    assert_eq!(
        edges(&graph, "publish"),
        set(&["order-worker > order-events"])
    );
    assert_eq!(
        edges(&graph, "put-object"),
        set(&["archiver > acme-archive", "resizer > acme-uploads"])
    );
    // A function that takes part in no flow is not worth an edge.
    assert_eq!(edges(&graph, "invoke"), set(&["caller > order-worker"]));
    assert_eq!(
        edges(&graph, "delivers"),
        set(&[
            "a1b2c3d4e5 > orders",
            "acme-archive > default",
            "acme-uploads > uploads",
            "archive > archiver",
            "billing > billing",
            "default > archive",
            "default > reports if it is switched off",
            "nightly > reports",
            "order-events > orders",
            "orders > order-worker",
            "relay > processed",
            "reports > relay",
            "uploads > resizer",
        ])
    );
    assert_eq!(edges(&graph, "redrives"), set(&["order-worker > failed"]));
    // Refused deliveries are no flow, but what they would connect is there.
    assert!(names(&graph).is_superset(&set(&["alerts", "audit"])));
    let kinds: BTreeSet<&str> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "topic",
        "bucket",
        "bus",
        "pipe",
        "schedule",
        "api",
        "ecs-service",
    ] {
        assert!(kinds.contains(kind), "{kind}");
    }
}

#[test]
fn who_can_become_a_role_is_an_edge_with_its_conditions() {
    let graph = ways_back(&[]).json();
    let assumes = edges(&graph, "assumes");
    assert_eq!(assumes.len(), 1);
    let assumes = assumes.first().unwrap();
    assert!(
        assumes.starts_with("olga > operator if ") && assumes.contains("MultiFactorAuth"),
        "{assumes}"
    );
    // Of a queue one wants to see who sends, not who could become who sends.
    assert!(!names(&ways_back(&["--queue", "reports"]).json()).contains("olga"));
    let operator = ways_back(&["--principal", "operator"]).json();
    assert!(names(&operator).is_superset(&set(&["olga", "operator", "reports"])));
    let olga = ways_back(&["--principal", "olga", "--depth", "2"]).json();
    assert!(names(&olga).is_superset(&set(&["olga", "operator", "reports"])));
}

#[test]
fn a_function_that_is_asked_about_is_drawn_with_who_starts_it() {
    let helper = ways_back(&["--principal", "function:helper"]).json();
    assert!(
        edges(&helper, "invoke").contains("caller > helper"),
        "{helper}"
    );
    let caller = ways_back(&["--principal", "caller"]).json();
    assert_eq!(edges(&caller, "invoke").len(), 2);
}

#[test]
fn findings_about_the_flow_are_drawn_whole() {
    let report = Patscan::new(["analyze", "-f", "json", "--exit-zero"])
        .arg(snapshot_of_ways_back())
        .run()
        .json();
    let findings = report["findings"].as_array().unwrap();
    let mut drawn = BTreeSet::new();
    for finding in findings {
        let id = finding["id"].as_str().unwrap();
        let graph = ways_back(&["--finding", id]).json();
        let rule = finding["rule"].as_str().unwrap();
        match rule {
            "message-cycle" => assert_eq!(loops(&graph).len(), 1, "{id}"),
            "broken-delivery" => assert_eq!(
                names(&graph),
                set(&["alerts", "audit", "sns.amazonaws.com"])
            ),
            _ => {}
        }
        drawn.insert(rule);
        for format in ["svg", "html", "dot", "mermaid"] {
            assert_eq!(ways_back(&["--finding", id, "-f", format]).code, 0, "{id}");
        }
    }
    assert!(
        drawn.is_superset(&BTreeSet::from(["message-cycle", "broken-delivery"])),
        "{drawn:?}"
    );
}

#[test]
fn pictures_tell_the_new_kinds_and_ways_in_words() {
    for (format, way) in [
        (
            "dot",
            "// loop (wired): queue uploads → function resizer → role resizer → bucket acme-uploads → queue uploads",
        ),
        (
            "svg",
            "wired: queue uploads → function resizer → role resizer → bucket acme-uploads → queue uploads",
        ),
        (
            "html",
            "wired: queue uploads → function resizer → role resizer → bucket acme-uploads → queue uploads",
        ),
        ("mermaid", "put-object · loop wired"),
    ] {
        let run = ways_back(&["-f", format]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains(way), "{format}");
        assert_eq!(run.stdout, ways_back(&["-f", format]).stdout, "{format}");
        for word in ["it is switched off", "order-events", "5 channels"] {
            assert!(
                format == "mermaid" || run.stdout.contains(word),
                "{format}: {word}"
            );
        }
    }
}

#[test]
fn whom_one_could_act_as_is_an_edge_of_its_own_with_its_actions() {
    let graph = Patscan::new(["graph", "--snapshot"])
        .arg(fixture("can-take-over"))
        .run()
        .json();
    assert_eq!(
        edges(&graph, "escalates"),
        set(&[
            "dora > consumer",
            "kira > sender",
            "olaf > host if aws:MultiFactorAuthPresent Bool true (in the call to SSM)",
            "pipeline > consumer",
            "pipeline > generator",
            "planner > generator",
        ])
    );
    let ways: BTreeSet<(&str, &str)> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|edge| {
            let from = edge["from"].as_str().unwrap().rsplit('/').next().unwrap();
            let ways = edge["ways"].as_array().into_iter().flatten();
            ways.map(move |way| (from, way.as_str().unwrap()))
        })
        .collect();
    assert_eq!(
        ways,
        BTreeSet::from([
            ("dora", "lambda:UpdateFunctionCode"),
            ("kira", "iam:CreateAccessKey"),
            ("olaf", "ssm:StartSession"),
            ("pipeline", "lambda:CreateFunction"),
            ("planner", "scheduler:CreateSchedule"),
        ])
    );
    // It is no right: nobody of them sends or receives.
    let rights = &(&edges(&graph, "send") | &edges(&graph, "receive"));
    for name in ["dora", "kira", "olaf", "pipeline", "planner"] {
        assert!(rights.iter().all(|edge| !edge.contains(name)), "{name}");
    }
}

#[test]
fn a_trust_policy_that_one_may_rewrite_is_a_way_as_well() {
    let graph = Patscan::new(["graph", "--snapshot"])
        .arg(fixture("can-self-grant"))
        .run()
        .json();
    assert_eq!(edges(&graph, "escalates"), set(&["gatekeeper > generator"]));
}

#[test]
fn pictures_tell_whom_one_could_act_as_and_how() {
    for format in ["svg", "html", "dot", "mermaid"] {
        let run = Patscan::new(["graph", "-f", format, "--snapshot"])
            .arg(fixture("can-take-over"))
            .run();
        assert!(run.stdout.contains("escalates"), "{format}");
        let by = run.stdout.contains("escalates by scheduler:CreateSchedule");
        assert_eq!(by, format != "mermaid", "{format}");
    }
}
