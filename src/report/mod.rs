//! Findings on their way out: one file per format.
//!
//! A [`Report`] holds facts that were computed elsewhere, in the order in which they are printed. The formats below only
//! write them: nothing here decides whether something is a finding, how grave it is or whether the scan is complete.

mod answer;
pub(crate) mod asff;
mod coverage;
mod csv;
mod diff;
mod doctor;
mod explain;
mod graph;
mod html;
mod interchange;
mod json;
mod jsonl;
mod junit;
mod markdown;
mod markup;
mod name;
mod ocsf;
mod sarif;
mod table;
mod text;
mod who_can;

#[cfg(test)]
mod example;

use std::cmp::Reverse;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::account::{Account, GapEffect};
use crate::arn::AccountId;
use crate::finding::{Certainty, Entity, Finding, Severity};
use crate::triage::{
    Audience, Cause, Scanned, Scope, SinceBaseline, Skipped, Status, Triaged, WaiverNote,
};

pub use self::answer::{AnswerFormat, UnknownAnswerFormat};
pub use self::coverage::{AccountGap, AccountNote, Coverage, SkippedService};
pub use self::diff::{AccountsDifference, Difference};
pub use self::graph::{GraphFormat, UnknownGraphFormat, graph_schema, write_picture};
pub use self::json::read::{ReadError, read};
pub use self::json::report_schema;
pub(crate) use self::json::time;
pub use self::ocsf::{Ocsf, OcsfClass, UnknownOcsfClass};
pub(crate) use self::text::is_hidden;
pub use self::text::sanitise;
pub use self::who_can::{Deed, WhoCan};

/// Queues of which a report tells who sends and who receives, those with loops first: as many as people read. `patscan
/// who-can` tells it of any.
pub const MOST_FLOWS: usize = 30;

/// Everything that one run has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When the report was made: the only part that differs between two runs over one snapshot.
    pub generated_at: DateTime<Utc>,
    /// What was scanned, sorted by account id.
    pub accounts: Vec<AccountSummary>,
    /// What could not be read.
    pub coverage: Coverage,
    /// The gravest first, then by rule, account and subject.
    pub findings: Vec<Triaged>,
    /// Who sends to and who receives from each queue, at most [`MOST_FLOWS`], sorted by queue.
    pub flows: Vec<QueueFlow>,
    /// How many queues there are besides.
    pub more_flows: usize,
    /// Statements that many findings rest on; the places of [`Report::findings`] that each explains.
    pub causes: Vec<Cause>,
    /// The ids of rules that were switched off, sorted.
    pub rules_off: Vec<&'static str>,
    /// For whom the report is: what people read leaves out what only an auditor wants to see, and says how much that is.
    pub persona: Audience,
    /// What is the matter with waivers; none without a file of them.
    pub waiver_notes: Option<Vec<WaiverNote>>,
    /// What a comparison with an earlier report told besides; none without one.
    pub since: Option<SinceBaseline>,
}

/// One account that was scanned, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account id.
    pub id: AccountId,
    /// The account alias, when there is one and it was readable.
    pub alias: Option<String>,
    /// The partition, `aws` for the commercial regions.
    pub partition: String,
    /// The regions that were asked, sorted.
    pub regions: Vec<String>,
    /// When collecting began.
    pub scanned_at: DateTime<Utc>,
    /// How much was found.
    pub counts: Counts,
}

/// How many of each were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// IAM users.
    pub users: usize,
    /// IAM groups.
    pub groups: usize,
    /// IAM roles.
    pub roles: usize,
    /// SQS queues.
    pub queues: usize,
    /// Lambda functions.
    pub functions: usize,
    /// EC2 instances.
    pub instances: usize,
}

/// Who can put messages into one queue and who can take them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFlow {
    /// The queue.
    pub queue: Entity,
    /// Who can send to it, sorted.
    pub generators: Vec<FlowEnd>,
    /// Who can receive from it, sorted.
    pub consumers: Vec<FlowEnd>,
    /// How many principals hold every right on it and are left out of both lists.
    pub administrators: usize,
}

/// A principal at one side of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEnd {
    /// The principal.
    pub entity: Entity,
    /// How sure its access is.
    pub certainty: Certainty,
    /// Whether it stands on both sides of the queue, and so is part of a loop.
    pub both: bool,
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Findings to be mended now.
    pub critical: usize,
    /// Findings to be mended soon.
    pub high: usize,
    /// Findings to be mended in time.
    pub medium: usize,
    /// Findings worth mending when at it.
    pub low: usize,
    /// Findings worth knowing.
    pub info: usize,
}

impl Summary {
    /// The number of findings of one severity.
    pub fn of(&self, severity: Severity) -> usize {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Info => self.info,
        }
    }

    fn of_mut(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        }
    }
}

