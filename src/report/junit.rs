//! Findings as the test results of a build: a suite for each account, a case for each rule and subject.
//!
//! A finding is a failure whatever its severity, which is the type of the failure; what is accepted, what an earlier report has
//! unchanged, and what the reader cannot act on, is skipped: none of it decides about the exit code either. What could not be read is an error where it may hide a finding. A rule that found nothing has passed, but
//! only where everything could be read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{Report, sanitise};
use crate::account::{Gap, GapEffect};
use crate::rules::RULES;
use crate::triage::{Change, Status, Triaged};

/// Principals and resources that a failure lists; more are counted.
const MOST_LISTED: usize = 20;

/// What a case of the tests came to.
enum Outcome<'a> {
    Passed,
    Failed(&'a Triaged),
    Unread(&'a Gap),
    Skipped(String),
}

struct Case<'a> {
    class: &'a str,
    name: Cow<'a, str>,
    outcome: Outcome<'a>,
}

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of(cases: &[Case<'_>]) -> Self {
        let mut counts = Self {
            tests: cases.len(),
            ..Self::default()
        };
        for case in cases {
            match case.outcome {
                Outcome::Passed => {}
                Outcome::Failed(_) => counts.failures += 1,
                Outcome::Unread(_) => counts.errors += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let suites = suites(report);
    let mut all = Counts::default();
    for cases in suites.values() {
        let counts = Counts::of(cases);
        all.tests += counts.tests;
        all.failures += counts.failures;
        all.errors += counts.errors;
    }
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut start = BytesStart::new("testsuites");
    start.push_attribute(("name", "patscan"));
    start.push_attribute(("tests", &*all.tests.to_string()));
    start.push_attribute(("failures", &*all.failures.to_string()));
    start.push_attribute(("errors", &*all.errors.to_string()));
    xml.write_event(Event::Start(start))?;
    for (account, cases) in &suites {
        write_suite(report, account, cases, &mut xml)?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    xml.get_mut().write_all(b"\n")
}

/// The cases of each account, by its id.
fn suites(report: &Report) -> BTreeMap<&str, Vec<Case<'_>>> {
    let mut suites: BTreeMap<&str, Vec<Case<'_>>> = BTreeMap::new();
    for account in &report.accounts {
        suites.entry(account.id.as_str()).or_default();
    }
    for missing in &report.coverage.gaps {
        let cases = suites.entry(missing.account.as_str()).or_default();
        cases.push(Case::of_gap(&missing.gap));
    }
    let mut broken: BTreeSet<(&str, &str)> = BTreeSet::new();
    for finding in &report.findings {
        let account = finding.account.as_str();
        broken.insert((account, finding.rule));
        let cases = suites.entry(account).or_default();
        cases.push(Case::of_finding(report, finding));
    }
    for (account, cases) in &mut suites {
        let kept = RULES
            .iter()
            .filter(|rule| !broken.contains(&(*account, rule.id)));
        cases.extend(kept.map(|rule| Case {
            class: rule.id,
            name: rule.title().into(),
            outcome: without_findings(report, rule.id),
        }));
    }
    suites
}

/// Since when a finding is there that a baseline covers.
fn known_since(report: &Report, finding: &Triaged) -> Option<String> {
    let since = report.since.as_ref()?;
    (finding.change == Change::Unchanged).then(|| {
        format!(
            "unchanged since the report of {}: {}",
            since.made_at, finding.title
        )
    })
}

/// What became of a rule that found nothing in an account.
fn without_findings<'a>(report: &Report, rule: &str) -> Outcome<'a> {
    if report.rules_off.contains(&rule) {
        Outcome::Skipped("the rule is switched off".to_owned())
    } else if report.complete() {
        Outcome::Passed
    } else {
        Outcome::Skipped("nothing found, but not everything could be read".to_owned())
    }
}

impl<'a> Case<'a> {
    fn of_finding(report: &Report, finding: &'a Triaged) -> Self {
        let outcome = if finding.status == Status::Waived {
            Outcome::Skipped(accepted(finding))
        } else if report.is_open(finding) {
            match known_since(report, finding) {
                Some(since) => Outcome::Skipped(since),
                None => Outcome::Failed(finding),
            }
        } else {
            Outcome::Skipped(format!(
                "for the persona {} only: {}",
                finding.audience.as_str(),
                finding.title
            ))
        };
        Self {
            class: finding.rule,
            name: Cow::Borrowed(&finding.subject.arn),
            outcome,
        }
    }

    fn of_gap(gap: &'a Gap) -> Self {
        let region = gap.region.as_deref().unwrap_or("global");
        let resource = gap.resource.as_deref().unwrap_or_default();
        let name = format!("{}:{} {region} {resource}", gap.service, gap.operation);
        Self {
            class: "coverage",
            name: name.trim_end().to_owned().into(),
            // What only overstates access leaves the report complete and must not stop a build for good.
            outcome: match gap.effect {
                GapEffect::MayHide => Outcome::Unread(gap),
                GapEffect::MayOverstate => {
                    Outcome::Skipped(format!("{}: {}", gap.error, gap.detail))
                }
            },
        }
    }
}

fn accepted(finding: &Triaged) -> String {
    match &finding.waiver {
        None => "waived".to_owned(),
        Some(by) => {
            let until = match by.expires {
                Some(last) => format!("until {last}"),
                None => "for good".to_owned(),
            };
            format!("waived {until} by {}: {}", by.owner, by.reason)
        }
    }
}

fn write_suite(
    report: &Report,
    account: &str,
    cases: &[Case<'_>],
    xml: &mut Writer<impl Write>,
) -> io::Result<()> {
    let counts = Counts::of(cases);
    let mut readings = report.accounts.iter().rev();
    let scanned = readings.find(|reading| reading.id.as_str() == account);
    let mut start = BytesStart::new("testsuite");
    start.push_attribute(("name", &*format!("patscan {}", visible(account))));
    start.push_attribute(("tests", &*counts.tests.to_string()));
    start.push_attribute(("failures", &*counts.failures.to_string()));
    start.push_attribute(("errors", &*counts.errors.to_string()));
    start.push_attribute(("skipped", &*counts.skipped.to_string()));
    if let Some(scanned) = scanned {
        // Some readers refuse a time zone; it is UTC.
        let at = scanned.scanned_at.format("%Y-%m-%dT%H:%M:%S");
        start.push_attribute(("timestamp", &*at.to_string()));
    }
    xml.write_event(Event::Start(start))?;
    if let Some(alias) = scanned.and_then(|scanned| scanned.alias.as_deref()) {
        xml.write_event(Event::Start(BytesStart::new("properties")))?;
        let mut property = BytesStart::new("property");
        property.push_attribute(("name", "alias"));
        property.push_attribute(("value", &*visible(alias)));
        xml.write_event(Event::Empty(property))?;
        xml.write_event(Event::End(BytesEnd::new("properties")))?;
    }
    for case in cases {
        write_case(case, xml)?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn write_case(case: &Case<'_>, xml: &mut Writer<impl Write>) -> io::Result<()> {
    let mut start = BytesStart::new("testcase");
    start.push_attribute(("classname", &*visible(case.class)));
    start.push_attribute(("name", &*visible(&case.name)));
    let (element, kind, message, text) = match &case.outcome {
        Outcome::Passed => return xml.write_event(Event::Empty(start)),
        Outcome::Failed(finding) => {
            let severity = finding.severity.as_str();
            ("failure", severity, finding.title.as_str(), facts(finding))
        }
        Outcome::Unread(gap) => (
            "error",
            gap.effect.as_str(),
            &*gap.error,
            visible(&gap.detail).into_owned(),
        ),
        Outcome::Skipped(why) => ("skipped", "", &**why, String::new()),
    };
    xml.write_event(Event::Start(start))?;
    let mut result = BytesStart::new(element);
    result.push_attribute(("message", &*visible(message)));
    if !kind.is_empty() {
        result.push_attribute(("type", kind));
    }
    if text.is_empty() {
        xml.write_event(Event::Empty(result))?;
    } else {
        xml.write_event(Event::Start(result))?;
        xml.write_event(Event::Text(BytesText::new(&text)))?;
        xml.write_event(Event::End(BytesEnd::new(element)))?;
    }
    xml.write_event(Event::End(BytesEnd::new("testcase")))
}

/// What to know of a finding, one thing a line.
fn facts(finding: &Triaged) -> String {
    let mut lines = vec![visible(&finding.detail).into_owned()];
    let mut say = |label: &str, text: &str| lines.push(format!("{label}: {}", visible(text)));
    for condition in &finding.conditions {
        say("if", condition);
    }
    for holder in finding.principals.iter().take(MOST_LISTED) {
        say("held by", &holder.entity.arn);
    }
    let more = finding.principals.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        say("holders besides", &more.to_string());
    }
    for resource in finding.resources.iter().take(MOST_LISTED) {
        say(resource.entity.kind.as_str(), &resource.entity.arn);
    }
    let unlisted = finding.resources.len().saturating_sub(MOST_LISTED) as u64;
    let more = unlisted.saturating_add(finding.more_resources);
    if more > 0 {
        say("resources besides", &more.to_string());
    }
    say("fix", &finding.remedy);
    say("id", &finding.id);
    if let Some(first_seen) = &finding.first_seen {
        let change = finding.change.as_str();
        say("since", &format!("{first_seen}, {change}"));
    }
    lines.join("\n")
}

/// Text without hidden characters and without those that XML cannot hold.
fn visible(text: &str) -> Cow<'_, str> {
    let shown = sanitise(text);
    if shown.contains(['\u{fffe}', '\u{ffff}']) {
        let shown = shown.replace('\u{fffe}', r"\u{fffe}");
        return shown.replace('\u{ffff}', r"\u{ffff}").into();
    }
    shown
}

#[cfg(test)]
mod tests;
