//! `patscan diff`: what changed between two readings of an account, and what made the difference.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patscan::{Patscan, Run, fixture};

/// The demo account as it was, and as it is after a change.
struct Readings {
    folder: TempDir,
    old: Value,
    new: Value,
}

impl Readings {
    fn demo() -> Self {
        let text = std::fs::read_to_string(fixture("demo")).unwrap();
        let old: Value = serde_json::from_str(&text).unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            new: old.clone(),
            old,
        }
    }

    /// The earlier and the later reading, the other way round.
    fn swapped(self) -> Self {
        Self {
            old: self.new,
            new: self.old,
            folder: self.folder,
        }
    }

    fn write(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Patscan::new(["diff"])
            .arg(self.write("old.json", &self.old))
            .arg(self.write("new.json", &self.new))
            .args(arguments)
            .run()
    }

    fn diff(&self) -> Value {
        self.run(&["-f", "json", "-q"]).json()
    }

    fn account(&mut self) -> &mut Value {
        &mut self.new["account"]
    }

    fn role(&mut self, name: &str) -> &mut Value {
        let roles = self.account()["roles"].as_array_mut().unwrap();
        roles
            .iter_mut()
            .find(|role| role["arn"].as_str().unwrap().ends_with(name))
            .unwrap()
    }
}

/// `+ role mail-host send emails <- text of the cause`, for each difference in access.
fn access(diff: &Value) -> Vec<String> {
    let name = |arn: &Value| {
        let arn = arn.as_str().unwrap();
        arn.rsplit(['/', ':']).next().unwrap().to_owned()
    };
    let changes = diff["access"].as_array().unwrap();
    changes
        .iter()
        .map(|change| {
            let queues = change["queues"].as_array().unwrap();
            let queues: Vec<String> = queues.iter().map(name).collect();
            let causes = change["causes"].as_array().unwrap();
            let causes: Vec<&str> = causes
                .iter()
                .map(|cause| cause["text"].as_str().unwrap())
                .collect();
            let sure = if change["certain"] == true { "" } else { "?" };
            format!(
                "{} {} {} {} <-{sure} {}",
                change["change"].as_str().unwrap(),
                name(&change["principal"]["arn"]),
                change["capability"].as_str().unwrap(),
                queues.join(","),
                causes.join("; ")
            )
        })
        .collect()
}

#[test]
fn an_unchanged_account_has_no_difference() {
    let mut demo = Readings::demo();
    demo.account()["scanned_at"] = json!("2026-11-02T08:00:00Z");
    let run = demo.run(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.ends_with("No difference.\n"), "{}", run.stdout);
    let diff = demo.diff();
    assert_eq!(diff["schema"], "patscan.diff/v1");
    assert_eq!(diff["changes"], json!([]));
    assert_eq!(diff["access"], json!([]));
    for list in ["appeared", "changed", "gone", "not_covered"] {
        assert_eq!(diff["findings"][list], json!([]), "{list}");
    }
}

