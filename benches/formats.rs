//! What each format costs for a report of a hundred thousand findings: the seconds that it takes, and how large it gets.
//!
//! `PATSCAN_BENCH_FINDINGS` says how many findings, `PATSCAN_BENCH_KEEP` a folder in which the files are kept, for
//! `benches/page.mjs` to open.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench whose report cannot be made has nothing to measure"
)]

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use chrono::DateTime;
use patscan::account::Account;
use patscan::arn::AccountId;
use patscan::entity::{Certainty, Entity, Grade, Kind};
use patscan::finding::{Evidence, Finding, PrincipalRef, ResourceRef, Severity, finding_id};
use patscan::report::{Format, Report, Style, write};
use patscan::triage::{causes, triage};

const FINDINGS: &str = "PATSCAN_BENCH_FINDINGS";
const KEEP: &str = "PATSCAN_BENCH_KEEP";
const RULES: [&str; 6] = [
    "queue-feedback-loop",
    "overbroad-wildcard",
    "external-access",
    "broken-delivery",
    "direct-user-policy",
    "excess-queue-right",
];
const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
const ACCOUNTS: usize = 20;
const TEAMS: [&str; 8] = [
    "orders",
    "payments",
    "ledger",
    "catalogue",
    "identity",
    "shipping",
    "search",
    "mail",
];

fn main() -> io::Result<()> {
    let number = match std::env::var(FINDINGS) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|_| panic!("{FINDINGS} is `{number}`; give a number like 100000")),
        Err(_) if std::env::args().any(|argument| argument == "--bench") => 100_000,
        Err(_) => 100,
    };
    let report = report(number);
    let keep = std::env::var_os(KEEP).map(PathBuf::from);
    let mut out = io::stdout().lock();
    writeln!(out, "{number} findings")?;
    for format in Format::ALL {
        let mut counted = Counted {
            file: match &keep {
                Some(folder) => Some(File::create(folder.join(format!("report.{format}")))?),
                None => None,
            },
            bytes: 0,
        };
        let before = Instant::now();
        let written = write(&report, format, Style::default(), &mut counted)?;
        let seconds = before.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "no report is that large")]
        let megabytes = counted.bytes as f64 / 1e6;
        write!(out, "{format:<10}{seconds:>8.2} s {megabytes:>9.1} MB")?;
        if written.left_out > 0 {
            write!(out, "  {} left out", written.left_out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Counts what is written, and keeps it if it is to be kept.
struct Counted {
    file: Option<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A report of about the shape that large accounts give: a few statements behind many findings, most of them about few queues and
/// some about a great many. The same on every machine.
fn report(number: usize) -> Report {
    let accounts: Vec<Account> = (0..ACCOUNTS)
        .map(|place| {
            serde_json::from_value(serde_json::json!({
                "id": id(place), "alias": format!("acme-{}", TEAMS.get(place % TEAMS.len()).unwrap()), "partition": "aws",
                "regions": REGIONS, "scanned_at": "2026-11-01T08:00:00Z"
            }))
            .unwrap()
        })
        .collect();
    let findings = triage(&accounts, (0..number).map(finding).collect());
    let now = DateTime::from_timestamp(1_793_520_000, 0).unwrap();
    let mut report = Report::new(now, &accounts, findings, Vec::new());
    report.causes = causes(&report.findings);
    report
}

fn id(account: usize) -> String {
    format!("{:012}", 100_000_000_000 + account * 1_111_111)
}

fn finding(number: usize) -> Finding {
    let pick = |list: &[&'static str], by: usize| *list.get(by % list.len()).unwrap();
    let account = id(number % ACCOUNTS);
    // Each account has some five thousand queues.
    let (team, rule) = (pick(&TEAMS, number / 7), pick(&RULES, number));
    let region = pick(&REGIONS, number / 3);
    let name = format!("{team}-worker-{number:06}");
    let worker = Entity::new(Kind::Role, format!("arn:aws:iam::{account}:role/{name}"));
    let queue = |place: usize| {
        let queue = format!("{team}-{:05}", (number / ACCOUNTS + place * 37) % 160);
        Entity::new(
            Kind::Queue,
            format!("arn:aws:sqs:{region}:{account}:{queue}"),
        )
    };
    // Most reach a few queues, one in fifty a hundred.
    let queues: Vec<Entity> = (0..if number.is_multiple_of(50) {
        100
    } else {
        1 + number % 9
    })
        .map(queue)
        .collect();
    let policy = format!("arn:aws:iam::{account}:policy/{team}-{}", number % 97);
    let is_conditional = number.is_multiple_of(11);
    let certainty = if is_conditional {
        Certainty::Conditional
    } else {
        Certainty::Allowed
    };
    let severity = match number % 100 {
        0 => Severity::Critical,
        1..=15 => Severity::High,
        16..=45 => Severity::Medium,
        46..=90 => Severity::Low,
        _ => Severity::Info,
    };
    Finding {
        id: finding_id(rule, &AccountId::parse(&account).unwrap(), &worker),
        rule,
        severity,
        title: format!("role {name} can both send to and receive from {} queues", queues.len()),
        detail: format!("Messages that role {name} takes out it can put back in."),
        account: AccountId::parse(&account).unwrap(),
        region: region.to_owned(),
        principals: vec![PrincipalRef {
            workloads: vec![Entity::new(
                Kind::Function,
                format!("arn:aws:lambda:{region}:{account}:function:{name}"),
            )],
            entity: worker.clone(),
        }],
        subject: worker,
        evidence: queues
            .iter()
            .flat_map(|queue| {
                ["send", "receive", "delete"].map(|capability| Evidence {
                    capability: capability.into(),
                    resource: queue.arn.clone(),
                    layer: "identity",
                    policy: policy.as_str().into(),
                    statement: "Queues".into(),
                    effect: "Allow",
                })
            })
            .collect(),
        resources: queues
            .into_iter()
            .map(|entity| ResourceRef {
                entity,
                certainty,
                grade: (rule == "queue-feedback-loop").then_some(Grade::Permitted),
            })
            .collect(),
        more_resources: 0,
        certainty,
        conditions: if is_conditional {
            vec![format!("aws:PrincipalTag/team equals `{team}`")]
        } else {
            Vec::new()
        },
        more_evidence: 0,
        remedy: "Let it send or receive, not both: what needs both becomes two processes with a role each.".to_owned(),
    }
}