impl Report {
    /// Brings what was scanned and what was found into the order in which it is printed.
    pub fn new<'a>(
        generated_at: DateTime<Utc>,
        accounts: impl IntoIterator<Item = &'a Account>,
        mut findings: Vec<Triaged>,
        mut flows: Vec<QueueFlow>,
    ) -> Self {
        let mut accounts: Vec<&Account> = accounts.into_iter().collect();
        accounts.sort_by(|a, b| (&a.id, a.scanned_at).cmp(&(&b.id, b.scanned_at)));
        findings.sort_by(|a, b| finding_order(a).cmp(&finding_order(b)));
        flows.sort_by(|a, b| a.queue.cmp(&b.queue));
        Self {
            generated_at,
            coverage: Coverage::of(accounts.iter().copied()),
            accounts: accounts.into_iter().map(AccountSummary::from).collect(),
            findings,
            flows,
            more_flows: 0,
            causes: Vec::new(),
            rules_off: Vec::new(),
            persona: Audience::default(),
            waiver_notes: None,
            since: None,
        }
    }

    /// The findings that whoever the report is for should act on: not accepted, and theirs to mend.
    pub fn open(&self) -> impl Iterator<Item = &Triaged> {
        self.findings.iter().filter(|finding| self.is_open(finding))
    }

    /// Whether whoever the report is for should act on a finding.
    pub fn is_open(&self, finding: &Triaged) -> bool {
        finding.status == Status::Open && finding.audience <= self.persona
    }

    /// Whether nothing was left unread that could hide a finding.
    pub fn complete(&self) -> bool {
        self.coverage.complete()
    }

    /// Where the run looked.
    pub fn scope(&self) -> Scope {
        let gaps = self.coverage.gaps.iter();
        let hiding = gaps.filter(|one| one.gap.effect == GapEffect::MayHide);
        let accounts = self.accounts.iter().map(|account| {
            let scanned = Scanned {
                regions: account.regions.clone(),
                at: json::time(account.scanned_at),
            };
            (account.id.to_string(), scanned)
        });
        let skipped = self.coverage.skipped.iter().map(|one| Skipped {
            account: one.account.to_string(),
            service: one.service.clone(),
        });
        Scope {
            accounts: accounts.collect(),
            unread: hiding.map(|one| one.account.to_string()).collect(),
            skipped: skipped.collect(),
            rules_off: self.rules_off.iter().map(ToString::to_string).collect(),
        }
    }

    /// When the account was scanned; none where it was not. Of several readings of one account, the last.
    fn scanned_at(&self, id: &AccountId) -> Option<DateTime<Utc>> {
        let mut readings = self.accounts.iter().rev();
        let reading = readings.find(|account| account.id == *id);
        reading.map(|account| account.scanned_at)
    }

    /// How many findings there are of each severity.
    pub fn summary(&self) -> Summary {
        self.findings
            .iter()
            .fold(Summary::default(), |mut summary, finding| {
                *summary.of_mut(finding.severity) += 1;
                summary
            })
    }
}

fn finding_order(finding: &Finding) -> impl Ord + '_ {
    (
        Reverse(finding.severity),
        finding.rule,
        &finding.account,
        &finding.subject,
    )
}

impl From<&Account> for AccountSummary {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.clone(),
            alias: account.alias.clone(),
            partition: account.partition.clone(),
            regions: account.regions.clone(),
            scanned_at: account.scanned_at,
            counts: Counts {
                users: account.users.len(),
                groups: account.groups.len(),
                roles: account.roles.len(),
                queues: account.queues.len(),
                functions: account.functions.len(),
                instances: account.instances.len(),
            },
        }
    }
}

/// A way to write a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// For people, at a terminal.
    #[default]
    Table,
    /// For programs: `patscan.report/v1`.
    Json,
    /// For tables in a data lake: one finding a line.
    Jsonl,
    /// For spreadsheets: one row a finding and resource.
    Csv,
    /// For the test results of a build.
    Junit,
    /// For a pull request or a chat.
    Markdown,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For data lakes: OCSF 1.6.0.
    Ocsf(Ocsf),
    /// For AWS Security Hub: ASFF.
    Asff,
    /// For people, in a browser: everything, in one file.
    Html,
}

impl Format {
    /// Every format, the default first.
    pub const ALL: [Self; 10] = [
        Self::Table,
        Self::Json,
        Self::Jsonl,
        Self::Csv,
        Self::Junit,
        Self::Markdown,
        Self::Sarif,
        Self::Ocsf(Ocsf {
            class: OcsfClass::Compliance,
            lines: false,
        }),
        Self::Asff,
        Self::Html,
    ];

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Sarif => "sarif",
            Self::Ocsf(_) => "ocsf",
            Self::Asff => "asff",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format `{0}`; choose {choice}", choice = choice(&Format::ALL.map(Format::as_str)))]
pub struct UnknownFormat(String);

/// Words to choose from, as a sentence has them.
pub(crate) fn choice(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| UnknownFormat(sanitise(word).into_owned()))
    }
}

