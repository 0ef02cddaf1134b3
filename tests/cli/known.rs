//! What a team knows of findings: waivers, an earlier report to compare with, and for whom a report is.

use std::path::{Path, PathBuf};

use chrono::{Days, NaiveDate, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::contract::{Finding, Report, report};
use crate::patscan::{Patscan, Run, fixture};

const LOOP: &str = "queue-feedback-loop-f4e8ccf2e7b3";
const USER: &str = "direct-user-policy-45adc6cc2986";

/// The demo account in a folder of its own, to be changed and audited again.
struct Account {
    folder: TempDir,
    snapshot: Value,
}

impl Account {
    fn demo() -> Self {
        let text = std::fs::read_to_string(fixture("demo")).unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            snapshot: serde_json::from_str(&text).unwrap(),
        }
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn analyze<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        let snapshot = self.write("snapshot.json", &self.snapshot.to_string());
        Patscan::new(["analyze"])
            .arg(snapshot)
            .args(arguments)
            .current_dir(self.folder.path())
            .run()
    }

    fn report(&self, arguments: &[&str]) -> Report {
        let all = arguments.iter().copied().chain(["-f", "json", "-q"]);
        report(&self.analyze(all).stdout)
    }

    /// The report with waivers.
    fn waived(&self, waivers: &str) -> Report {
        self.write("waivers.toml", waivers);
        self.report(&["--waivers", "waivers.toml"])
    }

    fn account(&mut self) -> &mut Value {
        &mut self.snapshot["account"]
    }

    fn role(&mut self, name: &str) -> &mut Value {
        let roles = self.account()["roles"].as_array_mut().unwrap();
        roles
            .iter_mut()
            .find(|role| role["arn"].as_str().unwrap().ends_with(name))
            .unwrap()
    }
}

fn of<'a>(report: &'a Report, id: &str) -> &'a Finding {
    report.findings.iter().find(|one| one.id == id).unwrap()
}

fn in_days(days: u64) -> NaiveDate {
    Utc::now().date_naive() + Days::new(days)
}

fn waiver(id: &str, more: &str) -> String {
    format!(
        "[[waiver]]\nid = \"{id}\"\nowner = \"payments\"\nreason = \"bounded retries\"\n{more}\n"
    )
}

fn said(report: &Report) -> Vec<(bool, &str)> {
    let notes = report.waiver_notes.as_ref().unwrap();
    notes
        .iter()
        .map(|note| (note.alarm, note.text.as_str()))
        .collect()
}

#[test]
fn a_waiver_accepts_its_finding_until_its_last_day() {
    let demo = Account::demo();
    let evidence = of(&demo.report(&[]), LOOP).fingerprint.clone();
    for expires in [in_days(0), in_days(90)] {
        let report = demo.waived(&waiver(
            LOOP,
            &format!("evidence = \"{evidence}\"\nexpires = {expires}"),
        ));
        let finding = of(&report, LOOP);
        assert_eq!(finding.status, "waived");
        let waiver = finding.waiver.as_ref().unwrap();
        assert_eq!((&*waiver.standing, &*waiver.owner), ("holds", "payments"));
        assert_eq!(waiver.reason, "bounded retries");
        assert_eq!(waiver.expires, Some(expires.to_string()));
        assert_eq!(of(&report, USER).status, "open");
    }
    let yesterday = Utc::now().date_naive() - Days::new(1);
    let report = demo.waived(&waiver(LOOP, &format!("expires = \"{yesterday}\"")));
    let finding = of(&report, LOOP);
    assert_eq!(finding.status, "open");
    assert_eq!(finding.waiver.as_ref().unwrap().standing, "expired");
    let [(alarm, text)] = said(&report)[..] else {
        panic!("{:?}", said(&report))
    };
    assert!(
        alarm && text.contains(&format!("expired on {yesterday}")),
        "{text}"
    );
    assert_eq!(report.waiver_notes.as_ref().unwrap()[0].waiver, 1);
}

