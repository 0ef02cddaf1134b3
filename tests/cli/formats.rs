//! The formats for other programs, through the real binary: read back by readers that know nothing of the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use patscan::report::sanitise;
use pulldown_cmark::{Event, Options, Parser};
use serde::Deserialize;
use uppsala::{XsdValidator, parse};

use super::assert_harmless;
use super::contract::{
    Entity, Evidence, Finding, Principal, Remedy, Report, Resource, Verdict, Waiver, report,
};
use super::hostile::{MARKUP, hostile_account, hostile_file, marked_up};
use crate::patscan::{Patscan, fixture, fixtures};

/// `patscan.finding/v1`: the finding of a report, after what is known of its scan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    schema: String,
    scanned_at: String,
    complete: bool,
    id: String,
    rule: String,
    severity: String,
    title: String,
    detail: String,
    account: String,
    region: String,
    subject: Entity,
    principals: Vec<Principal>,
    resources: Vec<Resource>,
    #[serde(default)]
    more_resources: u64,
    verdict: Verdict,
    conditions: Vec<String>,
    evidence: Vec<Evidence>,
    #[serde(default)]
    more_evidence: u64,
    remedy: Remedy,
    fingerprint: String,
    #[serde(default)]
    audience: Option<String>,
    status: String,
    #[serde(default)]
    waiver: Option<Waiver>,
    change: String,
    #[serde(default)]
    first_seen: Option<String>,
}

impl Line {
    fn is(&self, finding: &Finding) -> bool {
        let arns = |resources: &[Resource]| -> Vec<String> {
            resources.iter().map(|one| one.arn.clone()).collect()
        };
        self.id == finding.id
            && self.rule == finding.rule
            && self.severity == finding.severity
            && self.title == finding.title
            && self.detail == finding.detail
            && self.account == finding.account
            && self.region == finding.region
            && (&self.subject.kind, &self.subject.arn)
                == (&finding.subject.kind, &finding.subject.arn)
            && self.principals.len() == finding.principals.len()
            && arns(&self.resources) == arns(&finding.resources)
            && self.more_resources == finding.more_resources
            && self.verdict == finding.verdict
            && self.conditions == finding.conditions
            && self.evidence.len() == finding.evidence.len()
            && self.more_evidence == finding.more_evidence
            && self.remedy.summary == finding.remedy.summary
            && self.fingerprint == finding.fingerprint
            && self.audience == finding.audience
            && self.status == finding.status
            && self.waiver.as_ref().map(|one| &one.owner)
                == finding.waiver.as_ref().map(|one| &one.owner)
            && self.change == finding.change
            && self.first_seen == finding.first_seen
    }
}

/// One run in every format.
struct Written {
    report: Report,
    jsonl: String,
    csv: String,
    junit: String,
    markdown: String,
    table: String,
    html: String,
}

impl Written {
    fn by(snapshot: &Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["json", "jsonl", "csv", "junit", "markdown", "html"];
        let run = Patscan::new(["analyze", "-q", "-f", "table"])
            .arg(snapshot)
            .args(
                names
                    .iter()
                    .flat_map(|name| ["-f".to_owned(), format!("{name}=out.{name}")]),
            )
            .args(arguments)
            .current_dir(folder.path())
            .run();
        assert_eq!(run.stderr, "");
        let read = |name: &str| {
            std::fs::read_to_string(folder.path().join(format!("out.{name}"))).unwrap()
        };
        Self {
            report: report(&read("json")),
            jsonl: read("jsonl"),
            csv: read("csv"),
            junit: read("junit"),
            markdown: read("markdown"),
            html: read("html"),
            table: run.stdout,
        }
    }

    fn lines(&self) -> Vec<Line> {
        let lines = self.jsonl.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn rows(&self) -> Vec<BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_reader(self.csv.as_bytes());
        reader.deserialize().collect::<Result<_, _>>().unwrap()
    }