/// What the place that a report is written to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether it shows ANSI colours.
    pub color: bool,
    /// Its width in columns; anything below 60 is taken as 60.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            color: false,
            width: 80,
        }
    }
}

/// Any value as indented JSON that is safe to show on a terminal.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_json(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    json::write_value(value, out)
}

/// Any value as one line of JSON that is safe to show on a terminal.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_json_line(
    value: &impl serde::Serialize,
    out: &mut impl Write,
) -> io::Result<()> {
    json::write_line(value, out)
}

/// One finding as it stands in its line of [`Format::Jsonl`].
///
/// # Errors
/// Those of the serialiser.
pub(crate) fn finding_value(
    report: &Report,
    finding: &Triaged,
) -> serde_json::Result<serde_json::Value> {
    jsonl::value(report, finding)
}

/// What became of a report on its way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many findings the format has no room for: the least severe.
    pub left_out: usize,
}

/// Writes a report, buffered and flushed. `style` matters to formats for people only.
///
/// # Errors
/// Those of the writer, unchanged, so that the caller can tell a broken pipe.
pub fn write(
    report: &Report,
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let mut out = BufWriter::new(out);
    let mut written = Written::default();
    match format {
        Format::Table => table::write(report, style, &mut out)?,
        Format::Json => json::write(report, &mut out)?,
        Format::Jsonl => jsonl::write(report, &mut out)?,
        Format::Csv => csv::write(report, &mut out)?,
        Format::Junit => junit::write(report, &mut out)?,
        Format::Markdown => markdown::write(report, &mut out)?,
        Format::Sarif => written = sarif::write(report, &mut out)?,
        Format::Ocsf(how) => ocsf::write(report, how, &mut out)?,
        Format::Asff => asff::write(report, &mut out)?,
        Format::Html => html::write(report, &mut out)?,
    }
    out.flush()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_by_the_name_they_print() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!(
            "ya\u{1b}ml".parse::<Format>().unwrap_err().to_string(),
            "there is no format `ya\\u{1b}ml`; choose `table`, `json`, `jsonl`, `csv`, `junit`, `markdown`, `sarif`, `ocsf`, `asff` or `html`"
        );
    }

    #[test]
    fn a_report_puts_the_gravest_findings_first() {
        let report = example::report();
        let mut findings = report.findings.clone();
        findings.reverse();
        let again = Report::new(report.generated_at, [], findings, Vec::new());
        assert_eq!(again.findings, report.findings);
    }

    #[test]
    fn a_report_takes_from_accounts_what_it_prints() {
        let account = |id: &str| -> Account {
            serde_json::from_value(serde_json::json!({
                "id": id, "partition": "aws", "regions": ["eu-west-1"],
                "scanned_at": "2026-01-31T07:58:12Z",
                "coverage": {
                    "gaps": [{"service": "iam", "operation": "ListRoles", "error": "AccessDenied",
                              "effect": "may-hide", "detail": "roles are missing"}],
                    "notes": [{"service": "sqs", "detail": "deleted meanwhile"}],
                    "skipped": ["ec2"]
                }
            }))
            .unwrap()
        };
        let (first, second) = (account("111122223333"), account("444455556666"));
        let now = example::time("2026-01-31T08:00:00Z");
        let report = Report::new(now, [&second, &first], Vec::new(), Vec::new());
        let ids: Vec<&str> = report.accounts.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["111122223333", "444455556666"]);
        assert_eq!(report.coverage.gaps[1].account, second.id);
        assert_eq!(report.coverage.notes[1].account, second.id);
        assert_eq!(report.coverage.skipped[0].service, "ec2");
        assert!(!report.complete());
    }

    #[test]
    fn a_gap_that_only_overstates_leaves_the_report_complete() {
        let mut report = example::report();
        assert!(!report.complete());
        report
            .coverage
            .gaps
            .retain(|missing| missing.gap.effect == GapEffect::MayOverstate);
        assert!(!report.coverage.gaps.is_empty());
        assert!(report.complete());
    }

    #[test]
    fn the_summary_counts_every_finding_once() {
        let report = example::report();
        let summary = report.summary();
        let sum: usize = Severity::ALL.iter().map(|one| summary.of(*one)).sum();
        assert_eq!(sum, report.findings.len());
        assert!(summary.high > 0);
    }
}
