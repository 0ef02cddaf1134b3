//! The worked cases of `fixtures/capabilities/`: what one authorization request cannot express, asked of whole accounts,
//! of the library and of the real binary.

mod account;
pub(crate) mod answer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use patscan::access::Access;
use patscan::entity::Certainty;
use patscan::policy::Formula;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::answer::{Principal, answer, of_library, queue_index};
use crate::cli::contract::{Verdict, report};
use crate::patscan::Patscan;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    section: String,
    /// Accounts by letter, into which those of each case are merged.
    #[serde(default)]
    base: Map<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    why: String,
    #[serde(default)]
    accounts: Map<String, Value>,
    /// By capability and queue (`send orders`): everyone of whom something is said.
    #[serde(default)]
    expect: BTreeMap<String, BTreeMap<String, Expected>>,
    #[serde(default)]
    redrives: Vec<Redrive>,
    /// By dead-letter queue: the queues whose messages SQS moves there.
    #[serde(default)]
    moved_from: BTreeMap<String, BTreeSet<String>>,
    /// Every gap.
    #[serde(default)]
    gaps: Vec<ExpectedGap>,
    /// By rule: every subject with its grade, or its severity where it has none.
    #[serde(default)]
    findings: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redrive {
    by: String,
    from: String,
    to: String,
    verdict: Word,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct ExpectedGap {
    account: String,
    service: String,
    operation: String,
    effect: String,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Word {
    Denied,
    Conditional,
    Allowed,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Word(Word),
    Row(Row),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    verdict: Word,
    /// `layer: Effect statement`; all of them, in any order.
    because: Option<BTreeSet<String>>,
    /// Names of functions and ids of instances; all of them.
    workloads: Option<BTreeSet<String>>,
    /// A part of one condition each.
    #[serde(default)]
    conditions: Vec<String>,
}

/// What differs between an expectation and an answer, in words.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn unless_equal<T: PartialEq + Debug>(&mut self, what: &str, expected: &T, found: &T) {
        if expected != found {
            self.0
                .push(format!("{what}: {found:?} instead of {expected:?}"));
        }
    }
}

fn topics() -> Vec<Topic> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/capabilities");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().map(read).collect()
}

/// JSON Merge Patch (RFC 7396): members are replaced one by one, and null takes one away.
fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let members = base.as_object_mut().unwrap();
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

/// The snapshots of a case: of account A, and of the others that it names.
fn snapshots(topic: &Topic, case: &Case) -> Vec<Value> {
    let mut letters: BTreeSet<&str> = case.accounts.keys().map(String::as_str).collect();
    letters.insert("A");
    letters
        .into_iter()
        .map(|letter| {
            let mut account = topic
                .base
                .get(letter)
                .cloned()
                .unwrap_or_else(|| Value::Object(Map::new()));
            if let Some(own) = case.accounts.get(letter) {
                merge(&mut account, own);
            }
            let account: account::Account = serde_json::from_value(account)
                .unwrap_or_else(|error| panic!("{}, account {letter}: {error}", case.id));
            account.snapshot(letter)
        })
        .collect()
}

fn word(verdict: Verdict) -> Word {
    match verdict {
        Verdict::Allowed => Word::Allowed,
        Verdict::Conditional => Word::Conditional,
    }
}

fn word_of(when: &Formula) -> Word {
    if when.is_never() {
        return Word::Denied;
    }
    match Certainty::of(when) {
        Certainty::Allowed => Word::Allowed,
        Certainty::Conditional => Word::Conditional,
    }
}

fn compare_row(what: &str, row: &Row, found: &Principal, differences: &mut Differences) {
    if let Some(because) = &row.because {
        let statements = found
            .because
            .iter()
            .map(|proof| {
                let layer = format!("{:?}", proof.layer).to_lowercase();
                format!("{layer}: {:?} {}", proof.effect, proof.statement)
            })
            .collect();
        differences.unless_equal(&format!("{what}: because"), because, &statements);
    }
    if let Some(workloads) = &row.workloads {
        let names = found
            .workloads
            .iter()
            .map(|arn| arn.rsplit([':', '/']).next().unwrap().to_owned())
            .collect();
        differences.unless_equal(&format!("{what}: workloads"), workloads, &names);
    }
    for part in &row.conditions {
        if !found.conditions.iter().any(|text| text.contains(part)) {
            differences.0.push(format!(
                "{what}: no condition has `{part}` in it: {:?}",
                found.conditions
            ));
        }
    }
}

/// Compares an answer, which must hold everyone of whom the case does not say that he is denied, and nobody else.
fn compare(
    what: &str,
    expected: &BTreeMap<String, Expected>,
    found: &[Principal],
    differences: &mut Differences,
) {
    let mut unexpected: Vec<&Principal> = found.iter().collect();
    for (name, expected) in expected {
        let arn = account::principal(name);
        let place = unexpected.iter().position(|row| row.arn == arn);
        let mine = place.map(|place| unexpected.remove(place));
        let what = format!("{what}: {name}");
        let (verdict, row) = match expected {
            Expected::Word(verdict) => (*verdict, None),
            Expected::Row(row) => (row.verdict, Some(row)),
        };
        let found = mine.map_or(Word::Denied, |mine| word(mine.verdict));
        differences.unless_equal(&what, &verdict, &found);
        if let (Some(row), Some(mine)) = (row, mine) {
            compare_row(&what, row, mine, differences);
        }
    }
    for row in unexpected {
        differences
            .0
            .push(format!("{what}: nothing is said of {row:?}"));
    }
}