#[test]
fn a_waiver_that_expires_soon_is_told_of() {
    let demo = Account::demo();
    let evidence = of(&demo.report(&[]), LOOP).fingerprint.clone();
    let told = |days| {
        let expires = in_days(days);
        let text = format!("evidence = \"{evidence}\"\nexpires = {expires}");
        demo.waived(&waiver(LOOP, &text))
            .waiver_notes
            .unwrap()
            .len()
    };
    assert_eq!((told(14), told(15)), (1, 0));
}

#[test]
fn a_waiver_lapses_when_the_policy_behind_it_changes_and_not_otherwise() {
    let mut demo = Account::demo();
    let evidence = of(&demo.report(&[]), LOOP).fingerprint.clone();
    let waivers = waiver(
        LOOP,
        &format!("evidence = \"{evidence}\"\nexpires = {}", in_days(90)),
    );
    demo.role("role/deployer")["tags"] = json!([{"key": "team", "value": "platform"}]);
    assert_eq!(of(&demo.waived(&waivers), LOOP).status, "waived");

    let policy = &mut demo.role("orders-processor")["inline"][0]["document"];
    let mut document = match &*policy {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    let statements = document["Statement"].as_array_mut().unwrap();
    statements.push(json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}));
    *policy = document;
    let report = demo.waived(&waivers);
    let finding = of(&report, LOOP);
    assert_eq!(finding.status, "open");
    assert_eq!(finding.waiver.as_ref().unwrap().standing, "lapsed");
    assert_eq!(said(&report).len(), 1);
    assert!(said(&report)[0].0 && said(&report)[0].1.contains("lapsed"));
    let table = demo.analyze(["--waivers", "waivers.toml"]).stdout;
    assert!(table.contains("WAIVERS · some no longer hold"), "{table}");
    assert!(table.contains("waiver   lapsed"), "{table}");
}

#[test]
fn a_waiver_without_evidence_holds_and_is_told_what_to_add() {
    let demo = Account::demo();
    let report = demo.waived(&waiver(LOOP, &format!("expires = {}", in_days(90))));
    let finding = of(&report, LOOP);
    assert_eq!(finding.status, "waived");
    let advice = format!("add `evidence = \"{}\"`", finding.fingerprint);
    assert!(said(&report)[0].1.contains(&advice), "{:?}", said(&report));
}