#[test]
fn a_new_statement_is_the_cause_of_what_it_gives_and_its_removal_of_what_it_gave() {
    let mut demo = Readings::demo();
    let document = &mut demo.role("dead-letter-reader")["inline"][0]["document"];
    let statements = document["Statement"].as_array_mut().unwrap();
    statements.push(
        json!({"Sid": "PutBack", "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:DeleteMessage"],
        "Resource": "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"}),
    );
    let statement = "statement PutBack of inline policy DeadLetters of role dead-letter-reader was";
    assert_eq!(
        access(&demo.diff()),
        ["send", "delete"].map(|right| format!(
            "gained dead-letter-reader {right} orders-dlq <- {statement} added"
        ))
    );
    let run = demo.run(&[]);
    assert_eq!(run.code, 1);
    assert!(
        run.stdout
            .contains("+ role dead-letter-reader can now send\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("NEW FINDINGS · 1"), "{}", run.stdout);
    assert!(
        run.stderr
            .contains("1 new or changed finding at or above medium")
    );

    let back = demo.swapped();
    assert_eq!(
        access(&back.diff()),
        ["send", "delete"].map(|right| format!(
            "lost dead-letter-reader {right} orders-dlq <- {statement} removed"
        ))
    );
    let run = back.run(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout.contains("FINDINGS THAT ARE GONE · 1"),
        "{}",
        run.stdout
    );
}

#[test]
fn membership_and_attachment_are_causes() {
    let mut demo = Readings::demo();
    let users = demo.account()["users"].as_array_mut().unwrap();
    let bruno = users
        .iter_mut()
        .find(|user| user["arn"].as_str().unwrap().ends_with("bruno"))
        .unwrap();
    bruno["groups"] = json!(["developers"]);
    let gained = access(&demo.diff());
    assert!(!gained.is_empty());
    for line in &gained {
        assert!(
            line.ends_with("<- user bruno joined group developers"),
            "{line}"
        );
    }

    let mut demo = Readings::demo();
    demo.role("storefront")["attached"] =
        json!(["arn:aws:iam::111122223333:policy/DeveloperQueues"]);
    let gained = access(&demo.diff());
    assert!(!gained.is_empty());
    for line in &gained {
        let cause =
            "arn:aws:iam::111122223333:policy/DeveloperQueues was attached to role storefront";
        assert!(line.ends_with(&format!("<- {cause}")), "{line}");
    }
}

#[test]
fn what_a_deny_takes_is_traced_to_the_deny() {
    let mut demo = Readings::demo();
    let document = &mut demo.role("storefront")["inline"][0]["document"];
    let statements = document["Statement"].as_array_mut().unwrap();
    statements.push(
        json!({"Sid": "Stop", "Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"}),
    );
    assert_eq!(
        access(&demo.diff()),
        [
            "lost storefront send orders <- statement Stop of inline policy Orders of role storefront was added"
        ]
    );
    demo.role("storefront")["tags"] = json!([{"key": "team", "value": "shop"}]);
    assert_eq!(
        access(&demo.diff()),
        [
            "lost storefront send orders <-? statement Stop of inline policy Orders of role storefront was added; \
             the tags of role storefront were changed"
        ],
        "either may be the cause"
    );
}

#[test]
fn who_and_what_came_and_went_is_told_as_such() {
    let mut demo = Readings::demo();
    let mut twin = demo.role("storefront").clone();
    twin["arn"] = json!("arn:aws:iam::111122223333:role/storefront-two");
    twin["id"] = json!("AROASTOREFRONTTWO0001");
    demo.account()["roles"].as_array_mut().unwrap().push(twin);
    assert_eq!(
        access(&demo.diff()),
        [
            "gained storefront-two send orders <- role storefront-two was created",
            "gained storefront-two receive price-updates <- role storefront-two was created",
            "gained storefront-two delete price-updates <- role storefront-two was created",
        ],
        "of the public queue it may take as anyone may"
    );

    let mut demo = Readings::demo();
    let queues = demo.account()["queues"].as_array_mut().unwrap();
    queues.retain(|queue| !queue["arn"].as_str().unwrap().ends_with(":emails"));
    let lost = access(&demo.diff());
    assert!(lost.len() > 3);
    for line in lost {
        assert!(
            line.starts_with("lost ") && line.ends_with("emails <- queue emails was deleted"),
            "{line}"
        );
    }
}

#[test]
fn a_queue_policy_lets_outsiders_in_and_out() {
    let mut demo = Readings::demo();
    let queues = demo.account()["queues"].as_array_mut().unwrap();
    let queue = queues
        .iter_mut()
        .find(|queue| queue["arn"].as_str().unwrap().ends_with(":price-updates"))
        .unwrap();
    queue["attributes"]["policy"] = Value::Null;
    let lost = access(&demo.diff());
    assert!(
        lost.iter()
            .any(|line| line.starts_with("lost * receive price-updates <- ")
                && line.contains("was detached from queue price-updates")),
        "{lost:?}"
    );
}

#[test]
fn reports_are_compared_as_well() {
    let demo = Readings::demo();
    let report = |name: &str, extra: &[&str]| {
        let path = demo.folder.path().join(name);
        Patscan::new(["demo", "-q", "-f"])
            .arg(format!("json={}", path.display()))
            .args(extra)
            .run();
        path
    };
    let config = demo.folder.path().join("patscan.toml");
    std::fs::write(&config, "[rules.public-queue]\nseverity = \"info\"").unwrap();
    let old = report("a.json", &[]);
    let new = report("b.json", &["--config", config.to_str().unwrap()]);
    let run = Patscan::new(["diff"])
        .arg(&old)
        .arg(&new)
        .args(["-f", "json"])
        .run();
    let diff = run.json();
    assert_eq!(diff.get("access"), None);
    let changed = diff["findings"]["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (&changed[0]["rule"], &changed[0]["severity"]),
        (&json!("public-queue"), &json!("info"))
    );
    assert_eq!(run.code, 0, "an info finding fails no run: {}", run.stderr);
    let same = Patscan::new(["diff"]).arg(&old).arg(&old).run();
    assert!(same.stdout.contains("No difference."));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let demo = Readings::demo();
    let report = demo.folder.path().join("report.json");
    Patscan::new(["demo", "-q", "-f"])
        .arg(format!("json={}", report.display()))
        .run();
    let mixed = Patscan::new(["diff"])
        .arg(&report)
        .arg(fixture("demo"))
        .run();
    assert!(mixed.failure().contains("are a snapshot and a report"));
    let two = Patscan::new(["diff"])
        .arg(fixture("demo"))
        .arg(fixture("malformed"))
        .run();
    if two.code == 2 {
        assert!(
            two.failure().contains("two accounts")
                || two.failure().contains("not a patscan snapshot")
        );
    }
    let missing = Patscan::new(["diff", "no-such.json"])
        .arg(fixture("demo"))
        .run();
    assert!(missing.failure().contains("no-such.json"));
}

#[test]
fn the_answer_never_takes_the_place_of_what_is_compared() {
    let demo = Readings::demo();
    let old = demo.write("old.json", &demo.old);
    let run = demo.run(&["-f", &format!("json={}", old.display())]);
    assert!(run.failure().contains("would take the place of"));
}

#[test]
fn an_incomplete_reading_exits_3() {
    let mut demo = Readings::demo();
    demo.account()["coverage"] = json!({"gaps": [{"service": "sqs", "operation": "ListQueues", "region": "eu-west-1",
        "error": "AccessDenied", "effect": "may-hide", "detail": "queues are unknown"}]});
    let run = demo.run(&[]);
    assert_eq!(run.code, 3);
    assert!(run.stdout.contains("INCOMPLETE"), "{}", run.stdout);
    assert_eq!(demo.run(&["--allow-incomplete"]).code, 0);
}
