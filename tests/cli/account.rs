//! A whole account in an emulator, audited live and from its snapshots.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::contract::{Report, report};
use super::without_time;
use crate::emulator::Moto;
use crate::patscan::{Patscan, Run};

/// Rule, severity, subject, and each queue with its grade.
type Seen = (String, String, String, Vec<String>);

fn seen(report: &Report) -> BTreeSet<Seen> {
    report
        .findings
        .iter()
        .map(|finding| {
            let queues = finding
                .resources
                .iter()
                .map(|resource| {
                    let name = resource.arn.splitn(4, ':').nth(3).unwrap();
                    let name = name.replace(":123456789012:", "/");
                    match &resource.grade {
                        Some(grade) => format!("{name} {grade}"),
                        None => name,
                    }
                })
                .collect();
            (
                finding.rule.clone(),
                finding.severity.clone(),
                finding.subject.arn.clone(),
                queues,
            )
        })
        .collect()
}

fn expected() -> BTreeSet<Seen> {
    let every = "eu-west-1/events eu-west-1/orders eu-west-1/partner eu-west-1/retries us-east-1/mails us-east-1/open us-east-1/scoped";
    let iam = |name: &str| format!("arn:aws:iam::123456789012:{name}");
    let sqs = |region: &str, name: &str| format!("arn:aws:sqs:{region}:123456789012:{name}");
    [
        (
            "overbroad-wildcard",
            "high",
            iam("policy/teams/every-queue"),
            every.split(' ').collect(),
        ),
        (
            "queue-feedback-loop",
            "high",
            iam("role/retrier"),
            vec!["eu-west-1/retries wired"],
        ),
        (
            "queue-feedback-loop",
            "high",
            iam("role/mailer"),
            vec!["us-east-1/mails permitted"],
        ),
        (
            "public-queue",
            "high",
            sqs("us-east-1", "open"),
            vec!["us-east-1/open"],
        ),
        (
            "unscoped-service",
            "high",
            sqs("eu-west-1", "events"),
            vec!["eu-west-1/events"],
        ),
        (
            "external-access",
            "medium",
            sqs("eu-west-1", "partner"),
            vec!["eu-west-1/partner"],
        ),
        ("direct-user-policy", "medium", iam("user/ben"), vec![]),
        ("user-without-group", "low", iam("user/ben"), vec![]),
        (
            "queue-without-consumer",
            "info",
            sqs("eu-west-1", "events"),
            vec!["eu-west-1/events"],
        ),
        (
            "queue-without-consumer",
            "info",
            sqs("eu-west-1", "partner"),
            vec!["eu-west-1/partner"],
        ),
        (
            "queue-without-consumer",
            "info",
            sqs("us-east-1", "open"),
            vec!["us-east-1/open"],
        ),
        (
            "queue-without-consumer",
            "info",
            sqs("us-east-1", "scoped"),
            vec!["us-east-1/scoped"],
        ),
    ]
    .into_iter()
    .map(|(rule, severity, subject, queues)| {
        let queues = queues.into_iter().map(str::to_owned).collect();
        (rule.to_owned(), severity.to_owned(), subject, queues)
    })
    .collect()
}

fn scan(moto: &Moto, arguments: &[&str]) -> Run {
    let url = moto.url();
    let endpoint = ["--endpoint-url", &url];
    Patscan::new(endpoint.iter().chain(arguments))
        .with_credentials()
        .run()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn an_account_is_audited_live_and_from_its_snapshots_alike() {
    let moto = Moto::start();
    moto.seed("violations.py");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| path(folder.path(), name);

    let live = scan(
        &moto,
        &[
            "--format",
            "json",
            "--format",
            &format!("table={}", file("report.txt")),
            "--save-snapshot",
            &file("account.json"),
        ],
    );
    assert_eq!(live.code, 1, "{live:?}");
    assert_eq!(
        live.stderr,
        "exit 1: 7 findings at or above medium (--fail-on, --exit-zero)\n"
    );
    let audited = report(&live.stdout);
    assert_eq!(seen(&audited), expected());
    assert!(audited.coverage.complete);
    assert!(
        audited.accounts[0].regions.len() > 10,
        "every region is scanned"
    );

    let table = fs::read_to_string(file("report.txt")).unwrap();
    for finding in &audited.findings {
        assert!(table.contains(&finding.id), "{table}");
    }
    snapshots_are_private_and_hold_no_secret(&file("account.json"));
    a_snapshot_gives_the_report_of_the_live_account(&live, &file("account.json"));
    a_compressed_snapshot_does_too(&moto, &file("account.json.zst"));
    named_regions_are_the_only_ones(&moto);
}

fn snapshots_are_private_and_hold_no_secret(snapshot: &str) {
    let mode = fs::metadata(snapshot).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let text = fs::read_to_string(snapshot).unwrap();
    assert!(text.contains("function:retrier"));
    assert!(!text.contains("hunter2"), "a secret was kept");
    assert!(!text.contains("DATABASE_PASSWORD"));
}

fn a_snapshot_gives_the_report_of_the_live_account(live: &Run, snapshot: &str) {
    for arguments in [
        ["analyze", snapshot, "--format", "json"],
        ["--format", "json", "--snapshot", snapshot],
    ] {
        let saved = Patscan::new(arguments).run();
        assert_eq!(saved.code, live.code);
        assert_eq!(without_time(&saved.stdout), without_time(&live.stdout));
    }
}

fn a_compressed_snapshot_does_too(moto: &Moto, snapshot: &str) {
    let live = scan(moto, &["-f", "json", "--save-snapshot", snapshot]);
    let mode = fs::metadata(snapshot).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(&fs::read(snapshot).unwrap()[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    a_snapshot_gives_the_report_of_the_live_account(&live, snapshot);
}

fn named_regions_are_the_only_ones(moto: &Moto) {
    let run = scan(moto, &["-f", "json", "--region", "us-east-1"]);
    let audited = report(&run.stdout);
    assert_eq!(audited.accounts[0].regions, ["us-east-1"]);
    let regions: BTreeSet<_> = audited
        .findings
        .iter()
        .map(|finding| finding.region.as_str())
        .collect();
    assert_eq!(regions, BTreeSet::from(["global", "us-east-1"]));
}

#[test]
fn a_region_that_does_not_exist_is_answered_with_the_nearest() {
    let moto = Moto::start();
    for argument in ["--region", "--exclude-region"] {
        let run = scan(&moto, &[argument, "eu-wset-1"]);
        assert_eq!(
            run.failure(),
            "there is no region `eu-wset-1` in this account's partition; did you mean `eu-west-1`?"
        );
    }
}