#[test]
fn waived_findings_do_not_fail_a_run() {
    let demo = Account::demo();
    let waivers: String = demo
        .report(&[])
        .findings
        .iter()
        .map(|finding| {
            let more = format!(
                "evidence = \"{}\"\nexpires = {}",
                finding.fingerprint,
                in_days(90)
            );
            waiver(&finding.id, &more)
        })
        .collect();
    demo.write("waivers.toml", &waivers);
    let run = demo.analyze(["--waivers", "waivers.toml"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let all = demo.report(&[]).findings.len();
    let heading = format!("WAIVED · {all} findings");
    assert!(run.stdout.contains(&heading), "{}", run.stdout);
    assert!(run.stdout.contains("payments: bounded retries"));
    assert!(!run.stdout.contains("── HIGH"));
}

#[test]
fn patterns_choose_by_name_or_arn_and_never_cover_other_queues() {
    let demo = Account::demo();
    let with = |patterns: &str| {
        demo.waived(&format!(
            "[[waiver]]\nrule = \"queue-feedback-loop\"\n{patterns}\nowner = \"o\"\nreason = \"r\"\nexpires = {}",
            in_days(90)
        ))
    };
    let waived = |report: &Report| -> Vec<String> {
        let waived = report.findings.iter().filter(|one| one.status == "waived");
        waived
            .map(|one| one.subject.arn.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        waived(&with("subject = \"orders-*\"")),
        ["orders-processor"]
    );
    assert_eq!(
        waived(&with("subject = \"arn:aws:iam::*:role/mail-*\"")),
        ["mail-host"]
    );
    assert_eq!(waived(&with("queue = \"orders\"")), ["orders-processor"]);
    assert_eq!(
        waived(&with("subject = \"*\"\nqueue = \"e*\"")),
        ["mail-host"]
    );
    assert!(waived(&with("queue = \"nothing-*\"")).is_empty());

    let wildcard = demo.waived(&format!(
        "[[waiver]]\nrule = \"overbroad-wildcard\"\nqueue = \"orders*\"\nowner = \"o\"\nreason = \"r\"\nexpires = {}",
        in_days(90)
    ));
    assert!(waived(&wildcard).is_empty());
    assert!(said(&wildcard)[0].1.contains("other queues too"));
}

#[test]
fn a_waiver_that_matches_nothing_is_told_of() {
    let demo = Account::demo();
    demo.write(
        "waivers.toml",
        &waiver(
            "queue-feedback-loop-000000000000",
            &format!("expires = {}", in_days(9)),
        ),
    );
    let run = demo.analyze(["--waivers", "waivers.toml"]);
    assert!(
        run.stderr.contains("matches no finding; remove it"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.contains("── Waivers ──"), "{}", run.stdout);
}

#[test]
fn mistakes_in_waivers_are_told_one_by_one() {
    let demo = Account::demo();
    let day = format!("expires = {}", in_days(90));
    let owned = format!("owner = \"o\"\nreason = \"r\"\n{day}");
    for (waivers, said) in [
        (
            format!("[[waiver]]\nid = \"x\"\nreason = \"r\"\n{day}"),
            "waiver 1: `owner` is missing",
        ),
        (
            format!("[[waiver]]\nid = \"x\"\nowner = \"o\"\nreason = \" \"\n{day}"),
            "waiver 1: `reason` is missing",
        ),
        (
            "[[waiver]]\nid = \"x\"\nowner = \"o\"\nreason = \"r\"".to_owned(),
            "waiver 1: `expires` is missing",
        ),
        (
            format!("[[waiver]]\n{owned}"),
            "waiver 1: it names no finding",
        ),
        (
            format!("[[waiver]]\nrule = \"public-queue\"\n{owned}"),
            "it would accept every finding of public-queue",
        ),
        (
            format!("[[waiver]]\nrule = \"public-queu\"\nsubject = \"x\"\n{owned}"),
            "did you mean `public-queue`?",
        ),
        (
            format!("[[waiver]]\nid = \"x\"\nevidence = \"abc\"\n{owned}"),
            "is no fingerprint of evidence",
        ),
        (
            "[[waiver]]\nid = \"x\"\nexpires = \"soon\"\nowner = \"o\"\nreason = \"r\"".to_owned(),
            "`soon` is no day",
        ),
        (
            format!("[[waiver]]\nid = \"x\"\nowned = \"o\"\n{owned}"),
            "line 3: there is no key `owned` in [waiver]; did you mean `owner`?",
        ),
    ] {
        demo.write("waivers.toml", &waivers);
        let run = demo.analyze(["--waivers", "waivers.toml"]);
        assert!(run.failure().contains(said), "{}", run.stderr);
    }
    let run = demo.analyze(["--waivers", "no-such.toml"]);
    assert!(run.failure().contains("there is no such file"));
}

#[test]
fn the_configuration_names_waivers_and_what_they_need() {
    let demo = Account::demo();
    demo.write(
        "patscan.toml",
        "[waivers]\nfile = \"accepted.toml\"\nmust-expire = false\n",
    );
    demo.write("accepted.toml", &waiver(USER, ""));
    let report = demo.report(&[]);
    assert_eq!(of(&report, USER).status, "waived");
    assert_eq!(of(&report, USER).waiver.as_ref().unwrap().expires, None);
}

fn baseline(demo: &Account, name: &str) {
    let format = format!("json={name}");
    demo.analyze(["-f", &format, "-q"]);
}

#[test]
fn a_scan_of_an_unchanged_account_has_nothing_new() {
    let demo = Account::demo();
    baseline(&demo, "old.json");
    let report = demo.report(&["--baseline", "old.json"]);
    assert!(report.findings.iter().all(|one| one.change == "unchanged"));
    let since = report.baseline.unwrap();
    assert!(since.gone.is_empty() && since.not_covered.is_empty());
    assert!(since.generated_at.ends_with('Z'));
    let run = demo.analyze(["--baseline", "old.json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout.contains("0 new, 0 changed, 0 gone"),
        "{}",
        run.stdout
    );
}

#[test]
fn new_changed_and_gone_findings_are_told_apart() {
    let mut demo = Account::demo();
    baseline(&demo, "old.json");
    // The user's policy goes, the mail host gets one instance less, and a reader may send.
    demo.account()["users"][0]["inline"] = json!([]);
    demo.account()["instances"].as_array_mut().unwrap().pop();
    demo.role("dead-letter-reader")["inline"][0]["document"] = json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
                      "Resource": "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"}
    });
    demo.account()["scanned_at"] = json!("2026-11-20T10:00:00Z");
    let report = demo.report(&["--baseline", "old.json"]);
    let change = |id: &str| {
        let finding = of(&report, id);
        (finding.change.as_str(), finding.first_seen.clone().unwrap())
    };
    let (then, now) = (
        "2026-11-01T08:00:00Z".to_owned(),
        "2026-11-20T10:00:00Z".to_owned(),
    );
    assert_eq!(change(LOOP), ("unchanged", then.clone()));
    assert_eq!(
        change("queue-feedback-loop-227cd2f22aab"),
        ("changed", then)
    );
    let new: Vec<_> = report
        .findings
        .iter()
        .filter(|one| one.change == "new")
        .collect();
    assert_eq!(new.len(), 1);
    assert!(new[0].subject.arn.ends_with("dead-letter-reader"));
    assert_eq!(new[0].first_seen, Some(now));
    let gone = &report.baseline.as_ref().unwrap().gone;
    assert_eq!(
        gone.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        [USER]
    );
    let run = demo.analyze(["--baseline", "old.json"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("2 new or changed findings at or above medium"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.contains("GONE · 1 finding"), "{}", run.stdout);
}

#[test]
fn what_was_not_looked_at_is_not_gone() {
    let mut demo = Account::demo();
    baseline(&demo, "old.json");
    demo.write(
        "patscan.toml",
        "[rules.direct-user-policy]\nenabled = false",
    );
    let ids = |report: Report| -> (usize, Vec<String>) {
        let since = report.baseline.unwrap();
        let ids = since.not_covered.into_iter().map(|one| one.id);
        (since.gone.len(), ids.collect())
    };
    let report = demo.report(&["--baseline", "old.json"]);
    assert_eq!(ids(report), (0, vec![USER.to_owned()]));

    std::fs::remove_file(demo.folder.path().join("patscan.toml")).unwrap();
    demo.account()["queues"] = json!([]);
    demo.account()["regions"] = json!(["us-east-1"]);
    let (gone, not_covered) = ids(demo.report(&["--baseline", "old.json"]));
    assert_eq!(gone, 0);
    assert!(not_covered.contains(&LOOP.to_owned()), "{not_covered:?}");
}

#[test]
fn the_day_on_which_a_finding_was_first_seen_is_handed_on() {
    let mut demo = Account::demo();
    baseline(&demo, "first.json");
    demo.account()["scanned_at"] = json!("2026-11-20T10:00:00Z");
    demo.analyze(["--baseline", "first.json", "-f", "json=second.json", "-q"]);
    demo.account()["scanned_at"] = json!("2026-11-25T10:00:00Z");
    let report = demo.report(&["--baseline", "second.json"]);
    assert!(
        report
            .findings
            .iter()
            .all(|one| one.first_seen.as_deref() == Some("2026-11-01T08:00:00Z"))
    );
}

#[test]
fn a_finding_whose_waiver_is_over_counts_although_the_baseline_has_it() {
    let demo = Account::demo();
    demo.write(
        "waivers.toml",
        &waiver(LOOP, &format!("expires = {}", in_days(90))),
    );
    demo.analyze(["--waivers", "waivers.toml", "-f", "json=old.json", "-q"]);
    let still = demo.report(&["--baseline", "old.json", "--waivers", "waivers.toml"]);
    assert_eq!(of(&still, LOOP).change, "unchanged");

    let yesterday = Utc::now().date_naive() - Days::new(1);
    demo.write(
        "waivers.toml",
        &waiver(LOOP, &format!("expires = {yesterday}")),
    );
    let arguments = ["--baseline", "old.json", "--waivers", "waivers.toml"];
    let over = demo.report(&arguments);
    assert_eq!(of(&over, LOOP).change, "changed");
    assert!(
        over.findings
            .iter()
            .all(|one| one.id == LOOP || one.change == "unchanged")
    );
    assert_eq!(demo.analyze(arguments).code, 1);
}

#[test]
fn a_report_never_takes_the_place_of_the_waivers() {
    let demo = Account::demo();
    let waivers = waiver(LOOP, &format!("expires = {}", in_days(90)));
    let path = demo.write("waivers.toml", &waivers);
    let run = demo.analyze(["--waivers", "waivers.toml", "-f", "json=./waivers.toml"]);
    assert!(run.failure().contains("would take the place of"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), waivers);
}

#[test]
fn only_a_report_is_a_baseline() {
    let demo = Account::demo();
    let missing = demo.analyze(["--baseline", "no-such.json"]);
    assert!(
        missing
            .failure()
            .contains("cannot read the baseline `no-such.json`")
    );
    let snapshot = fixture("demo");
    let snapshot = demo.analyze(["--baseline", snapshot.to_str().unwrap()]);
    assert!(
        snapshot
            .failure()
            .contains("it is a snapshot, which `patscan diff` compares"),
        "{}",
        snapshot.stderr
    );
    demo.write("empty.json", "{}");
    let empty = demo.analyze(["--baseline", "empty.json"]);
    assert!(empty.failure().contains("is no JSON report"));
}

#[test]
fn what_only_aws_can_act_on_is_for_the_auditor() {
    let mut demo = Account::demo();
    let mut role = demo.role("mail-host").clone();
    let arn =
        "arn:aws:iam::111122223333:role/aws-service-role/mail.amazonaws.com/AWSServiceRoleForMail";
    role["arn"] = json!(arn);
    role["id"] = json!("AROASERVICELINKED0001");
    role["instance_profiles"] = json!([]);
    demo.account()["roles"].as_array_mut().unwrap().push(role);
    let report = demo.report(&[]);
    let found = report
        .findings
        .iter()
        .find(|one| one.subject.arn == arn)
        .unwrap();
    assert_eq!(found.audience.as_deref(), Some("auditor"));
    let shown = |run: &Run| run.stdout.contains("AWSServiceRoleForMail");
    let team = demo.analyze([]);
    assert!(
        team.stdout
            .contains("Not shown: 1 finding that only AWS can act on"),
        "{}",
        team.stdout
    );
    assert!(!team.stdout.contains(&found.id));
    let auditor = demo.analyze(["--persona", "auditor"]);
    assert!(shown(&auditor) && auditor.stdout.contains(&found.id));
    assert!(!auditor.stdout.contains("Not shown"));
    let wrong = demo.analyze(["--persona", "boss"]);
    assert_eq!(
        wrong.failure(),
        "there is no persona `boss`; use team or auditor"
    );
}

/// The schema that editors use is made from the types that read the file.
#[test]
fn the_shipped_schema_of_waivers_is_up_to_date() {
    let made = serde_json::to_string_pretty(&patscan::triage::waiver_schema()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/triage/waivers.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap();
    assert!(shipped == made, "set UPDATE_SCHEMAS=1 and run this test");
}