    /// The test cases: class, name and outcome.
    fn cases(&self) -> Vec<(String, String, String)> {
        let document = parse(&self.junit).unwrap();
        let schema = parse(include_str!("../../src/report/junit/junit-10.xsd")).unwrap();
        let errors = XsdValidator::from_schema(&schema)
            .unwrap()
            .validate(&document);
        assert!(errors.is_empty(), "{errors:?}");
        let cases = document.get_elements_by_tag_name("testcase").into_iter();
        cases
            .map(|case| {
                let attribute = |name| document.get_attribute(case, name).unwrap().to_owned();
                let outcome = document
                    .children(case)
                    .into_iter()
                    .find_map(|child| Some(document.element(child)?.name.local_name.to_string()));
                (
                    attribute("classname"),
                    attribute("name"),
                    outcome.unwrap_or_default(),
                )
            })
            .collect()
    }

    fn failures(&self) -> BTreeSet<(String, String)> {
        let cases = self.cases().into_iter();
        cases
            .filter(|(_, _, outcome)| outcome == "failure")
            .map(|(class, name, _)| (class, name))
            .collect()
    }

    /// What must hold of any run.
    fn check(&self) {
        for text in [
            &self.jsonl,
            &self.csv,
            &self.junit,
            &self.markdown,
            &self.table,
            &self.html,
        ] {
            assert_harmless(text);
        }
        let findings = &self.report.findings;
        let lines = self.lines();
        assert_eq!(lines.len(), findings.len());
        for (line, finding) in lines.iter().zip(findings) {
            assert!(line.is(finding), "{}", line.id);
            assert_eq!(line.schema, "patscan.finding/v1");
            assert_eq!(line.scanned_at, self.report.accounts[0].scanned_at);
            assert_eq!(line.complete, self.report.coverage.complete);
        }
        let rows = self.rows();
        let wanted: Vec<(&str, &str)> = findings
            .iter()
            .flat_map(|finding| {
                let rows = finding.resources.len().max(1);
                std::iter::repeat_n((&*finding.id, &*finding.severity), rows)
            })
            .collect();
        let told: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (&*row["id"], &*row["severity"]))
            .collect();
        assert_eq!(told, wanted);
        for cell in rows.iter().flat_map(BTreeMap::values) {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
        for event in Parser::new_ext(&self.markdown, Options::all()) {
            let is_foreign = matches!(event, Event::Html(_) | Event::InlineHtml(_))
                || matches!(event, Event::Start(ref tag) if matches!(tag, pulldown_cmark::Tag::Link { .. } | pulldown_cmark::Tag::Image { .. }));
            assert!(!is_foreign, "{event:?}");
        }
        // What a baseline covers decides about the exit code no more than what is accepted.
        let open = findings
            .iter()
            .filter(|one| one.status == "open" && one.audience.is_none())
            .filter(|one| one.change != "unchanged");
        assert_eq!(self.failures().len(), open.count());
        let start = "<script id=\"data\" type=\"application/json\">";
        let (_, data) = self.html.split_once(start).unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let ids = data["id"].as_array().unwrap().iter();
        assert!(ids.eq(findings.iter().map(|one| &*one.id)));
    }
}

#[test]
fn every_format_tells_of_the_same_findings() {
    for scenario in std::fs::read_dir(fixtures()).unwrap() {
        let snapshot = scenario.unwrap().path().join("snapshot.json");
        Written::by(&snapshot, &[]).check();
    }
    let demo = Written::by(&fixture("demo"), &[]);
    assert!(!demo.report.findings.is_empty());
    let passed = demo
        .cases()
        .into_iter()
        .filter(|(_, _, outcome)| outcome.is_empty());
    assert!(passed.count() > 0, "rules that found nothing pass");
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
    }, {
        insta::assert_snapshot!("demo-markdown", demo.markdown);
    });
}