fn ask(question: &str) -> (&str, String) {
    let (capability, queue) = question.split_once(' ').unwrap();
    (capability, account::queue(queue))
}

fn ask_library(case: &Case, snapshots: &[Value], differences: &mut Differences) {
    let accounts: Vec<_> = snapshots
        .iter()
        .map(|snapshot| {
            patscan::account::from_slice(snapshot.to_string().as_bytes(), Path::new(&case.id))
                .unwrap()
        })
        .collect();
    let access = Access::compute(&accounts);
    for (question, expected) in &case.expect {
        let (capability, queue) = ask(question);
        let found = of_library(&access, &queue, capability);
        compare(question, expected, &found, differences);
    }
    for redrive in &case.redrives {
        let (by, queue) = (account::principal(&redrive.by), account::queue);
        let principal = access
            .principals
            .iter()
            .position(|principal| principal.arn.as_str() == by)
            .unwrap();
        let (from, to) = (queue(&redrive.from), queue(&redrive.to));
        let when = access.may_redrive(
            principal,
            queue_index(&access, &from),
            queue_index(&access, &to),
        );
        let what = format!("{} redrives {} to {}", redrive.by, redrive.from, redrive.to);
        differences.unless_equal(&what, &redrive.verdict, &word_of(&when));
    }
    for (name, expected) in &case.moved_from {
        let expected: BTreeSet<String> = expected.iter().map(|name| account::queue(name)).collect();
        let found = access
            .moved_from(queue_index(&access, &account::queue(name)))
            .iter()
            .map(|&source| access.queues[source].queue.arn.to_string())
            .collect();
        differences.unless_equal(&format!("moved to {name}"), &expected, &found);
    }
}

fn ask_binary(case: &Case, snapshots: &[Value], differences: &mut Differences) {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = snapshots
        .iter()
        .enumerate()
        .map(|(index, snapshot)| {
            let file = folder.path().join(format!("{index}.json"));
            std::fs::write(&file, snapshot.to_string()).unwrap();
            file
        })
        .collect();
    let mut gaps = Vec::new();
    for (question, expected) in &case.expect {
        let (capability, queue) = ask(question);
        let mut patscan = Patscan::new(["who-can", capability, &queue, "-f", "json", "-q"]);
        for file in &files {
            patscan = patscan.arg("--snapshot").arg(file);
        }
        let run = patscan.run();
        let answer = answer(&run.stdout);
        assert_eq!((&answer.queue, &*answer.capability), (&queue, capability));
        assert_eq!(run.code, if answer.coverage.complete { 0 } else { 3 });
        let what = format!("patscan who-can {question}");
        compare(&what, expected, &answer.principals, differences);
        gaps = answer.coverage.gaps;
    }
    if !case.findings.is_empty() {
        let run = Patscan::new(["analyze", "-f", "json", "-q"]);
        let run = files.iter().fold(run, Patscan::arg).run();
        let report = report(&run.stdout);
        for (rule, expected) in &case.findings {
            let expected: BTreeMap<String, String> = expected
                .iter()
                .map(|(subject, word)| (account::principal(subject), word.clone()))
                .collect();
            let found = report
                .findings
                .iter()
                .filter(|finding| finding.rule == *rule)
                .map(|finding| {
                    let grades = finding.resources.iter().filter_map(|one| one.grade.clone());
                    let word = grades.min_by_key(|grade| {
                        ["wired", "permitted"]
                            .iter()
                            .position(|g| g == grade)
                            .unwrap_or(2)
                    });
                    (
                        finding.subject.arn.clone(),
                        word.unwrap_or_else(|| finding.severity.clone()),
                    )
                })
                .collect();
            differences.unless_equal(rule, &expected, &found);
        }
        gaps = report.coverage.gaps;
    }
    if case.expect.is_empty() && case.findings.is_empty() {
        return;
    }
    let mut found: Vec<String> = gaps
        .iter()
        .map(|gap| {
            format!(
                "{} {} {} {:?}",
                gap.account, gap.service, gap.operation, gap.effect
            )
        })
        .collect();
    let mut expected: Vec<String> = case
        .gaps
        .iter()
        .map(|gap| {
            let effect = match &*gap.effect {
                "may-hide" => "MayHide",
                "may-overstate" => "MayOverstate",
                other => panic!("there is no effect `{other}`"),
            };
            let account = account::account_id(&gap.account);
            format!("{account} {} {} {effect}", gap.service, gap.operation)
        })
        .collect();
    found.sort();
    expected.sort();
    differences.unless_equal("gaps", &expected, &found);
}

#[test]
fn every_worked_case_gets_the_capabilities_that_the_semantics_give() {
    let topics = topics();
    let mut ids = BTreeSet::new();
    let mut wrong = BTreeMap::new();
    for topic in &topics {
        assert!(!topic.section.is_empty());
        for case in &topic.cases {
            assert!(ids.insert(&case.id), "there are two cases {}", case.id);
            assert!(!case.why.is_empty(), "{} says no reason", case.id);
            let snapshots = snapshots(topic, case);
            let mut differences = Differences::default();
            ask_library(case, &snapshots, &mut differences);
            ask_binary(case, &snapshots, &mut differences);
            if !differences.0.is_empty() {
                wrong.insert(&case.id, differences.0);
            }
        }
    }
    assert!(ids.len() > 20, "only {} cases were read", ids.len());
    assert!(
        wrong.is_empty(),
        "{} of {} cases: {wrong:#?}",
        wrong.len(),
        ids.len()
    );
}