#[test]
fn hostile_names_stay_text_in_every_format() {
    let (_folder, file) = hostile_file(&hostile_account());
    let written = Written::by(&file, &[]);
    assert!(!written.report.findings.is_empty());
    written.check();
    assert!(written.markdown.contains("**Incomplete"));
    assert!(
        written
            .cases()
            .iter()
            .any(|(class, _, outcome)| class == "coverage" && outcome == "error")
    );

    let mut account = hostile_account();
    let long = "x".repeat(480);
    let names: Vec<&str> = MARKUP.into_iter().chain([&*long]).collect();
    marked_up(&mut account, &names);
    let (_folder, file) = hostile_file(&account);
    let written = Written::by(&file, &[]);
    written.check();
    assert!(!written.junit.contains("<img") && !written.html.contains("<img"));
    assert!(!written.html.contains("<script>alert"));
    for name in names {
        let arn = format!("arn:aws:iam::111122223333:role/{name}");
        assert!(
            written
                .failures()
                .iter()
                .any(|(_, subject)| *subject == sanitise(&arn)),
            "{name}"
        );
        assert!(
            written.lines().iter().any(|line| line.subject.arn == arn),
            "{name}"
        );
        assert!(
            written
                .rows()
                .iter()
                .any(|row| row["subject_arn"] == sanitise(&arn)),
            "{name}"
        );
    }
}

#[test]
fn a_waived_finding_is_no_failure_in_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let waivers = folder.path().join("waivers.toml");
    std::fs::write(
        &waivers,
        "[[waiver]]\nrule = \"queue-feedback-loop\"\nsubject = \"*\"\nowner = \"=payments\"\nreason = \"<b>fine</b>\"\nexpires = 2999-01-01\n",
    )
    .unwrap();
    let waivers = waivers.to_str().unwrap();
    let open = Written::by(&fixture("demo"), &[]);
    let written = Written::by(&fixture("demo"), &["--waivers", waivers]);
    written.check();
    let waived = |written: &Written| {
        let findings = written.report.findings.iter();
        findings
            .filter(|finding| finding.status == "waived")
            .count()
    };
    let number = waived(&written);
    assert_eq!((waived(&open), number > 0), (0, true));
    assert_eq!(open.failures().len(), written.failures().len() + number);
    assert!(
        written
            .failures()
            .iter()
            .all(|(rule, _)| rule != "queue-feedback-loop")
    );
    let skipped = written
        .cases()
        .into_iter()
        .filter(|(class, _, outcome)| class == "queue-feedback-loop" && outcome == "skipped");
    assert_eq!(skipped.count(), number);
    let rows = written.rows();
    let owners: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row["status"] == "waived")
        .map(|row| &*row["waiver_owner"])
        .collect();
    assert_eq!(owners, BTreeSet::from(["'=payments"]));
    assert!(
        written
            .markdown
            .contains(&format!("{number} waived finding")),
        "{}",
        written.markdown
    );
    assert!(!written.markdown.contains("| `queue-feedback-loop-"));
}

#[test]
fn a_baseline_shows_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let baseline = folder.path().join("baseline.json");
    let run = Patscan::new(["analyze", "-f", "json"])
        .arg(fixture("demo"))
        .run();
    std::fs::write(&baseline, run.stdout).unwrap();
    let written = Written::by(
        &fixture("demo"),
        &["--baseline", baseline.to_str().unwrap()],
    );
    written.check();
    assert!(
        written
            .rows()
            .iter()
            .all(|row| row["change"] == "unchanged" && !row["first_seen"].is_empty())
    );
    assert!(
        written.markdown.contains(": 0 new, 0 changed, "),
        "{}",
        written.markdown
    );
    assert!(written.markdown.contains("| Severity | Change | "));
}

#[test]
fn the_same_snapshot_gives_the_same_bytes() {
    let (first, again) = (
        Written::by(&fixture("demo"), &[]),
        Written::by(&fixture("demo"), &[]),
    );
    assert_eq!(first.jsonl, again.jsonl);
    assert_eq!(first.csv, again.csv);
    assert_eq!(first.junit, again.junit);
    assert_eq!(first.markdown, again.markdown);
}

#[test]
fn commands_that_audit_nothing_refuse_the_formats_of_findings() {
    let demo = fixture("demo");
    let demo = demo.to_str().unwrap();
    for format in ["jsonl", "csv", "junit", "markdown", "html"] {
        for arguments in [
            &["rules"][..],
            &["diff", demo, demo],
            &["explain", "queue-feedback-loop", "--demo"],
            &["who-can", "send", "orders", "--snapshot", demo],
        ] {
            let run = Patscan::new(arguments).args(["-f", format]).run();
            let message = format!("only an audit writes `{format}`; choose `table` or `json`");
            assert_eq!(run.failure(), message, "{arguments:?}");
        }
    }
}
